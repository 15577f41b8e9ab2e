"""My lists: what I own, moderate and receive, with a pause and a way out; also by a mailed link, without an account."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time
from typing import NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.domain.policy import Leaving
from colporteur.domain.standing import Standing
from colporteur.flow import attempts, attributes, leaving, memberships, mine, moments, nesting, people, personal, standing
from colporteur.flow.moderation.telling import owner_address
from colporteur.store.leaving import LeaveRequest, LeaveState
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy, site_policy
from colporteur.store.rights import roles_of
from colporteur.store.segments import Attribute
from colporteur.store.standing import AddressStanding
from colporteur.web.asking import answers, bound
from colporteur.web.asking import ask as ask_for
from colporteur.web.guard import client_of, person_of
from colporteur.web.joining.words import parting
from colporteur.web.memberships.words import delivery_words, ways
from colporteur.web.saying import said
from colporteur.web.signin.forms import Ask

MOST = 500


class Received(NamedTuple):
    """A membership as the page shows it. ``leaving``: how it can be ended; ``asked``: an owner is asked. ``ways``: how it can be received, with words.
    ``through``: by which ways it brings the messages of other lists, too. ``known``: what the list asks, with what was answered."""

    membership: Membership
    leaving: Leaving
    asked: bool
    owner: str
    ways: list[tuple[str, str]]
    through: list[str]
    known: list[forms.BoundField]


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The person's lists, by every address; POST pauses everything until a day, or no more."""
    person = person_of(request)
    addresses = list(person.addresses.all())
    if request.method == "POST":
        if request.POST.get("wish") == "come-back":
            _come_back(request, addresses, person)
        else:
            _pause_all(request, addresses)
        return redirect("my-page")
    roles = roles_of(person).filter(kind__in=(RoleKind.OWNER, RoleKind.MODERATOR)).select_related("list").order_by("list__address")[:MOST]
    kept: dict[str, dict[int, List]] = {RoleKind.OWNER.value: {}, RoleKind.MODERATOR.value: {}}
    for role in roles:
        kept[role.kind].setdefault(role.list_id, role.list)
    context = _received(addresses) | {"owned": kept["owner"].values(), "moderated": [one for pk, one in kept["moderator"].items() if pk not in kept["owner"]]}
    return render(request, "memberships/mine.html", context)


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Pauses, resumes or ends one of one's own memberships."""
    person = person_of(request)
    _change(request, _of(person.addresses.all()), number, person)
    return redirect("my-page")


