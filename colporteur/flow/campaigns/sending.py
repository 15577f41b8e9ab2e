"""A campaign is sent: at once or at a time, as a test, to one address; and what it will take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import translation
from django.utils.translation import gettext

from colporteur.domain.addresses import normal
from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingKind, MailingState, Pace, Priority
from colporteur.domain.pacing import Rate
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import letters, limits, mailings, routes
from colporteur.flow.campaigns import audience
from colporteur.flow.campaigns.composing import Composed, composed
from colporteur.flow.campaigns.preflight import Preflight, preflight
from colporteur.flow.campaigns.writing import PER_DAY_MOST, may_write, not_theirs, tell
from colporteur.flow.rewriting import bounces_address
from colporteur.store import buckets, copies
from colporteur.store.arrivals import keep
from colporteur.store.campaigns import Campaign
from colporteur.store.destinations import hosts_of_members
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import ListState, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, Person
from colporteur.store.rights import addresses_of

log = logging.getLogger("colporteur.mail")

TESTS_MOST = 20
"""Addresses a test is sent to at a time."""
AHEAD_MOST = timedelta(days=366)
_OPEN = (CampaignState.DRAFT, CampaignState.SCHEDULED)
DAY = 86400


class Expected(NamedTuple):
    """What sending will take. ``transports``: by name. ``seconds``: at least so long from now, 0: nothing limits it."""

    transports: list[str]
    pace: Pace
    per_day: int | None
    seconds: float
    ends: datetime | None


class _Untried(NamedTuple):
    """Copies that were made for trial so far, of how many."""

    tried: int
    recipients: int


def start(campaign_id: int, now: datetime, by: Person | str, *, at: datetime | None = None, per_day: int | None = None, untried: bool = False) -> Mailing | None:
    """Send a campaign, or (None) schedule it. ``per_day``: at most so many copies in 24 hours, evenly. ``untried``: also while its
    copies are still made for trial. Whoever starts it twice has one mailing.

    Raises ``Invalid``: not theirs, nothing written, nobody to write to, the list does not work, not every copy was tried.
    """
    made = _start(campaign_id, now, by, at, per_day, untried)
    if isinstance(made, _Untried):  # said when the transaction has ended: the trial goes on
        raise Invalid(_("its copies are still made for trial, %(tried)d of %(recipients)d so far: wait until all were, or say that it may leave without"), tried=made.tried, recipients=made.recipients)
    return made


@transaction.atomic
def _start(campaign_id: int, now: datetime, by: Person | str, at: datetime | None, per_day: int | None, untried: bool) -> Mailing | _Untried | None:
    campaign = Campaign.objects.select_for_update(of=("self",)).select_related("list__organisation", "list__domain", "mailing").get(pk=campaign_id)
    if not may_write(by, campaign.list):
        raise Invalid(_("%(list)s is not yours to write to"), list=campaign.list.address)
    if campaign.state == CampaignState.STARTED:
        return campaign.mailing
    if foreign := not_theirs(campaign, by):
        raise Invalid(_("%(list)s is not yours to write to"), list=foreign.address)
    if per_day is not None:
        if not 1 <= per_day <= PER_DAY_MOST:
            raise Invalid(_("a number of copies a day is between 1 and %(most)d"), most=PER_DAY_MOST)
        campaign.per_day = per_day
    _check(campaign)
    found = _checked(campaign, now)
    if found.trying and not untried:
        return _Untried(found.tried, found.recipients)
    if at is None or at <= now:
        return _begin(campaign, found.recipients, now, by)
    if at > now + AHEAD_MOST:
        raise Invalid(_("a newsletter is scheduled for a moment within a year"))
    campaign.state, campaign.send_at, campaign.version = CampaignState.SCHEDULED, at, campaign.version + 1
    campaign.save(update_fields=["state", "send_at", "per_day", "version"])
    tell("campaign.scheduled", campaign, now, by, at=at.isoformat())
    return None


@transaction.atomic
def unschedule(campaign_id: int, now: datetime, by: Person | str) -> bool:
    """A scheduled campaign becomes a draft again; False when it was none any more."""
    campaign = Campaign.objects.select_for_update(of=("self",)).select_related("list").get(pk=campaign_id)
    if campaign.state != CampaignState.SCHEDULED:
        return False
    _back_to_draft(campaign)
    tell("campaign.unscheduled", campaign, now, by)
    return True


def start_due(now: datetime) -> int:
    """Start what is scheduled for now; what cannot be sent becomes a draft again and its author is told. How many were looked at."""
    done = 0
    while (id_ := Campaign.objects.filter(state=CampaignState.SCHEDULED, send_at__lte=now).order_by("send_at", "id").values_list("pk", flat=True).first()) and _start_one(id_, now):
        done += 1
    return done


@transaction.atomic
def _start_one(campaign_id: int, now: datetime) -> bool:
    locked = Campaign.objects.select_for_update(of=("self",), skip_locked=True).select_related("list__organisation", "list__domain", "created_by")
    campaign = locked.filter(pk=campaign_id, state=CampaignState.SCHEDULED).first()
    if campaign is None:
        return False
    try:
        with transaction.atomic(), translation.override(language_of(campaign)):
            _check(campaign)
            _begin(campaign, _checked(campaign, now).recipients, now, "schedule")  # tried when it was scheduled
    except (OperationalError, InterfaceError):
        raise
    except Exception as failure:  # one that cannot be sent, for whatever reason, keeps no other waiting
        error = failure if isinstance(failure, Invalid) else Invalid(_("its copies cannot be made: %(error)s"), error=f"{type(failure).__name__}: {failure}"[:500])
        campaign.refresh_from_db(fields=["state", "mailing", "version", "per_day"])
        _back_to_draft(campaign)
        tell("campaign.unsent", campaign, now, "schedule", reason=str(error))
        tell_author(campaign, now, partial(error.into, gettext), unsent=True)
    return True


def _back_to_draft(campaign: Campaign) -> None:
    campaign.state, campaign.send_at, campaign.version = CampaignState.DRAFT, None, campaign.version + 1
    campaign.save(update_fields=["state", "send_at", "version"])


def tell_author(campaign: Campaign, now: datetime, reason: str | Callable[[], str], *, unsent: bool) -> None:
    """A letter about a campaign that was not sent, or was stopped: to whoever made it, and to the list's owners. ``reason``: in the
    letter's language when it is called."""
    author = Address.objects.select_related("person").filter(email=campaign.created_by.primary_email).first() if campaign.created_by else None
    to = {address.pk: address for address in [*([author] if author and may_write(campaign.created_by or "", campaign.list) else []), *addresses_of(campaign.list, RoleKind.OWNER)]}
    seen: set[int] = set()
    for address in to.values():
        if address.person_id and address.person_id in seen:
            continue
        seen.add(address.person_id or 0)
        fields: dict[str, object] = {"list": campaign.list.address, "title": campaign.list.title or campaign.list.address, "subject": campaign.subject, "reason": reason, "unsent": "yes" if unsent else "", "link": f"{settings.BASE_URL}/newsletters/{campaign.pk}/"}
        letters.send("newsletter", address, now, fields=fields, list_=campaign.list)


