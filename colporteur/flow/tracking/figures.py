"""What became of a newsletter, in figures: from its details while they are kept, from its totals for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from colporteur.domain.campaigns import CampaignState, Tracking
from colporteur.domain.mailings import MailingKind
from colporteur.domain.tracking import FEWEST, Hit, Range, Why
from colporteur.flow.tracking.links import mode
from colporteur.store import copies, statistics
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Mailing
from colporteur.store.statistics import Fates
from colporteur.store.tracking import CampaignTotals, Counted, Link, NamedHit, sums

WEEK = 7 * 24
COMPARED = 8
"""Newsletters of the list that are compared."""


class Followed(NamedTuple):
    """A link with how often readers followed it, and programs."""

    url: str
    words: str
    readers: int
    programs: int


class Destination(NamedTuple):
    """People at one domain."""

    domain: str
    total: int
    received: int
    failed: int


@dataclass(frozen=True)
class Figures:
    """``opened``, ``clicked``: how often, not by how many: nobody is told from anybody. ``shown``: there are enough recipients to
    show these. ``hours``: openings by readers, summed up, hour after hour of the first week. ``named``: people known to have
    opened it, because they agreed. ``purged``: since when only totals are left."""

    mode: Tracking
    fates: Fates
    shown: bool
    opened: Range
    clicked: Range
    left: int
    complaints: int
    hours: list[int]
    links: list[Followed]
    causes: list[tuple[str, int]]
    programs: dict[Why, int]
    named: int
    started: datetime | None
    purged: datetime | None


def mailings_of(campaign: Campaign) -> list[int]:
    """Its mailings: to the audience, and again to some; tests and single copies are none."""
    return list(Mailing.objects.filter(campaign=campaign, kind=MailingKind.CAMPAIGN).order_by("id").values_list("id", flat=True))


def figures(campaign: Campaign) -> Figures:
    """Everything the page of a newsletter says, but for destinations. In a fixed number of questions."""
    kept, numbers = CampaignTotals.objects.filter(campaign=campaign).first(), mailings_of(campaign)
    found, how = sums(campaign.pk), mode(campaign)
    values = kept.values if kept else details(numbers)
    fates = Fates(*values["fates"])
    shown = how is not Tracking.OFF and fates.total >= FEWEST
    return Figures(
        mode=how, fates=fates, shown=shown, opened=_range(found, Hit.OPENED), clicked=_range(found, Hit.CLICKED), left=sum(one.n for one in found if one.what == Hit.LEFT),
        complaints=values["complaints"], hours=_hours(found, _began(campaign)), links=_links(campaign, found), causes=[(reason, n) for reason, n in values["causes"]],
        programs={who: n for who in Why if who is not Why.READER and (n := sum(one.n for one in found if one.who == who))},
        named=values.get("named", 0) or NamedHit.objects.filter(campaign=campaign, link=0).count(), started=_began(campaign), purged=kept.at if kept else None,
    )  # fmt: skip


def details(numbers: Sequence[int]) -> dict[str, Any]:
    """What only the details of these mailings tell, as JSON."""
    return {"fates": list(statistics.fates(numbers)), "complaints": statistics.complaints(numbers), "causes": [list(one) for one in statistics.causes(numbers)]}


def destinations(campaign: Campaign) -> list[Destination]:
    """By the domain of the addresses, the largest first. Reads every copy while there are any."""
    kept = CampaignTotals.objects.filter(campaign=campaign).first()
    return [Destination(*one) for one in (kept.values["destinations"] if kept else statistics.destinations(mailings_of(campaign)))]


def before(campaign: Campaign) -> Campaign | None:
    """The newsletter its list sent last before this one."""
    began = _began(campaign)
    return _sent(campaign).filter(mailing__started__lt=began).exclude(pk=campaign.pk).order_by("-mailing__started").first() if began else None


def hours_of(campaign: Campaign) -> list[int]:
    """Openings by readers, summed up, hour after hour of the first week; as far as they may be shown."""
    if sum(count.total for count in copies.counts(mailings_of(campaign)).values()) < FEWEST:
        return []
    return _hours(sums(campaign.pk), _began(campaign))


class Compared(NamedTuple):
    """A line of the comparison. ``opened``, ``clicked``: None where they are not shown."""

    campaign: Campaign
    total: int
    received: int
    opened: Range | None
    clicked: int | None
    left: int


def compared(campaign: Campaign) -> list[Compared]:
    """The last newsletters of the list, the newest first."""
    found = list(_sent(campaign).filter(mailing__started__isnull=False).order_by("-mailing__started")[:COMPARED])
    numbers = dict(Mailing.objects.filter(campaign__in=found, kind=MailingKind.CAMPAIGN).values_list("id", "campaign_id"))
    counted, back = copies.counts(list(numbers)), statistics.came_back(list(numbers))
    kept = {row.campaign_id: Fates(*row.values["fates"]) for row in CampaignTotals.objects.filter(campaign__in=found)}
    total, received, hits = Counter[int](), Counter[int](), Counter[tuple[int, int, int]]()
    for number, of in numbers.items():
        total[of] += counted[number].total if number in counted else 0
        received[of] += (counted[number].sent if number in counted else 0) - back.get(number, 0)
    for of, what, who, n in statistics.hits_of([one.pk for one in found]):
        hits[of, what, who] += n
    return [_compared(one, kept.get(one.pk) or Fates(total[one.pk], received[one.pk]), hits) for one in found]


def growth(campaign: Campaign, now: datetime) -> list[tuple[datetime, int]]:
    """Members of its list at the beginning of each of the last twelve months, and now."""
    month, moments = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), [now]
    for _one in range(12):
        moments.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return statistics.growth(campaign.list_id, sorted(moments))


# --- how ---


def _sent(campaign: Campaign) -> Any:
    return Campaign.objects.select_related("mailing", "list").filter(list=campaign.list_id, state=CampaignState.STARTED, mailing__isnull=False)


def _began(campaign: Campaign) -> datetime | None:
    return campaign.mailing.started if campaign.mailing else None


def _range(found: Sequence[Counted], what: Hit) -> Range:
    sure = sum(one.n for one in found if one.what == what and one.who == Why.READER)
    return Range(sure, sure + sum(one.n for one in found if one.what == what and one.who == Why.PREFETCH))


def _hours(found: Sequence[Counted], began: datetime | None) -> list[int]:
    if began is None:
        return []
    each = [0] * WEEK
    first = began.replace(minute=0, second=0, microsecond=0)
    for one in found:
        place = int((one.hour - first).total_seconds() // 3600)
        if one.what == Hit.OPENED and one.who == Why.READER and 0 <= place < WEEK:
            each[place] += one.n
    total, answer = 0, []
    for n in each:
        total += n
        answer.append(total)
    return answer


def _links(campaign: Campaign, found: Sequence[Counted]) -> list[Followed]:
    readers, programs = Counter[int](), Counter[int]()
    for one in found:
        if one.what == Hit.CLICKED:
            (readers if one.who == Why.READER else programs)[one.link] += one.n
    rows = [Followed(link.url, link.words, readers[link.pk], programs[link.pk]) for link in Link.objects.filter(campaign=campaign).order_by("id")]
    return sorted(rows, key=lambda row: -row.readers)


def _compared(one: Campaign, fates: Fates, hits: Counter[tuple[int, int, int]]) -> Compared:
    sure, maybe = hits[one.pk, Hit.OPENED, Why.READER], hits[one.pk, Hit.OPENED, Why.PREFETCH]
    shown = fates.total >= FEWEST and mode(one) is not Tracking.OFF
    return Compared(one, fates.total, fates.received, Range(sure, sure + maybe) if shown else None, hits[one.pk, Hit.CLICKED, Why.READER] if shown else None, hits[one.pk, Hit.LEFT, Why.READER])
