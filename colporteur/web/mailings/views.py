"""Sending: every mailing, and one with its progress, figures and copies."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from colporteur.domain.addresses import is_address
from colporteur.domain.mailings import CopyState, MailingKind, MailingState, Pace
from colporteur.flow import campaigns, mailings, resending, routes
from colporteur.flow.resending import Whom
from colporteur.flow.tracking import pages
from colporteur.store import buckets
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Copy, CopyRow, Mailing, Refusal
from colporteur.store.people import Address
from colporteur.store.rights import Right, lists_for
from colporteur.web.campaigns.whose import on, own_of_mailing
from colporteur.web.frame import copies_or_percent, page_by, whole
from colporteur.web.guard import person_of
from colporteur.web.journal import told
from colporteur.web.mailings.failures import as_csv
from colporteur.web.mailings.fates import fate
from colporteur.web.saying import said
from colporteur.web.templatetags.look import decimal, thousands

OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)
COPIES = 50
DESTINATIONS = 6


def _mine(request: HttpRequest) -> QuerySet[Mailing]:
    """Mailings of lists the person manages; an administrator's also the letters of no list."""
    person = person_of(request)
    found = Mailing.objects.select_related("list", "transport")
    return found if person.is_admin else found.filter(list__in=lists_for(person, Right.MANAGE))


def _mailing(request: HttpRequest, number: int) -> Mailing:
    found = _mine(request).filter(pk=number).first()
    if found is None:
        raise Http404
    return found


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Mailings, newest first: messages of lists, newsletters, or letters."""
    if not person_of(request).is_admin and not lists_for(person_of(request), Right.MANAGE).exists():
        raise Http404
    wish = request.GET.get("kind", "")
    kind = MailingKind(wish) if wish in (MailingKind.LETTER, MailingKind.CAMPAIGN) else MailingKind.POST
    found = _mine(request).filter(kind__in=[MailingKind.POST, MailingKind.DIGEST] if kind is MailingKind.POST else [kind]).order_by("-pk")
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk", 30)
    counted = mailings.totals_of([mailing.pk for mailing in page.rows], timezone.now())
    rows = [(mailing, counted[mailing.pk]) for mailing in page.rows]
    return render(request, "mailings/index.html", {"rows": rows, "next": page.next, "kind": kind.value})


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One mailing with its copies, searched by the beginning of an address."""
    mailing = _mailing(request, number)
    context = _progress(mailing) | _copies(request, mailing) | {"ways": mailings.by_transport(mailing.pk), "paces": _paces(), "held": _sample_waits(mailing), "per_day": buckets.limit_of_mailing(mailing.pk), "public_page": _public_page(mailing)}
    if request.GET.get("destinations"):  # counted on demand: it reads every copy
        context |= _destinations(mailing)
    return render(request, "mailings/one.html", context)


def _progress(mailing: Mailing) -> dict[str, Any]:
    now = timezone.now()
    totals = mailings.totals(mailing.pk, now)
    done = totals.sent + totals.failed + totals.cancelled
    tried = totals.sent + totals.failed
    return {
        "mailing": mailing, "totals": totals, "open": mailing.state in OPEN, "moving": mailing.state in (MailingState.PLANNED, MailingState.RUNNING),
        "percent": 100 * done // totals.total if totals.total else 0,
        "per_minute": round(totals.rate_per_s * 60),
        "refused": decimal(100 * totals.failed / tried) if tried else "0",
        "lasted": (mailing.finished - mailing.started).total_seconds() if mailing.finished and mailing.started else None,
        "waits_for": routes.waits_for(mailing) if mailing.state == MailingState.RUNNING else [],
        "entries": told(JournalEntry.objects.filter(mailing_id=mailing.pk).order_by("-pk")[:50]),
    }  # fmt: skip


def _copies(request: HttpRequest, mailing: Mailing) -> dict[str, Any]:
    wanted = request.GET.get("q", "").strip().lower()[:320]
    state = whole(request.GET.get("state"))
    found = Copy.objects.filter(mailing=mailing).select_related("address").order_by("address_id")
    own = own_of_mailing(mailing, person_of(request))
    asked = fate(mailing, wanted, own) if is_address(wanted) else None
    if own is not None:
        found = found.filter(address__in=on(own, mailing.audience_at))
    if wanted:
        found = found.filter(address__in=Address.objects.filter(email__startswith=wanted))
    if state is not None and state in list(CopyState):
        found = found.filter(state=state)
        if state in (CopyState.DEFERRED, CopyState.FAILED):  # their rows say so themselves, and are few: found without walking a million others
            found = found.filter(address__in=CopyRow.objects.filter(mailing=mailing, state__in=(CopyState.DEFERRED, CopyState.FAILED)).values("address"))
    if after := whole(request.GET.get("after")):
        found = found.filter(address_id__gt=after)
    page = page_by(found, "address_id", COPIES)
    refusals: dict[int, Refusal] = {}
    for refusal in Refusal.objects.filter(mailing_id=mailing.pk, address_id__in=[copy.address_id for copy in page.rows]).order_by("pk"):
        refusals[refusal.address_id] = refusal
    words = {CopyState.SENT: _("Delivered"), CopyState.FAILED: _("Refused"), CopyState.DEFERRED: _("Deferred"), CopyState.QUEUED: _("To leave")}
    states = [("", _("All")), *((str(int(one)), label) for one, label in words.items())]
    return {"copies": [(copy, refusals.get(copy.address_id)) for copy in page.rows], "next": page.next, "q": wanted, "state": state, "states": states, "fate": asked, "partly": own is not None}


