"""What one receives from an organisation, by the link of any message: each list's way, a pause, language, answers, a new address, a way out.

No account, no cookie: the token in the address is the whole authority. GET shows, POST acts.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.campaigns import Tracking
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.policy import Policy, Urgency
from colporteur.flow import attributes, moments, preferences, tracking
from colporteur.flow.leaving import Outcome
from colporteur.flow.moderation.telling import owner_address
from colporteur.flow.preferences import LEAVE, PAUSE, Reader
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.segments import Attribute
from colporteur.web.asking import answers, ask, bound
from colporteur.web.guard import client_of
from colporteur.web.joining.words import parting
from colporteur.web.memberships.words import ways
from colporteur.web.saying import said

BOXES = 3
"""Lists whose choices all stand open; with more of them each has a select."""


class Row(NamedTuple):
    """A list as the page shows it: its choices (value, words, a sentence), which holds, until when it is paused, the form of what it asks."""

    membership: Membership
    title: str
    choices: list[tuple[str, str, str]]
    chosen: str
    until: str
    form: forms.Form | None
    asked: list[forms.BoundField]


@csrf_exempt  # the token in the address is the whole authority; mail programs' windows keep no cookies
def page(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows every list of the organisation; POST keeps what was chosen."""
    reader = preferences.read(token)
    if reader is None:
        raise Http404
    done, wrong = _act(request, reader) if request.method == "POST" else ([], [])
    if request.method == "POST" and not wrong:
        reader = preferences.read(token) or reader
        if reader.address.person and reader.address.person.language:
            translation.activate(reader.address.person.language)
    rows = _rows(reader, request if wrong else None)
    leaving = any(value == LEAVE for row in rows for value, _words, _hint in row.choices)
    if len(rows) == 1:  # it has a section of its own
        rows = [rows[0]._replace(choices=[choice for choice in rows[0].choices if choice[0] != LEAVE])]
    agrees = tracking.agrees(reader.address, reader.organisation)
    context = {
        "reader": reader, "list": reader.list, "email": reader.address.email, "rows": rows, "done": done, "wrong": wrong, "compact": len(rows) > BOXES, "today": (timezone.localdate() + timedelta(days=1)).isoformat(),
        "languages": settings.LANGUAGES, "language": (reader.address.person.language if reader.address.person else "") or (translation.get_language() or "")[:2],
        "agrees": agrees, "wording": tracking.wording(reader.organisation) if agrees or any(row.tracking is Tracking.PEOPLE for _membership, row in preferences.received(reader)) else "",
        "owner": owner_address(reader.list), "leaving": leaving,
    }  # fmt: skip
    return render(request, "memberships/preferences.html", context, status=422 if wrong else 200)


@csrf_exempt
def moving(request: HttpRequest, token: str) -> HttpResponse:
    """A new address is confirmed: GET asks, POST moves."""
    asked = preferences.asked_to_move(token, timezone.now())
    if asked is None:
        return render(request, "memberships/mine_over.html", status=410)
    context: dict[str, Any] = {"asked": asked, "organisation": asked.organisation}
    if request.method == "POST":
        try:
            context["moved"] = preferences.move(asked, timezone.now(), client=client_of(request))
        except ValueError as error:
            return render(request, "memberships/moving.html", context | {"fault": said(error)}, status=422)
    return render(request, "memberships/moving.html", context)


# --- how ---


def _act(request: HttpRequest, reader: Reader) -> tuple[list[str], list[str]]:
    """Do what was asked for; sentences about what was done, and about what is wrong."""
    wish, now = request.POST.get("wish", ""), timezone.now()
    try:
        if wish == "leave-all":
            left = preferences.leave_all(reader, now)
            return [" ".join(parting(outcome, list_, reader.address.email)) if outcome is not Outcome.LEFT else _("You left the list %(name)s.") % {"name": list_.title or list_.name} for list_, outcome in left], []
        if wish == "move":
            new = request.POST.get("new", "").replace("\x00", "")
            if preferences.ask_to_move(reader, new, now, client=client_of(request)):
                return [_("Look in the mailbox of %(email)s: a letter there asks for your yes. Until then nothing changes.") % {"email": new.strip()}], []
            return [], [_("Enough letters went out for now. Look in your mailbox, or try again later.")]
        return _save(request, reader, now)
    except ValueError as error:
        return [], [said(error)[:1].upper() + said(error)[1:] + "."]


