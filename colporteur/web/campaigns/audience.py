"""Whom a newsletter is for: lists and segments it goes to, and those it leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.flow.campaigns import audience, readers, writing
from colporteur.flow.segments import counted
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

SHOWN = 30
"""Lists one page offers beside those that are chosen; others are found by the beginning of their address or name."""
COUNTED = 200_000
"""Members of the lists whose segments one page counts, each segment reckoned with a twentieth of it at least: so many take a second."""
_KEY = re.compile(r"(list|segment)[0-9]{1,18}", re.ASCII)


class Choice(NamedTuple):
    """A list, or a segment of one, as the page offers it. ``members``: None when it was not counted, which the page ``where`` does. ``chosen``: "to",
    "out" or ""."""

    name: str
    label: str
    of: str
    members: int | None
    chosen: str
    where: str = ""


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    """What is chosen, and lists and segments the person may write to; POST chooses, or finds more and keeps what was ticked meanwhile."""
    campaign, person = draft_or_404(request, number), person_of(request)
    posted, fault = request.method == "POST", ""
    chosen = {key: value for key, value in request.POST.items() if _KEY.fullmatch(key) and value in ("to", "out")} if posted else _saved(campaign)
    if posted and request.POST.get("do") != "find":
        things = _things(campaign, person, chosen)
        to, out = ([one for key, one in things.items() if chosen[key] == wish] for wish in ("to", "out"))
        try:
            writing.address_to(campaign.pk, whole(request.POST.get("version")) or 0, timezone.now(), person, to=to, left_out=out)
        except ValueError as error:
            fault = said(error)
        else:
            messages.success(request, _("Saved."))
            return redirect("campaign-audience", campaign.pk)
    wanted = request.POST.get("q", "").replace("\x00", "").strip().lower()[:320]
    lists, more = _offered(campaign, person, chosen, wanted)
    context = {
        "campaign": campaign, "version": request.POST.get("version", campaign.version), "choices": _choices(lists, chosen), "fault": fault, "counted": audience.counted(campaign),
        "others": _of_others(campaign, person), "stays": sorted(one.address for one in writing.left_out_by_others(campaign, person)), "q": wanted, "more": more, "missed": bool(wanted) and not any(one.address.startswith(wanted) or one.title.lower().startswith(wanted) for one in lists),
    }  # fmt: skip
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


def _saved(campaign: Campaign) -> dict[str, str]:
    """What is chosen, by the names of the form; of nothing its own list."""
    chosen = {f"list{row.list_id}" if row.list_id else f"segment{row.segment_id}": "out" if row.left_out else "to" for row in campaign.audience.order_by("id")}
    if not campaign.lost and "to" not in chosen.values():
        chosen.setdefault(f"list{campaign.list_id}", "to")
    return chosen


def _mine(campaign: Campaign, person: Person) -> QuerySet[List]:
    return lists_for(person, Right.MANAGE).filter(organisation=campaign.list.organisation_id)


def _things(campaign: Campaign, person: Person, chosen: Iterable[str]) -> dict[str, List | Segment]:
    """Lists and segments by the names of the form, in their order; what is not theirs is none of them."""
    keys = list(chosen)
    lists = _mine(campaign, person)
    found: dict[str, List | Segment] = {f"list{one.pk}": one for one in lists.select_related("organisation", "domain").filter(pk__in=_ids(keys, "list"))}
    found |= {f"segment{one.pk}": one for one in Segment.objects.select_related("list__organisation", "list__domain").filter(pk__in=_ids(keys, "segment"), list__in=lists)}
    return {key: found[key] for key in keys if key in found}


def _ids(keys: Iterable[str], kind: str) -> list[int]:
    return [int(key.removeprefix(kind)) for key in keys if key.startswith(kind)]


def _offered(campaign: Campaign, person: Person, chosen: Iterable[str], wanted: str) -> tuple[list[List], bool]:
    """Its own list, those that are chosen or have a chosen segment, and the next that begin so; whether there are more of these."""
    lists = _mine(campaign, person)
    there = {campaign.list_id, *((one.pk if isinstance(one, List) else one.list_id) for one in _things(campaign, person, chosen).values())}
    found = lists.exclude(pk__in=there).order_by("address")
    if wanted:
        found = found.filter(Q(address__startswith=wanted) | Q(title__istartswith=wanted))
    others = list(found[: SHOWN + 1])
    kept = sorted(lists.filter(pk__in=there), key=lambda one: (one.pk != campaign.list_id, one.address))
    return [*kept, *others[:SHOWN]], len(others) > SHOWN


def _choices(lists: Sequence[List], chosen: Mapping[str, str]) -> list[Choice]:
    """Each list with its segments; segments are counted, the chosen ones first, as far as that is quickly done."""
    members = totals([one.pk for one in lists])
    segments: dict[int, list[Segment]] = {one.pk: [] for one in lists}
    by_id, counts, left = {one.pk: one for one in lists}, dict[int, int](), COUNTED
    for one in sorted(Segment.objects.filter(list__in=lists).order_by("name"), key=lambda one: f"segment{one.pk}" not in chosen):
        segments[one.list_id].append(one)
        if (cost := max(members.get(one.list_id, 0), COUNTED // 20)) <= left:
            counts[one.pk], left = counted(by_id[one.list_id], one), left - cost
    found = []
    for list_ in lists:
        found.append(Choice(f"list{list_.pk}", list_.title or list_.name, list_.address, members.get(list_.pk, 0), chosen.get(f"list{list_.pk}", "")))
        found += [Choice(f"segment{one.pk}", one.name, "", counts.get(one.pk), chosen.get(f"segment{one.pk}", ""), reverse("segment", args=[list_.pk, one.pk])) for one in segments[list_.pk]]
    return found
