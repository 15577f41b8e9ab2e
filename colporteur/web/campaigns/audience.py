"""Whom a newsletter is for: lists and segments it goes to, and those it leaves out."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.flow.campaigns import audience, readers, writing
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.memberships import totals
from colporteur.store.people import Person
from colporteur.store.rights import Right, lists_for
from colporteur.store.segments import Segment
from colporteur.web.campaigns.rows import campaign_or_404, draft_or_404
from colporteur.web.campaigns.whose import own_of
from colporteur.web.frame import whole
from colporteur.web.guard import person_of
from colporteur.web.saying import said

MOST = 300
"""Lists one page offers; the newsletter's own is always among them."""


class Choice(NamedTuple):
    """A list, or a segment of one, as the page offers it. ``chosen``: "to", "out" or ""."""

    name: str
    label: str
    of: str
    members: int | None
    chosen: str


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """Every list and segment the person may write to, with what is chosen; POST chooses."""
    campaign, person = draft_or_404(request, number), person_of(request)
    offered = _offered(campaign, person)
    fault = ""
    if request.method == "POST":
        to = [one for key, one in offered.items() if request.POST.get(key) == "to"]
        out = [one for key, one in offered.items() if request.POST.get(key) == "out"]
        try:
            writing.address_to(campaign.pk, whole(request.POST.get("version")) or 0, timezone.now(), person, to=to, left_out=out)
        except ValueError as error:
            fault = said(error)
        else:
            messages.success(request, _("Saved."))
            return redirect("campaign-audience", campaign.pk)
    context = {"campaign": campaign, "choices": _choices(campaign, offered), "fault": fault, "counted": audience.counted(campaign), "others": _of_others(campaign, person)}
    return render(request, "campaigns/audience.html", context, status=409 if fault else 200)


@login_required
def count(request: HttpRequest, number: int) -> HttpResponse:
    """How many it would reach now, as the editor says it once the page is there."""
    campaign = campaign_or_404(request, number)
    return render(request, "campaigns/counted.html", {"campaign": campaign, "counted": audience.counted(campaign)})


def audience_context(campaign: Campaign) -> dict[str, Any]:
    """What the editor says of the audience: names, without counting anybody."""
    chosen = audience.audience_of(campaign)
    to = [one.title or one.name for one in chosen.lists] + [f"{one.name} ({one.list.title or one.list.name})" for one in chosen.segments]
    out = [one.title or one.name for one in chosen.left_out_lists] + [f"{one.name} ({one.list.title or one.list.name})" for one in chosen.left_out_segments]
    return {"to": to, "left_out": out, "whole": chosen.whole}


def _of_others(campaign: Campaign, person: Person) -> list[str]:
    """Lists that somebody else chose, which this person may not write to."""
    own = own_of(campaign, person)
    return [] if own is None else sorted(List.objects.filter(pk__in=readers.lists_of(campaign)).exclude(pk__in=own).values_list("address", flat=True))


def _offered(campaign: Campaign, person: Person) -> dict[str, List | Segment]:
    lists = lists_for(person, Right.MANAGE).filter(organisation=campaign.list.organisation_id)
    shown = [campaign.list, *lists.exclude(pk=campaign.list_id).order_by("address")[:MOST]]
    found: dict[str, List | Segment] = {}
    segments: dict[int, list[Segment]] = {}
    for segment in Segment.objects.filter(list__in=shown).select_related("list__organisation", "list__domain").order_by("name"):
        segments.setdefault(segment.list_id, []).append(segment)
    for one in shown:
        found[f"list{one.pk}"] = one
        found |= {f"segment{segment.pk}": segment for segment in segments.get(one.pk, [])}
    return found


def _choices(campaign: Campaign, offered: dict[str, List | Segment]) -> list[Choice]:
    rows = campaign.audience.all()
    chosen = {f"list{row.list_id}" if row.list_id else f"segment{row.segment_id}": "out" if row.left_out else "to" for row in rows}
    if not any(value == "to" for value in chosen.values()):
        chosen.setdefault(f"list{campaign.list_id}", "to")
    members = totals([one.pk for one in offered.values() if isinstance(one, List)])
    return [
        Choice(key, one.title or one.name, one.address, members.get(one.pk, 0), chosen.get(key, "")) if isinstance(one, List) else Choice(key, one.name, "", None, chosen.get(key, ""))
        for key, one in offered.items()
    ]  # fmt: skip