def _save(request: HttpRequest, reader: Reader, now: datetime) -> tuple[list[str], list[str]]:
    rows = _rows(reader, request)
    wrong = [f"{row.title}: {fault}" for row in rows if row.form and not row.form.is_valid() for field in row.asked for fault in field.errors]
    done: list[str] = []
    if wrong:
        return done, wrong
    for row in rows:
        try:
            done += _save_one(request, row, now)
        except ValueError as error:
            wrong.append(f"{row.title}: {said(error)}.")
    if preferences.speak(reader.address, request.POST.get("language", ""), now):
        done.append(_("The language is kept."))
    if request.POST.get("asked-tracking"):
        if request.POST.get("tracking") and tracking.agree(reader.address, reader.organisation, now, how="preferences", wording=tracking.wording(reader.organisation), client=client_of(request)):
            done.append(_("Thank you. You can take it back here at any time."))
        elif not request.POST.get("tracking") and tracking.withdraw(reader.address, reader.organisation, now, how="preferences"):
            done.append(_("What was known of your reading is forgotten."))
    return done or ([] if wrong else [_("Your choice is kept.")]), wrong


def _save_one(request: HttpRequest, row: Row, now: datetime) -> list[str]:
    done, list_, address = [], row.membership.list, row.membership.address
    if row.form and preferences.tell(list_, address, answers(row.form), now):
        done.append(_("%(name)s: your answers are kept.") % {"name": row.title})
    wish, until = request.POST.get(f"way-{row.membership.pk}", ""), _moment(request.POST.get(f"until-{row.membership.pk}", ""))
    if not wish or (wish == row.chosen and (wish != PAUSE or (until and timezone.localdate(until).isoformat() == row.until))):
        return done
    outcome = preferences.choose(row.membership, wish, now, until=until)
    if wish == LEAVE and outcome:
        done.append(_("You left the list %(name)s.") % {"name": row.title} if outcome is Outcome.LEFT else " ".join(parting(outcome, list_, address.email)))
    elif wish == PAUSE and until:
        done.append(_("%(name)s: nothing until %(day)s. You stay on the list.") % {"name": row.title, "day": moments.day(timezone.localdate(until))})
    else:
        done.append(_("%(name)s: your choice is kept.") % {"name": row.title})
    return done


def _rows(reader: Reader, request: HttpRequest | None) -> list[Row]:
    """The lists; with what was just written, when something of it is wrong."""
    found = preferences.received(reader)
    asks: dict[int, list[Attribute]] = {}
    for attribute in Attribute.objects.filter(list__in=[membership.list_id for membership, _rules in found], asked=True).order_by("position", "id"):
        asks.setdefault(attribute.list_id, []).append(attribute)
    rows = []
    for membership, rules in found:
        form = None
        if fields := [attributes.field_of(one) for one in asks.get(membership.list_id, [])]:
            known = attributes.values_of(membership.list, [membership.address_id]).get(membership.address_id, {})
            form = forms.Form(request.POST if request else None, prefix=str(membership.list_id))
            ask(form, fields, known, must=False)  # whoever leaves or pauses need not answer
        chosen = PAUSE if membership.paused else membership.delivery
        until = timezone.localdate(membership.pause_until).isoformat() if membership.paused and membership.pause_until else ""
        if request:
            until = request.POST.get(f"until-{membership.pk}", until)[:10]
        rows.append(Row(membership, membership.list.title or membership.list.name, _choices(membership, rules), chosen, until, form, bound(form) if form else []))
    return rows


def _choices(membership: Membership, rules: Policy) -> list[tuple[str, str, str]]:
    kept = {membership.delivery, DeliveryMode.EACH, *(() if rules.urgency is Urgency.PATIENT else (DeliveryMode.DAILY_MIME, DeliveryMode.WEEKLY_MIME, DeliveryMode.NONE))}  # the others are on one's own page
    found = [(value, words, _hint(value, rules, membership.list)) for value, words in ways(membership.delivery, rules) if value in kept]
    found.append((PAUSE, _("Nothing for a while"), _("You stay on the list. You choose the day it begins again.")))
    if rules.leaving.asked_for:
        found.append((LEAVE, _("Leave the list") if rules.leaving.by_oneself else _("Ask to leave"), _("Nothing more from this list. You can come back whenever you like.") if rules.leaving.by_oneself else _("An owner decides about it.")))
    return found


def _hint(value: str, rules: Policy, list_: List) -> str:
    mode = DeliveryMode(value)
    if mode.cadence:
        return _("One letter, at %(hour)s, when there is something new.") % {"hour": moments.hour(time(rules.digest_hour))}
    if mode is DeliveryMode.EACH and (n := preferences.a_week(list_, timezone.now())):
        return ngettext("As soon as it is sent, about %(n)s a week.", "As soon as it is sent, about %(n)s a week.", n) % {"n": n}
    return {DeliveryMode.EACH: _("As soon as it is sent."), DeliveryMode.SUBJECTS: _("One line for each message."), DeliveryMode.NONE: _("You can still write, and read on the web.")}.get(mode, "")


def _moment(text: str) -> datetime | None:
    try:
        day: date | None = parse_date(text)
    except ValueError:
        day = None
    return timezone.make_aware(datetime.combine(day, time())) if day else None
