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
from colporteur.store.campaigns import Campaign, CampaignAudience, family, take_turns
from colporteur.store.copies import audience as rows
from colporteur.store.copies.audience import Reach, Written
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Mailing
from colporteur.store.policies import policy
from colporteur.store.segments import Segment, condition
from colporteur.store.tracking import CampaignTotals


class Audience(NamedTuple):
    """What a campaign goes to, and what it leaves out. ``whole``: nothing was chosen, it goes to its own list; never where something
    was chosen that is gone for good (``Campaign.lost``)."""

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
    whole = not lists and not segments and not campaign.lost
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
    whole, others, inside = _with_inner(chosen.lists)
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
    return Reach([*whole, *some], some, " OR ".join(out), bound, others, same_as(campaign), sorted(around), inside)


def pick(campaign: Campaign, mailing: Mailing) -> None:
    """Freeze what segments mean at the moment of the mailing's audience. In the caller's transaction."""
    chosen = audience_of(campaign)
    for left_out, segments in ((False, chosen.segments), (True, chosen.left_out_segments)):
        for segment in segments:
            sql, values = _rule(segment)
            rows.pick(mailing.pk, mailing.audience_at, segment.list_id, sql, values, left_out=left_out)


def frozen(campaign: Campaign) -> dict[str, Any]:
    """By which lists copies come, and of which only who was picked, as the mailing's row keeps it; empty: by the campaign's own list only."""
    return _kept(campaign, reach_of(campaign))


def frozen_again(campaign: Campaign) -> dict[str, Any]:
    """The same for one that is sent again."""
    return _kept(campaign, _reached_again(campaign))


def _kept(campaign: Campaign, reach: Reach) -> dict[str, Any]:
    if list(reach.lists) == [campaign.list_id] and not reach.others:
        return {}
    names = dict(List.objects.filter(pk__in=reach.lists).values_list("pk", "address"))
    return {"paths": _paths(campaign, names), "lists": list(reach.lists), "others": list(reach.others), "some": list(reach.some), "inside": [list(pair) for pair in reach.inside]}


def plan(mailing: Mailing, limit: int, first: int, turns: Sequence[int]) -> tuple[Written, bool]:
    """Write the next copies of a campaign's mailing, and whether there may be more. What follows its sample is held."""
    assert mailing.campaign
    take_turns(mailing.campaign.pk)
    family = earlier(mailing.campaign)
    reach = _sent_to(mailing, family)
    written = rows.plan_audience(
        mailing.pk, mailing.list_id or 0, mailing.planned_to, mailing.audience_at, reach, limit=limit, first=first, turns=turns, priority=mailing.priority, lot=_lot(mailing, reach),
        chosen=mailing.chosen, earlier=[id_ for id_, _at in family if id_ != mailing.pk], since=min((at for id_, at in family if id_ != mailing.pk), default=mailing.audience_at),
    )  # fmt: skip
    return written, written.seen >= limit


def _lot(mailing: Mailing, reach: Reach) -> int | None:
    """Up to which lot addresses are of its sample: drawn once, before the first range; None: all leave at once."""
    if (sample := mailing.nested.get("sample")) and "lot" not in mailing.nested:
        mailing.nested["lot"] = rows.draw(mailing.pk, mailing.audience_at, reach, sample)
    lot: int | None = mailing.nested.get("lot")
    return lot


def forget_picked(mailing: int) -> None:
    """Every copy of a mailing is written."""
    rows.forget_picked(mailing)


def earlier(campaign: Campaign) -> list[tuple[int, datetime]]:
    """The mailings a campaign made for its audience, with the moment of each."""
    return list(Mailing.objects.filter(campaign=campaign, kind=MailingKind.CAMPAIGN).order_by("id").values_list("pk", "audience_at"))


def again(campaign: Campaign, chosen: str, now: datetime) -> tuple[int, list[int]]:
    """How many a campaign sent again would reach, and the first twenty addresses; never who has it, or has it on its way."""
    family = earlier(campaign)
    reach = _reached_again(campaign)
    reach = replace(reach, same=[*reach.same, *(id_ for id_, _at in family)], others=[])
    values = {"chosen": chosen, "earlier": [id_ for id_, _at in family], "since": min((at for _id, at in family), default=now)}
    number = rows.count_audience(now, reach, **values).get(0, 0)  # type: ignore[arg-type]
    return number, rows.first_of_audience(now, reach, **values) if number else []  # type: ignore[arg-type]