def _check(campaign: Campaign) -> None:
    list_ = campaign.list
    if list_.state != ListState.ACTIVE or (list_.domain and not list_.domain.enabled):
        raise Invalid(_("%(list)s is switched off: nothing can be sent"), list=list_.address)
    if not campaign.subject.strip():
        raise Invalid(_("the newsletter has no subject"))
    if not campaign.source.strip() and not (campaign.text or "").strip():
        raise Invalid(_("nothing is written yet"))


def _checked(campaign: Campaign, now: datetime) -> Preflight:
    """What is known of it. Raises ``Invalid`` when the pre-flight found something grave."""
    found = preflight(campaign, now)
    if found.blocked:
        raise Invalid(_("it cannot be sent so: %(reasons)s"), reasons="; ".join(finding.words for finding in found.findings if finding.grave))
    if not found.recipients:
        raise Invalid(_("nobody would receive it: the audience is empty"))
    return found


def _begin(campaign: Campaign, recipients: int, now: datetime, by: Person | str) -> Mailing:
    """The mailing of a campaign: what was written and for whom is frozen. The caller holds the row."""
    nested = audience.frozen(campaign)
    if campaign.sample:
        nested |= {"lists": nested.get("lists", [campaign.list_id]), "others": nested.get("others", []), "paths": nested.get("paths", {}), "sample": max(1, -(-recipients * campaign.sample // 100))}
    mailing = make(campaign, composed(campaign, now), now, nested=nested)
    campaign.state, campaign.mailing, campaign.version = CampaignState.STARTED, mailing, campaign.version + 1
    campaign.save(update_fields=["state", "mailing", "version", "per_day"])
    tell("campaign.started", campaign, now, by, count=recipients)
    log.info("campaign-started campaign=%d mailing=%d list=%s copies=%d", campaign.pk, mailing.pk, campaign.list.address, recipients)
    wake(Wake.PLAN)
    return mailing


def make(campaign: Campaign, message: Composed, now: datetime, *, nested: dict[str, object], chosen: str = "") -> Mailing:
    """The row of a mailing to a campaign's audience, its segments picked. In the caller's transaction; the caller wakes PLAN."""
    transport = mailings.transport_for(campaign.list)
    mailing = Mailing.objects.create(
        kind=MailingKind.CAMPAIGN, campaign=campaign, list=campaign.list, transport=transport, priority=Priority.NEWSLETTER, pace=pace_of(campaign), subject=message.subject,
        language=language_of(campaign), blob_id=keep(message.raw), rewriting=message.rewriting, nested=nested, chosen=chosen, audience_at=now, created=now,
    )  # fmt: skip
    audience.pick(campaign, mailing)
    if campaign.per_day:
        buckets.limit_mailing(mailing.pk, Rate(campaign.per_day, DAY))
    return mailing


def make_again(campaign: Campaign, first: Mailing, chosen: str, now: datetime) -> Mailing:
    """A mailing of what went out then to those who were ``chosen``. In the caller's transaction; the caller wakes PLAN."""
    return make(campaign, Composed(bytes(first.blob.raw), first.rewriting, first.subject), now, nested=audience.frozen_again(campaign), chosen=chosen)


def pace_of(campaign: Campaign) -> Pace:
    """What was chosen; evenly where a number of copies a day was."""
    return Pace.EVEN if campaign.per_day else Pace(campaign.pace)


def language_of(campaign: Campaign) -> str:
    """The campaign's language, else its list's or organisation's."""
    return campaign.language or campaign.list.language or campaign.list.organisation.language


# --- tests and single copies --------------------------------------------------------------------------------------


@transaction.atomic
def test(campaign: Campaign, emails: Sequence[str], now: datetime, by: Person | str) -> list[Mailing]:
    """A copy marked [TEST] to each of these addresses, filled in as for them. Raises ``ValueError`` for what is no address, too many, or
    a campaign that cannot be sent yet."""
    wanted = list(dict.fromkeys(normal(email) for email in emails))
    if not 1 <= len(wanted) <= TESTS_MOST:
        raise Invalid(_("a test goes to between 1 and %(most)d addresses"), most=TESTS_MOST)
    made = _single(campaign, wanted, now, by, test=True)
    tell("campaign.tested", campaign, now, by, emails=", ".join(wanted))
    return made


@transaction.atomic
def send_to(campaign: Campaign, email: str, now: datetime, by: Person | str) -> Mailing:
    """One copy to one address, subscribed or not, its fields filled as far as they are known. Raises ``ValueError``."""
    made = _single(campaign, [normal(email)], now, by, test=False)[0]
    tell("campaign.sent_to", campaign, now, by, email=normal(email))
    return made


def _single(campaign: Campaign, emails: Sequence[str], now: datetime, by: Person | str, *, test: bool) -> list[Mailing]:
    if not may_write(by, campaign.list):
        raise Invalid(_("%(list)s is not yours to write to"), list=campaign.list.address)
    _check(campaign)
    message = composed(campaign, now, test=test)
    transport, blob = mailings.transport_for(campaign.list), keep(message.raw)
    made = []
    for email in emails:
        address, _new = Address.objects.get_or_create(email=email, defaults={"created": now})
        mailing = Mailing.objects.create(
            kind=MailingKind.LETTER, letter="campaign-test" if test else "campaign-copy", campaign=campaign, list=campaign.list, transport=transport, state=MailingState.RUNNING,
            priority=Priority.LETTER, subject=message.subject, language=language_of(campaign), blob_id=blob, rewriting=message.rewriting,
            envelope_sender=bounces_address(campaign.list, transport), audience_at=now, planned=True, created=now, started=now,
        )  # fmt: skip
        copies.write_few(mailing.pk, [address.pk], routes.turn_of(mailing), Priority.LETTER)
        made.append(mailing)
    wake(Wake.DELIVER)
    return made


# --- what it takes --------------------------------------------------------------------------------------------------


def expected(campaign: Campaign, now: datetime, recipients: int | None = None) -> Expected:
    """By what a campaign would leave, how fast, and when it would be done, limits reckoned with."""
    copies_ = audience.counted(campaign, now).recipients if recipients is None else recipients
    pace = pace_of(campaign)
    ways = routes.ways_of(campaign.list, pace)
    lists = audience.reach_of(campaign).lists
    seconds = limits.seconds_of(ways, campaign.list, copies_, Priority.NEWSLETTER, pace=pace, hosts=lambda: hosts_of_members(lists), now=now)
    if campaign.per_day:
        seconds = max(seconds, copies_ * DAY / campaign.per_day)
    return Expected([way.name for way in ways], pace, campaign.per_day, seconds, now + timedelta(seconds=seconds) if ways else None)