@login_required
def failed(request: HttpRequest, number: int) -> StreamingHttpResponse:
    """Refused and deferred copies with the reasons, as CSV."""
    mailing = _mailing(request, number)
    return as_csv(mailing, own_of_mailing(mailing, person_of(request)))


def _public_page(mailing: Mailing) -> str:
    """Where anybody reads the newsletter, "" when nobody may."""
    campaign = mailing.campaign
    return pages.page_of(campaign) if campaign and campaign.public and campaign.mailing_id == mailing.pk else ""


def _sample_waits(mailing: Mailing) -> bool:
    """Whether everybody but a sample waits."""
    return bool(mailing.state in OPEN and mailing.campaign and mailing.campaign.mailing_id == mailing.pk and mailing.campaign.sample and not mailing.campaign.released_at)


def _paces() -> list[tuple[str, str]]:
    return [(Pace.USUAL, _("As usual")), (Pace.FAST, _("Fast")), (Pace.EVEN, _("Evenly"))]


def _destinations(mailing: Mailing) -> dict[str, Any]:
    counted = mailings.destinations(mailing.pk)
    shown, others = counted[:DESTINATIONS], counted[DESTINATIONS:]
    rest = mailings.Totals(*(sum(getattr(totals, name) for _domain, totals in others) for name in ("total", "queued", "sent", "deferred", "failed", "cancelled")))
    words = ngettext("%(n)s other domain", "%(n)s other domains", len(others)) % {"n": thousands(len(others))}
    return {"destinations": shown + ([(words, rest)] if others else [])}


@login_required
def progress(request: HttpRequest, number: int) -> HttpResponse:
    """The part of one mailing's page that refreshes itself every two seconds."""
    return render(request, "mailings/progress.html", _progress(_mailing(request, number)))


@login_required
def line(request: HttpRequest, number: int) -> HttpResponse:
    """The line of the home page that refreshes itself every two seconds."""
    mailing = _mailing(request, number)
    return render(request, "look/progress.html", {"mailing": mailing, "totals": mailings.totals(mailing.pk, timezone.now())})


@require_POST
@login_required
def move(request: HttpRequest, number: int) -> HttpResponse:
    """Pauses, resumes, or changes the pace or how many copies leave a day."""
    mailing, now, person = _mailing(request, number), timezone.now(), person_of(request)
    wish = request.POST.get("move", "")
    if wish == "per_day":
        return _per_day(request, mailing)
    if wish == "pause" and mailings.pause(mailing.pk, now, str(person), actor=person.pk):
        messages.success(request, _("The sending is paused. What has not left stays in the queue."))
    elif wish in list(Pace) and mailings.set_pace(mailing.pk, Pace(wish), now, str(person), actor=person.pk):
        messages.success(request, _("The pace is changed for what has not left."))
    elif wish == "resume" and mailings.resume(mailing.pk, now, str(person), actor=person.pk):
        messages.success(request, _("The sending goes on."))
    else:
        messages.warning(request, _("Nothing changed: somebody was faster, or the sending is finished."))
    return redirect("home") if request.POST.get("back") == "home" else redirect("mailing", mailing.pk)


def _per_day(request: HttpRequest, mailing: Mailing) -> HttpResponse:
    """Changes how many copies leave a day."""
    try:
        changed = campaigns.set_per_day(mailing.pk, copies_or_percent(request, "per_day"), timezone.now(), person_of(request))
    except ValueError as error:
        messages.error(request, said(error))
    else:
        messages.success(request, _("The copies a day are changed for what has not left.")) if changed else messages.warning(request, _("Nothing changed: it was so already, or the sending is finished."))
    return redirect("mailing", mailing.pk)


@login_required
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Counts and asks, then sends a message again to those who have no copy of it."""
    mailing, now, person = _mailing(request, number), timezone.now(), person_of(request)
    wish = request.POST.get("whom", "") if request.method == "POST" else request.GET.get("whom", "")
    whom = Whom.NEW if wish == Whom.NEW else Whom.FAILED
    preview, fault = None, ""
    try:
        if request.method == "POST":
            found = resending.resend(mailing, Whom.UNKNOWN if whom is Whom.FAILED and request.POST.get("unknown") else whom, now, by=person)
            messages.success(request, _("It is on its way.") if found.made else _("It was on its way already."))
            return redirect("mailing", found.mailing.pk)
        preview = resending.preview(mailing, whom, now, by=person)
    except ValueError as error:
        fault = said(error)
    return render(request, "mailings/again.html", {"mailing": mailing, "whom": whom.value, "preview": preview, "fault": fault})


@login_required
def abandon(request: HttpRequest, number: int) -> HttpResponse:
    """Asks, then gives up the copies that have not left."""
    mailing, now, person = _mailing(request, number), timezone.now(), person_of(request)
    if request.method == "POST":
        if mailings.cancel(mailing.pk, now, str(person), actor=person.pk):
            messages.success(request, _("The sending is abandoned. What was delivered cannot be taken back."))
        else:
            messages.warning(request, _("Nothing changed: the sending is finished."))
        return redirect("mailing", mailing.pk)
    if mailing.state not in OPEN:
        return redirect("mailing", mailing.pk)
    return render(request, "mailings/abandon.html", {"mailing": mailing, "totals": mailings.totals(mailing.pk, now)})
