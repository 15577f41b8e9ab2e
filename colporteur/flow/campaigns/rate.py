"""How many copies of a newsletter leave a day, changed while they leave."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from colporteur.domain.mailings import MailingKind, MailingState, Pace
from colporteur.domain.pacing import Rate
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import routes
from colporteur.flow.campaigns.sending import DAY
from colporteur.flow.campaigns.writing import PER_DAY_MOST, tell
from colporteur.store import buckets, copies
from colporteur.store.campaigns import Campaign
from colporteur.store.jobs import Wake, wake
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person

log = logging.getLogger("colporteur.mail")

_OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)


def set_per_day(mailing_id: int, per_day: int | None, now: datetime, by: Person | str) -> bool:
    """From now on at most so many copies of a newsletter's mailing leave in 24 hours, evenly, those that left counted; None: as many as
    limits allow. False: it was so, or the mailing ended. Raises ``Invalid``: no newsletter, or no such number."""
    if per_day is not None and not 1 <= per_day <= PER_DAY_MOST:
        raise Invalid(_("a number of copies a day is between 1 and %(most)d"), most=PER_DAY_MOST)
    return copies.unlocked(lambda: _set_per_day(mailing_id, per_day, now, by))


@transaction.atomic
def _set_per_day(mailing_id: int, per_day: int | None, now: datetime, by: Person | str) -> bool:
    mailing = Mailing.objects.select_for_update(of=("self",)).select_related("campaign__list").get(pk=mailing_id)
    campaign = mailing.campaign
    if campaign is None or mailing.kind != MailingKind.CAMPAIGN:
        raise Invalid(_("only a newsletter has a number of copies a day of its own"))
    before = buckets.limit_of_mailing(mailing_id)
    if mailing.state not in _OPEN or before == per_day:
        return False
    if per_day:
        buckets.limit_mailing(mailing_id, Rate(per_day, DAY))
    else:
        buckets.forget_mailing(mailing_id)
    if campaign.mailing_id == mailing_id:
        Campaign.objects.filter(pk=campaign.pk).update(per_day=per_day)
    pace = Pace.EVEN if per_day else Pace(campaign.pace)
    if mailing.pace != pace:
        Mailing.objects.filter(pk=mailing_id).update(pace=pace)
        routes.share_out(mailing_id)
    buckets.come_back(mailing_id)
    tell("campaign.per_day", campaign, now, by, before=_said(before), after=_said(per_day))
    log.info("campaign-per-day mailing=%d before=%s after=%s by=%s", mailing_id, before or "-", per_day or "-", by)
    wake(Wake.DELIVER)
    return True


def _said(per_day: int | None) -> str:
    return str(per_day) if per_day else "as limits allow"
