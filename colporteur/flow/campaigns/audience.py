"""Whom a campaign is for: lists and segments, included and left out; counted before it is sent, frozen when it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import SKIPPED_WORDS, Skipped
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.flow import nesting
from colporteur.store import copies
from colporteur.store.campaigns import Campaign, CampaignAudience
from colporteur.store.copies import audience as rows
from colporteur.store.copies.audience import HELD, Reach, Written
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Mailing
from colporteur.store.policies import policy
from colporteur.store.segments import Segment, condition


class Audience(NamedTuple):
    """What a campaign goes to, and what it leaves out. ``whole``: nothing was chosen, it goes to its own list."""

    lists: list[List]
    segments: list[Segment]
    left_out_lists: list[List]
    left_out_segments: list[Segment]
    whole: bool


class Counted(NamedTuple):
    """How many get a copy, and how many of its lists do not, with the reason in words of the active language."""

    recipients: int
    excluded: list[tuple[str, int]]


def audience_of(campaign: Campaign) -> Audience:
    """The lists and segments of a campaign. Lists that do not work are left out of what it goes to."""
    found = list(CampaignAudience.objects.filter(campaign=campaign).select_related("list__organisation", "list__domain", "segment__list__organisation", "segment__list__domain").order_by("id"))
    lists = [row.list for row in found if row.list and not row.left_out]
    segments = [row.segment for row in found if row.segment and not row.left_out]
    whole = not lists and not segments
    return Audience(
        [campaign.list] if whole else [one for one in lists if _works(one)], [one for one in segments if _works(one.list)],
        [row.list for row in found if row.list and row.left_out], [row.segment for row in found if row.segment and row.left_out], whole,
    )  # fmt: skip


def counted(campaign: Campaign, now: datetime | None = None) -> Counted:
    """Recipients if it was sent now, or for one that was started: if it was sent again to everybody it was for."""
    found = rows.count_audience(now or timezone.now(), reach_of(campaign))
    return Counted(found.get(0, 0), [(_(SKIPPED_WORDS[why]), found[why]) for why in Skipped if found.get(why)])


def reach_of(campaign: Campaign, mailing: int = 0) -> Reach:
    """What the statements need. ``mailing``: the segments were picked for it; else they are asked now."""
    chosen = audience_of(campaign)
    whole, others = _with_inner(chosen.lists)
    partly: dict[int, list[str]] = {}
    bound: dict[str, Any] = {}
    for segment in chosen.segments:
        if segment.list_id not in whole:
            sql, values = _rule(segment)
            partly.setdefault(segment.list_id, []).append(sql)
            bound |= values
    out = [rows.out_of(one.pk) for one in chosen.left_out_lists]
    for segment in chosen.left_out_segments:
        sql, values = _rule(segment)
        out.append(rows.out_of(segment.list_id, sql))
        bound |= values
    some = {list_: "(" + " OR ".join(rules) + ")" for list_, rules in partly.items()}
    if mailing:
        some, bound = dict.fromkeys(some, rows.PICKED), {}
        out = [rows.out_of(one.pk) for one in chosen.left_out_lists] + ([rows.PICKED_OUT] if chosen.left_out_segments else [])
    around = {campaign.list_id, *(one.pk for one in chosen.lists if len(chosen.lists) == 1)}  # whoever is left out of an outer list is no reader by an inner one
    return Reach([*whole, *some], some, " OR ".join(out), bound, others, same_as(campaign), sorted(around))


def pick(campaign: Campaign, mailing: Mailing) -> None:
    """Freeze what segments mean at the moment of the mailing's audience. In the caller's transaction."""
    chosen = audience_of(campaign)
    for left_out, segments in ((False, chosen.segments), (True, chosen.left_out_segments)):
        for segment in segments:
            sql, values = _rule(segment)
            rows.pick(mailing.pk, mailing.audience_at, segment.list_id, sql, values, left_out=left_out)


def frozen(campaign: Campaign) -> dict[str, Any]:
    """By which lists copies come, and of which only who was picked, as the mailing's row keeps it; empty: by the campaign's own list only."""
    reach = reach_of(campaign)
    if list(reach.lists) == [campaign.list_id] and not reach.others:
        return {}
    names = dict(List.objects.filter(pk__in=reach.lists).values_list("pk", "address"))
    return {"paths": _paths(campaign, names), "lists": list(reach.lists), "others": list(reach.others), "some": list(reach.some)}


def plan(mailing: Mailing, limit: int, first: int, turns: Sequence[int]) -> tuple[Written, bool]:
    """Write the next copies of a campaign's mailing, and whether there may be more. What follows its sample is held."""
    assert mailing.campaign
    family = earlier(mailing.campaign)
    due = None
    if sample := mailing.nested.get("sample", 0):
        left = sample - copies.counts([mailing.pk]).get(mailing.pk, copies.Counts()).total
        limit, due = (min(limit, left), None) if left > 0 else (limit, HELD)
    written = rows.plan_audience(
        mailing.pk, mailing.list_id or 0, mailing.planned_to, mailing.audience_at, _sent_to(mailing, family), limit=limit, first=first, turns=turns, priority=mailing.priority,
        chosen=mailing.chosen, earlier=[id_ for id_, _at in family if id_ != mailing.pk], since=min((at for id_, at in family if id_ != mailing.pk), default=mailing.audience_at), due=due,
    )  # fmt: skip
    return written, written.seen >= limit