def _reached_again(campaign: Campaign) -> Reach:
    """Of the lists its first mailing went to those there still are; of which only some were meant, those of which can be said whom."""
    reach = reach_of(campaign)
    first = Mailing.objects.filter(campaign=campaign, kind=MailingKind.CAMPAIGN).order_by("id").first()
    if first is None:
        return reach
    went, picked = first.nested.get("lists", [campaign.list_id]), _picked_of(first)
    there = {one.pk for one in List.objects.select_related("domain").filter(pk__in=went) if _works(one)}
    lists = [one for one in went if one in there and (one in reach.some or one not in picked)]
    return replace(reach, lists=lists, some={one: rule for one, rule in reach.some.items() if one in lists})


def _sent_to(mailing: Mailing, family: Sequence[tuple[int, datetime]]) -> Reach:
    reach = reach_of(mailing.campaign, mailing.pk)  # type: ignore[arg-type]
    same = [*reach.same, *(id_ for id_, _at in family if id_ < mailing.pk)]
    some = dict.fromkeys(_picked_of(mailing), rows.PICKED)
    return replace(reach, same=same, some=some, lists=mailing.nested.get("lists", [mailing.list_id]), inside=[(inner, outer) for inner, outer in mailing.nested.get("inside", reach.inside)], others=[] if mailing.chosen else mailing.nested.get("others", []))


def _picked_of(mailing: Mailing) -> list[int]:
    """Lists of which only those are meant who were picked: as it was then, whatever was switched off or put inside another since."""
    if "some" in mailing.nested:
        return list(mailing.nested["some"])
    named = CampaignAudience.objects.filter(campaign=mailing.campaign_id, left_out=False)
    return sorted(set(named.filter(segment__isnull=False).values_list("segment__list_id", flat=True)) - set(named.filter(list__isnull=False).values_list("list_id", flat=True)))


def same_as(campaign: Campaign) -> list[int]:
    """Mailings of the same newsletter for other audiences: of what this one is a copy of, and of copies that say so."""
    found = Mailing.objects.filter(campaign__in=family(campaign.pk), kind=MailingKind.CAMPAIGN)
    return sorted(set(found.exclude(state=MailingState.CANCELLED, started__isnull=True).values_list("pk", flat=True)))


def unknown(campaign: Campaign) -> bool:
    """Whether the same newsletter went to somebody, and nobody can tell any more to whom: its details are gone."""
    return CampaignTotals.objects.filter(campaign__in=family(campaign.pk)).exists()


def _works(list_: List) -> bool:
    return list_.state == ListState.ACTIVE and (list_.domain is None or list_.domain.enabled)


def _with_inner(lists: Sequence[List]) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """The lists and those inside them, in order, addresses that receive by a role on one of them, and (inner, outer) for each list that
    is reached only inside another."""
    found: dict[int, None] = {}
    others: set[int] = set()
    inside: list[tuple[int, int]] = []
    chosen = {one.pk for one in lists}
    for one in lists:
        held = nesting.frozen(one, policy(one))
        found |= dict.fromkeys(held.get("lists", [one.pk]))
        others.update(held.get("others", []))
        inside += [(inner, one.pk) for inner in held.get("lists", []) if inner not in chosen]
    return list(found), sorted(others), inside


def _paths(campaign: Campaign, names: Mapping[int, str]) -> dict[str, str]:
    """List -> how a copy comes by it, as "team > board"."""
    paths = {str(id_): name.partition("@")[0] for id_, name in names.items() if id_ != campaign.list_id}
    for one in audience_of(campaign).lists:
        paths |= nesting.frozen(one, policy(one)).get("paths", {})
    return paths


def _rule(segment: Segment) -> tuple[str, dict[str, Any]]:
    return condition(segment.rule, "m", prefix=f"segment{segment.pk}")
