"""A newsletter is tried: a test to chosen people, or one copy to one address, subscribed or not."""

from __future__ import annotations

import re

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.flow.campaigns import sending
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Mailing
from colporteur.web.campaigns.rows import UNSENT, campaign_or_404
from colporteur.web.guard import person_of
from colporteur.web.saying import said

SHOWN = 10


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Asks whom, then sends; what was tried lately stands below."""
    campaign, person = campaign_or_404(request, number), person_of(request)
    fault, wish = "", request.POST.get("wish", "")
    if wish == "test":
        emails = [part for part in re.split(r"[\s,;]+", request.POST.get("emails", "")[:20_000]) if part]
        try:
            made = sending.test(campaign, emails, timezone.now(), person)
        except ValueError as error:
            fault = said(error)
        else:
            messages.success(request, ngettext("The test is on its way to %(n)s address.", "The test is on its way to %(n)s addresses.", len(made)) % {"n": len(made)})
            return redirect("campaign-try", campaign.pk)
    elif wish == "one":
        try:
            sending.send_to(campaign, request.POST.get("email", "").strip(), timezone.now(), person)
        except ValueError as error:
            fault = said(error)
        else:
            messages.success(request, _("A copy is on its way to %(email)s.") % {"email": request.POST["email"].strip()})
            return redirect("campaign-try", campaign.pk)
    context = {
        "campaign": campaign, "fault": fault, "emails": request.POST.get("emails", person.primary_email), "email": request.POST.get("email", ""), "tried": _tried(campaign),
        "unsent": campaign.state in UNSENT, "wish": wish,
    }  # fmt: skip
    return render(request, "campaigns/try.html", context, status=422 if fault else 200)


def _tried(campaign: Campaign) -> list[tuple[Mailing, str]]:
    """The last tests and single copies, with the address each went to."""
    found = list(Mailing.objects.filter(campaign=campaign, letter__in=("campaign-test", "campaign-copy")).order_by("-pk")[:SHOWN])
    return [(one, _address(one)) for one in found]


def _address(mailing: Mailing) -> str:
    return mailing.copy_set.values_list("address__email", flat=True).first() or ""