def forget_picked(mailing: int) -> None:
    """Every copy of a mailing is written."""
    rows.forget_picked(mailing)


def earlier(campaign: Campaign) -> list[tuple[int, datetime]]:
    """The mailings a campaign made for its audience, with the moment of each."""
    return list(Mailing.objects.filter(campaign=campaign, kind=MailingKind.CAMPAIGN).order_by("id").values_list("pk", "audience_at"))


def again(campaign: Campaign, chosen: str, now: datetime) -> tuple[int, list[int]]:
    """How many a campaign sent again would reach, and the first twenty addresses; never who has it, or has it on its way."""
    family = earlier(campaign)
    reach = reach_of(campaign)
    reach = replace(reach, same=[*reach.same, *(id_ for id_, _at in family)], others=[])
    values = {"chosen": chosen, "earlier": [id_ for id_, _at in family], "since": min((at for _id, at in family), default=now)}
    number = rows.count_audience(now, reach, **values).get(0, 0)  # type: ignore[arg-type]
    return number, rows.first_of_audience(now, reach, **values) if number else []  # type: ignore[arg-type]


def _sent_to(mailing: Mailing, family: Sequence[tuple[int, datetime]]) -> Reach:
    reach = reach_of(mailing.campaign, mailing.pk)  # type: ignore[arg-type]
    same = [*reach.same, *(id_ for id_, _at in family if id_ < mailing.pk)]
    some = dict.fromkeys(_picked_of(mailing), rows.PICKED)
    return replace(reach, same=same, some=some, lists=mailing.nested.get("lists", [mailing.list_id]), others=[] if mailing.chosen else mailing.nested.get("others", []))


def _picked_of(mailing: Mailing) -> list[int]:
    """Lists of which only those are meant who were picked: as it was then, whatever was switched off or put inside another since."""
    if "some" in mailing.nested:
        return list(mailing.nested["some"])
    named = CampaignAudience.objects.filter(campaign=mailing.campaign_id, left_out=False)
    return sorted(set(named.filter(segment__isnull=False).values_list("segment__list_id", flat=True)) - set(named.filter(list__isnull=False).values_list("list_id", flat=True)))


def same_as(campaign: Campaign) -> list[int]:
    """Mailings of the same newsletter for other audiences: of what this one is a copy of, and of its copies that say so."""
    root = campaign.same_as_id
    family = {root} if root else set()
    while root and (root := Campaign.objects.filter(pk=root).values_list("same_as", flat=True).first()) and root not in family:
        family.add(root)
    found = Mailing.objects.filter(campaign__in=family, kind=MailingKind.CAMPAIGN)
    if family:
        found |= Mailing.objects.filter(campaign__same_as__in=family, kind=MailingKind.CAMPAIGN).exclude(campaign=campaign)
    return sorted(set(found.exclude(state=MailingState.CANCELLED, started__isnull=True).values_list("pk", flat=True)))


def _works(list_: List) -> bool:
    return list_.state == ListState.ACTIVE and (list_.domain is None or list_.domain.enabled)


def _with_inner(lists: Sequence[List]) -> tuple[list[int], list[int]]:
    """The lists and those inside them, in order, and addresses that receive by a role on one of them."""
    found: dict[int, None] = {}
    others: set[int] = set()
    for one in lists:
        held = nesting.frozen(one, policy(one))
        found |= dict.fromkeys(held.get("lists", [one.pk]))
        others.update(held.get("others", []))
    return list(found), sorted(others)


def _paths(campaign: Campaign, names: Mapping[int, str]) -> dict[str, str]:
    """List -> how a copy comes by it, as "team > board"."""
    paths = {str(id_): name.partition("@")[0] for id_, name in names.items() if id_ != campaign.list_id}
    for one in audience_of(campaign).lists:
        paths |= nesting.frozen(one, policy(one)).get("paths", {})
    return paths


def _rule(segment: Segment) -> tuple[str, dict[str, Any]]:
    return condition(segment.rule, "m", prefix=f"segment{segment.pk}")
