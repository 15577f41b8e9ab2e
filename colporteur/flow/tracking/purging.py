"""Details of old newsletters go, their totals stay for ever: written first, in the transaction the first details go in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.flow.organisations import actor
from colporteur.flow.tracking.figures import details, mailings_of
from colporteur.store import copies, journal, statistics, tracking
from colporteur.store.campaigns import Campaign, family
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from colporteur.store.policies import policy
from colporteur.store.tracking import CampaignTotals, NamedHit

log = logging.getLogger("colporteur.lists")

_DESTINATIONS = 200  # further ones are one number
_MONTH = timedelta(days=30.44)


class Going(NamedTuple):
    """A newsletter whose details are due to go, and how many copies that is."""

    campaign: Campaign
    copies: int


def due(now: datetime, list_: List | None = None, months: int | None = None, among: QuerySet[List] | None = None) -> list[Campaign]:
    """Newsletters that ended longer ago than their lists keep details, the oldest first. ``months``: instead of the lists' own;
    ``among``: only of these lists."""
    found = _ended().filter(totals__isnull=True, mailing__finished__lt=now - _MONTH * (months if months is not None else 1))
    if list_:
        found = found.filter(list=list_)
    if among is not None:
        found = found.filter(list__in=among)
    if months is not None:
        return list(found)
    old = list(found.values_list("pk", "list_id", "mailing__finished"))
    keep = {one.pk: _MONTH * policy(one).keep_details for one in List.objects.select_related("organisation", "domain").filter(pk__in={of for _pk, of, _at in old})}
    return list(found.filter(pk__in=[pk for pk, of, at in old if at and at < now - keep[of]]))


def kept_until(campaign: Campaign) -> datetime | None:
    """When its details go by themselves; None while it is under way."""
    finished = campaign.mailing.finished if campaign.mailing else None
    return finished + _MONTH * policy(campaign.list).keep_details if finished else None


def purge_preview(now: datetime, list_: List | None = None, months: int | None = None, among: QuerySet[List] | None = None) -> list[Going]:
    """What ``purge`` would take of what is ``due``, and nothing is changed."""
    found = due(now, list_, months, among)
    numbers = {campaign.pk: mailings_of(campaign) for campaign in found}
    counted = copies.counts([number for several in numbers.values() for number in several])
    return [Going(campaign, sum(counted[number].total for number in numbers[campaign.pk] if number in counted)) for campaign in found]


def purge(campaigns: Sequence[Campaign], now: datetime, *, by: Person | str) -> int:
    """Take the details of these newsletters, for good; how many newsletters. Interrupted, the worker takes the rest."""
    return sum(_purge(campaign, now, by) for campaign in campaigns)


def purge_due(now: datetime) -> int:
    """Purge what is due and what was interrupted; how many newsletters. A worker's round."""
    for row in CampaignTotals.objects.filter(done=False).select_related("campaign"):
        _finish(row.campaign)
    return purge(due(now)[:20], now, by="the worker")


def add_up(_now: datetime) -> int:
    """Fold loose counts; how many. A worker's round."""
    return tracking.fold()


# --- how ---


def _ended() -> QuerySet[Campaign]:
    still = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)
    going = Mailing.objects.filter(state__in=still, kind=MailingKind.CAMPAIGN, campaign__isnull=False)
    running = set(going.values_list("campaign", flat=True))
    for campaign in going.filter(planned=False).values_list("campaign", flat=True):  # who has the same newsletter is still asked
        running |= family(campaign or 0)
    found = Campaign.objects.select_related("mailing", "list__organisation", "list__domain").filter(state=CampaignState.STARTED, mailing__kind=MailingKind.CAMPAIGN, mailing__finished__isnull=False)
    return found.exclude(pk__in=running).defer("source", "text").order_by("mailing__finished", "id")


def _purge(campaign: Campaign, now: datetime, by: Person | str) -> int:
    with transaction.atomic():
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        numbers = mailings_of(campaign)
        if CampaignTotals.objects.filter(campaign=campaign).exists():
            return 0
        found = statistics.destinations(numbers)
        others = found[_DESTINATIONS:]
        rest = (sum(one[1] for one in others), sum(one[2] for one in others), sum(one[3] for one in others))
        values = details(numbers) | {"destinations": [list(one) for one in found[:_DESTINATIONS]] + ([["", *rest]] if rest[0] else []), "named": NamedHit.objects.filter(campaign=campaign, link=0).count()}
        CampaignTotals.objects.create(campaign=campaign, at=now, values=values)
        journal.write("campaign.purged", now, actor=actor(by), organisation=campaign.list.organisation_id, list=campaign.list_id, mailing=campaign.mailing_id, subject=campaign.subject, copies=values["fates"][0])
        tracking.take_details(campaign.pk, numbers)
    _finish(campaign)
    log.info("campaign-purged campaign=%d copies=%d", campaign.pk, values["fates"][0])
    return 1


def _finish(campaign: Campaign) -> None:
    """The ranges that are left, each a transaction of its own."""
    numbers = mailings_of(campaign)
    while tracking.take_details(campaign.pk, numbers):
        pass
    CampaignTotals.objects.filter(campaign=campaign).update(done=True)
