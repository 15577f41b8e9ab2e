"""A newsletter is checked and sent: what stands against it, whom it reaches, by what and until when; at once or at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.domain.mailings import Pace
from colporteur.flow import campaigns
from colporteur.flow.campaigns import preflight
from colporteur.flow.campaigns.preflight import Preflight
from colporteur.store.campaigns import Campaign
from colporteur.store.people import Address, Person
from colporteur.web.campaigns.rows import campaign_or_404, draft_or_404
from colporteur.web.campaigns.whose import on, own_of
from colporteur.web.frame import copies_or_percent, whole
from colporteur.web.guard import person_of
from colporteur.web.saying import said
from colporteur.web.templatetags.look import to_come

PACES = (Pace.USUAL, Pace.FAST, Pace.EVEN)


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Everything worth knowing before it leaves; POST sends, schedules, or takes the time back."""
    campaign, person = campaign_or_404(request, number), person_of(request)
    if campaign.mailing_id:
        return redirect("mailing", campaign.mailing_id)
    fault = ""
    if request.method == "POST":
        try:
            return _act(request, campaign, person)
        except ValueError as error:
            fault = said(error)
            campaign = campaign_or_404(request, number)
            if campaign.mailing_id:  # a second click on the same button
                return redirect("mailing", campaign.mailing_id)
    return render(request, "campaigns/send.html", _context(campaign, person, fault), status=422 if fault else 200)


@login_required
def check(request: HttpRequest, number: int) -> HttpResponse:
    """What stands against it, as far as it is known; the editor and the page of sending ask again while there is more to come."""
    campaign = draft_or_404(request, number)
    return render(request, "campaigns/checked.html", {"campaign": campaign, "checked": _checked(campaign, person_of(request), timezone.now())})


@require_POST
@login_required
def release(request: HttpRequest, number: int) -> HttpResponse:
    """Lets everybody else have it without waiting for the sample."""
    campaign = campaign_or_404(request, number)
    if campaigns.release(campaign, timezone.now(), person_of(request)):
        messages.success(request, _("The others get it now, too."))
    else:
        messages.warning(request, _("Nothing changed: nobody waits for a sample."))
    return redirect("campaign", campaign.pk)


def _act(request: HttpRequest, campaign: Campaign, person: Person) -> HttpResponse:
    """Send, schedule or stay. Raises ``ValueError`` with a sentence."""
    now, wish = timezone.now(), request.POST.get("wish", "")
    if wish == "stay":
        if campaigns.unschedule(campaign.pk, now, person):
            messages.success(request, _("It is a draft again and leaves only when you say so."))
        return redirect("campaign-send", campaign.pk)
    chosen = {"pace": request.POST.get("pace", ""), "sample": copies_or_percent(request, "sample") or 0, "per_day": copies_or_percent(request, "per_day")}
    campaigns.change(campaign.pk, whole(request.POST.get("version")) or 0, now, person, **{name: value for name, value in chosen.items() if name != "pace" or value in PACES})
    if wish == "save":
        messages.success(request, _("Saved."))
        return redirect("campaign-send", campaign.pk)
    at = _moment(request) if wish == "later" else None
    mailing = campaigns.start(campaign.pk, now, person, at=at, untried="untried" in request.POST)
    if mailing is None:
        messages.success(request, _("It leaves %(when)s.") % {"when": to_come(at)})
        return redirect("campaign-send", campaign.pk)
    messages.success(request, _("The newsletter is on its way."))
    return redirect("mailing", mailing.pk)


def _moment(request: HttpRequest) -> datetime:
    """The moment that was written, in the person's time zone. Raises ``ValueError`` with a sentence."""
    try:
        day = datetime.fromisoformat(f"{request.POST.get('day', '')}T{request.POST.get('time', '')}")
    except ValueError:
        raise ValueError(_("write the day and the time, as in 2026-12-05 and 09:00")) from None
    at = timezone.make_aware(day.replace(tzinfo=None))
    if at <= timezone.now():
        raise ValueError(_("this moment is over: choose a later one"))
    return at


def _checked(campaign: Campaign, person: Person, now: datetime) -> Preflight:
    """What stands against it; of readers whose copies cannot be made those are named who are theirs."""
    found, own = preflight.preflight(campaign, now), own_of(campaign, person)
    if own is None or not found.failing:
        return found
    theirs = set(Address.objects.filter(email__in=[one.email for one in found.failing], pk__in=on(own, now)).values_list("email", flat=True))
    return found._replace(failing=tuple(one for one in found.failing if one.email in theirs))


def _context(campaign: Campaign, person: Person, fault: str) -> dict[str, Any]:
    now = timezone.now()
    checked = _checked(campaign, person, now)
    counted = campaigns.counted(campaign, now)
    expected = campaigns.expected(campaign, now, counted.recipients)
    at = timezone.localtime(campaign.send_at) if campaign.send_at else None
    words = {Pace.USUAL: _("As usual"), Pace.FAST: _("Fast"), Pace.EVEN: _("Evenly")}
    return {
        "campaign": campaign, "checked": checked, "counted": counted, "expected": expected, "left_out": sum(n for _words, n in counted.excluded), "fault": fault,
        "day": at.date().isoformat() if at else "", "time": at.strftime("%H:%M") if at else "", "zone": timezone.get_current_timezone_name(), "paces": [(pace.value, words[pace]) for pace in PACES],
    }  # fmt: skip
