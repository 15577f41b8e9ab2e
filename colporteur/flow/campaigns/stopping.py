"""A campaign stops by itself when its failures say that the sender is at fault; its sample lets the rest go, or does not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import InterfaceError, OperationalError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from colporteur.domain.campaigns import CampaignState, at_fault
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.flow.campaigns.sending import language_of, tell_author
from colporteur.flow.campaigns.writing import tell
from colporteur.flow.mailings import resume
from colporteur.store import buckets, copies, standing
from colporteur.store.campaigns import Campaign
from colporteur.store.copies import audience as rows
from colporteur.store.jobs import Wake, wake
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from colporteur.store.policies import policy

log = logging.getLogger("colporteur.mail")
debug = logging.getLogger("colporteur.planning")

_RETRIED = ("failed", "unknown")
"""What is sent again to addresses that failed may fail again: that says nothing new about the sender."""


def judge(mailing_id: int, now: datetime) -> bool:
    """Look at what became of a running campaign's copies so far; True when it was stopped now. What goes wrong here never stops
    delivery."""
    return _alone(lambda: _judge(mailing_id, now), mailing_id)


def _alone(look_at: Callable[[], bool], mailing_id: int) -> bool:
    """One campaign that goes wrong keeps no other waiting."""
    try:
        return look_at()
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        debug.exception("campaign not judged mailing=%d", mailing_id)
        return False


def _judge(mailing_id: int, now: datetime) -> bool:
    mailing = Mailing.objects.select_related("campaign__list__organisation", "campaign__list__domain", "campaign__created_by").get(pk=mailing_id)
    campaign = mailing.campaign
    if mailing.kind != MailingKind.CAMPAIGN or mailing.state != MailingState.RUNNING or mailing.chosen in _RETRIED or campaign is None:
        return False
    values = policy(campaign.list)
    settled, failed = _became(mailing_id)
    before = (campaign.stopped_settled, campaign.stopped_failed) if campaign.mailing_id == mailing_id else (0, 0)
    if not at_fault(settled - before[0], failed - before[1], percent=values.stop_percent, least=values.stop_copies):
        return False
    return _stop(mailing, campaign, (settled, failed), now, lambda: _("%(failed)s of %(settled)s copies failed: the fault may be on our side") % {"failed": failed, "settled": settled})


@transaction.atomic
def halt(mailing_id: int, error: str, now: datetime) -> bool:
    """The message of a campaign cannot be made: it stands until somebody looks. False: it stood already."""
    mailing = Mailing.objects.select_related("campaign__list__organisation", "campaign__list__domain", "campaign__created_by").get(pk=mailing_id)
    return mailing.campaign is not None and _stop(mailing, mailing.campaign, None, now, lambda: _("its copies cannot be made: %(error)s") % {"error": error})


def look(now: datetime) -> int:
    """Campaigns on their way: failures that came back later, samples that have left, limits of what ended; how many changed."""
    running = Mailing.objects.filter(kind=MailingKind.CAMPAIGN, state=MailingState.RUNNING).exclude(campaign=None)
    changed = sum(judge(id_, now) for id_ in running.values_list("pk", flat=True))
    waiting = Campaign.objects.filter(state=CampaignState.STARTED, sample__gt=0, mailing__kind=MailingKind.CAMPAIGN, mailing__state=MailingState.RUNNING, mailing__planned=True).select_related("list__organisation", "list__domain", "mailing", "created_by")
    changed += sum(_alone(partial(_look_at_sample, campaign, now), campaign.mailing_id or 0) for campaign in waiting)
    limited = buckets.limited_mailings()
    ended = set(limited) - set(Mailing.objects.filter(pk__in=limited, state__in=(MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)).values_list("pk", flat=True))
    for id_ in ended:
        buckets.forget_mailing(id_)
    rows.forget_ended()
    return changed


@transaction.atomic
def release(campaign: Campaign, now: datetime, by: Person | str) -> bool:
    """Let the rest of a campaign leave without waiting for its sample; False when nothing waits for it."""
    if campaign.mailing_id is None or not campaign.sample:
        return False
    copies.lock_mailing(campaign.mailing_id)
    Campaign.objects.filter(pk=campaign.pk, released_at=None).update(released_at=now)
    resume(campaign.mailing_id, now, str(by))
    return _release(campaign, now, by)


def _became(mailing_id: int) -> tuple[int, int]:
    """Copies that are settled, and how many of them failed for good or came back."""
    found = copies.counts([mailing_id]).get(mailing_id, copies.Counts())
    return found.sent + found.failed, found.failed + (standing.came_back(mailing_id) if found.sent else 0)


@transaction.atomic
def _stop(mailing: Mailing, campaign: Campaign, became: tuple[int, int] | None, now: datetime, why: Callable[[], str]) -> bool:
    """``became``: copies that were settled, and failed, if it is stopped because of these."""
    with translation.override(language_of(campaign)):
        reason = why()
    if not Mailing.objects.filter(pk=mailing.pk, state__in=(MailingState.PLANNED, MailingState.RUNNING)).update(state=MailingState.PAUSED, pause_reason=reason, resume_at=None):
        return False
    settled, failed = became or (0, 0)
    if became and campaign.mailing_id == mailing.pk:  # whoever lets it go on knows of these
        Campaign.objects.filter(pk=campaign.pk).update(stopped_settled=settled, stopped_failed=failed)
    tell("campaign.stopped", campaign, now, "failures", reason=reason)
    log.warning("campaign-stopped mailing=%d settled=%d failed=%d", mailing.pk, settled, failed)
    tell_author(campaign, now, why, unsent=False)
    return True


@transaction.atomic  # that it is decided, and what: another worker sees both or none, and so does whoever starts after a kill
def _look_at_sample(campaign: Campaign, now: datetime) -> bool:
    assert campaign.mailing
    if campaign.released_at:  # somebody decided, or resumed what the sample had stopped
        return _release(campaign, now, "sample")
    if rows.sample_waits(campaign.mailing.pk):
        return False
    values = policy(campaign.list)
    if campaign.sampled_at is None:
        Campaign.objects.filter(pk=campaign.pk).update(sampled_at=now)
        return True
    if now < campaign.sampled_at + timedelta(minutes=values.sample_minutes):
        return False
    copies.lock_mailing(campaign.mailing.pk)  # before the campaign's row, as everybody does
    settled, failed = _became(campaign.mailing.pk)
    if not Campaign.objects.filter(pk=campaign.pk, released_at=None).update(released_at=now):
        return False
    if failed * 100 > settled * values.sample_percent or not settled:
        return _stop(campaign.mailing, campaign, (settled, failed), now, lambda: _("%(failed)s of the %(settled)s copies sent first failed: the rest waits") % {"failed": failed, "settled": settled})
    return _release(campaign, now, "sample")


def _release(campaign: Campaign, now: datetime, by: Person | str) -> bool:
    if not rows.release_held(campaign.mailing_id or 0):
        return False
    tell("campaign.released", campaign, now, by)
    log.info("sample-released mailing=%d", campaign.mailing_id or 0)
    wake(Wake.DELIVER)
    return True
