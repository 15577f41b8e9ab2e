"""A person's own consent to be named among those who opened or followed something; taking it back works backwards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.store import journal
from colporteur.store.campaigns import Campaign
from colporteur.store.organisations import Organisation
from colporteur.store.people import Address
from colporteur.store.tracking import NamedHit, TrackingConsent

log = logging.getLogger("colporteur.people")


def wording(organisation: Organisation) -> str:
    """What is asked, in the reader's language; the answer keeps it."""
    return _("%(organisation)s may know which newsletters I open and which links I follow. I receive the same newsletters if I do not agree, and I can take it back at any time.") % {"organisation": organisation.name}


def agrees(address: Address, organisation: Organisation) -> bool:
    """Whether it agreed and did not take it back."""
    return TrackingConsent.objects.filter(address=address, organisation=organisation, until__isnull=True).exists()


@transaction.atomic
def agree(address: Address, organisation: Organisation, now: datetime, *, how: str, wording: str, client: str = "") -> bool:
    """Write down that it agreed, when, where (``how``) and to which words. False: it had already."""
    _row, made = TrackingConsent.objects.get_or_create(address=address, organisation=organisation, until=None, defaults={"since": now, "how": how, "wording": wording, "client": client})
    if made:
        journal.write("tracking.agreed", now, organisation=organisation.pk, address=address.pk, email=address.email, how=how)
        log.info("tracking-agreed organisation=%d how=%s", organisation.pk, how)
    return made


@transaction.atomic
def withdraw(address: Address, organisation: Organisation, now: datetime, *, how: str) -> bool:
    """Take it back: what is known of earlier newsletters is forgotten, only their totals stay; links and images in mail already
    sent name nobody any more. False: there was nothing to take back."""
    ended = TrackingConsent.objects.filter(address=address, organisation=organisation, until__isnull=True).update(until=now)
    forgotten = forget([address.pk], organisation)
    if ended:
        journal.write("tracking.withdrawn", now, organisation=organisation.pk, address=address.pk, email=address.email, how=how)
        log.info("tracking-withdrawn organisation=%d how=%s", organisation.pk, how)
    return bool(ended or forgotten)


def forget(addresses: Sequence[int], organisation: Organisation | None = None) -> int:
    """Delete what is known of these addresses (in one organisation); totals were counted apart and stay. How many rows."""
    rows = NamedHit.objects.filter(address__in=addresses)
    if organisation:
        rows = rows.filter(campaign__in=Campaign.objects.filter(list__organisation=organisation))
    return rows.delete()[0] if rows.exists() else 0