def ask(request: HttpRequest) -> HttpResponse:
    """Asks for the address and mails the link to its lists; the answer is the same whether the address is on a list or not."""
    form = Ask(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        if attempts.from_client(client_of(request), now):
            mine.send_link(form.cleaned_data["email"], now, (translation.get_language() or "")[:2])
        return render(request, "memberships/mine_sent.html", {"email": form.cleaned_data["email"]})
    return render(request, "memberships/mine_ask.html", {"form": form})


def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The lists of the address a link was mailed to: GET shows, POST acts."""
    address = mine.read(token, timezone.now())
    if address is None:
        return render(request, "memberships/mine_over.html", status=410)
    wish, number = request.POST.get("wish", ""), request.POST.get("number", "")
    if request.method == "POST" and wish == "come-back":
        _come_back(request, [address], address.email)
        return redirect("mine-link", token)
    if request.method == "POST" and wish in ("pause-all", "resume-all"):
        _pause_all(request, [address])
        return redirect("mine-link", token)
    if request.method == "POST" and number.isascii() and number.isdigit() and len(number) < 16:
        _change(request, _of([address]), int(number), address.email)
        return redirect("mine-link", token)
    found = _received([address])
    organisations = {row.membership.list.organisation_id: row.membership.list.organisation for row in found["rows"]}  # type: ignore[attr-defined]
    one = next(iter(organisations.values())) if len(organisations) == 1 else None  # whose look the page has
    return render(request, "memberships/mine_link.html", found | {"email": address.email, "organisation": one})


def _of(addresses: Collection[Address] | QuerySet[Address]) -> QuerySet[Membership]:
    return Membership.objects.filter(address__in=addresses, until__isnull=True).exclude(list__state="deleted").select_related("list__organisation", "list__domain", "address")


def _received(addresses: Collection[Address]) -> dict[str, object]:
    now = timezone.now()
    site = site_policy()
    found_rows = list(_of(addresses).order_by("list__address", "address__email")[:MOST])
    through = nesting.ways([row.list_id for row in found_rows])
    asking = set(Attribute.objects.filter(list__in=[row.list_id for row in found_rows], asked=True).values_list("list_id", flat=True))
    waits = LeaveRequest.objects.filter(list__in=[row.list_id for row in found_rows], address__in=addresses, state=LeaveState.WAITING)
    asked = {(request.list_id, request.address_id): request.asked_at for request in waits}
    rows = [Received(row, (found := policy(row.list, site)).leaving, asked.get((row.list_id, row.address_id), row.since) > row.since, "" if found.leaving.asked_for else owner_address(row.list), ways(row.delivery, found), through.get(row.list_id, []), bound(_answers(row)) if row.list_id in asking else []) for row in found_rows]
    ends = [address.paused_until for address in addresses if address.paused_until and address.paused_until > now]
    troubled = [(row.address.email, standing.in_words(row)) for row in AddressStanding.objects.filter(address__in=addresses, state__gte=Standing.PAUSED.value).select_related("address").order_by("address__email")]
    return {"rows": rows, "troubled": troubled, "paused_until": max(ends, default=None), "today": timezone.localdate(now).isoformat()}


def _answers(row: Membership, data: QueryDict | None = None) -> forms.Form:
    """What the list asks its members, on a form."""
    form = forms.Form(data, prefix=str(row.pk))
    if fields := attributes.asked_of(row.list):
        ask_for(form, fields, attributes.values_of(row.list, [row.address_id]).get(row.address_id), must=False)
    return form


def _change(request: HttpRequest, own: QuerySet[Membership], number: int, by: Person | str) -> None:
    membership = own.filter(pk=number).first()
    if membership is None:
        raise Http404
    list_, now, wish = membership.list, timezone.now(), request.POST.get("wish", "")
    name = list_.title or list_.address
    if wish == "leave":
        outcome = leaving.ask(list_, membership.address, now, by=by, sure=leaving.Sure.SAID)
        title, sentence = parting(outcome, list_, membership.address.email)
        (messages.success if outcome in (leaving.Outcome.LEFT, leaving.Outcome.WAITING) else messages.warning)(request, _("You left the list %(name)s.") % {"name": name} if outcome is leaving.Outcome.LEFT else f"{title}. {sentence}")
    elif wish == "delivery":
        try:
            personal.receive(membership, request.POST.get("delivery", ""), now, by=by)
        except ValueError as error:
            messages.error(request, said(error)[:1].upper() + said(error)[1:] + ".")
            return
        messages.success(request, _("%(name)s: from now on you receive: %(way)s.") % {"name": name, "way": delivery_words(request.POST["delivery"])})
    elif wish == "answers":
        form = _answers(membership, request.POST)
        if not form.is_valid():
            messages.error(request, f"{name}: " + " ".join(str(fault) for faults in form.errors.values() for fault in faults))
            return
        attributes.write(list_, membership.address, answers(form), now, by=by, own=True)
        messages.success(request, _("%(name)s: your answers are kept.") % {"name": name})
    elif wish in ("pause", "resume"):
        memberships.pause(list_, [membership.address.email], now, by=by, paused=wish == "pause")
        messages.success(request, (_("%(name)s: paused. You stay on the list.") if wish == "pause" else _("%(name)s: you receive again.")) % {"name": name})


def _come_back(request: HttpRequest, addresses: Collection[Address], by: Person | str) -> None:
    if standing.come_back([address.pk for address in addresses], timezone.now(), by=by):
        messages.success(request, _("Your lists send to you again."))


def _pause_all(request: HttpRequest, addresses: Collection[Address]) -> None:
    day = _day(request.POST.get("until", ""))
    until = timezone.make_aware(datetime.combine(day, time())) if day and request.POST.get("wish") == "pause-all" else None
    try:
        if until is None and request.POST.get("wish") != "resume-all":
            raise ValueError(_("choose a day after today, within two years"))
        people.pause_all(addresses, until, timezone.now())
    except ValueError as error:
        messages.error(request, said(error)[:1].upper() + said(error)[1:] + ".")
        return
    if until:
        messages.success(request, _("Paused: no list sends you anything until %(day)s. You stay on all of them.") % {"day": moments.day(until)})
    else:
        messages.success(request, _("Your lists send to you again."))


def _day(text: str) -> date | None:
    """A day as a date field sends it; None for anything else."""
    try:
        return parse_date(text)
    except ValueError:
        return None
