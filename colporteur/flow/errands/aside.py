"""Errands set aside because they could not be processed: owners and administrators are told, and have them tried again or thrown away."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy

from colporteur.flow import letters
from colporteur.flow.moderation.telling import alerted
from colporteur.mail.parse import skim
from colporteur.store import jobs, journal
from colporteur.store.arrivals import Errand, ErrandState

log = logging.getLogger("colporteur.errands")
mail = logging.getLogger("colporteur.mail")


def quarantine(id_: int, error: str, now: datetime) -> bool:
    """Set aside an errand that cannot be processed, and tell who looks after it; False when it moved on."""
    with transaction.atomic():
        if not Errand.objects.filter(pk=id_, state=ErrandState.RECEIVED).update(state=ErrandState.QUARANTINED, error=error, next_try=None):
            return False
        errand = Errand.objects.select_related("arrival", "list__organisation", "list__domain").get(pk=id_)
        _write("errand.quarantined", errand, now, error=error)
        mail.error("errand-quarantined errand=%s recipient=%s error=%s", id_, errand.recipient, error)
    try:
        with transaction.atomic():
            _tell(errand, now)
    except Exception:  # being set aside matters more than the letter about it
        log.exception("nobody told of quarantined errand=%s", id_)
    return True


@transaction.atomic
def retry(id_: int, now: datetime, by: str) -> bool:
    """Process a quarantined errand again; False when it is not quarantined any more."""
    if not Errand.objects.filter(pk=id_, state=ErrandState.QUARANTINED).update(state=ErrandState.RECEIVED, attempts=0, next_try=None, error=""):
        return False
    _write("errand.retried", Errand.objects.select_related("list").get(pk=id_), now, by=by)
    jobs.wake(jobs.Wake.ERRANDS)
    return True


@transaction.atomic
def discard(id_: int, now: datetime, by: str) -> bool:
    """Throw a quarantined errand away; False when it is not quarantined any more."""
    if not Errand.objects.filter(pk=id_, state=ErrandState.QUARANTINED).update(state=ErrandState.DISCARDED):
        return False
    _write("errand.discarded", Errand.objects.select_related("list").get(pk=id_), now, by=by)
    return True


def _write(event: str, errand: Errand, now: datetime, **values: Any) -> None:
    organisation = errand.list.organisation_id if errand.list else None
    journal.write(event, now, organisation=organisation, list=errand.list_id, recipient=errand.recipient, **values)


def _tell(errand: Errand, now: datetime) -> None:
    sender, subject = _skimmed(errand)
    fields = {
        "list": errand.recipient,
        "title": (errand.list.title or errand.list.address) if errand.list else errand.recipient,
        "subject": subject or gettext_lazy("(no subject)"),
        "sender": sender or gettext_lazy("unknown"),
        "received": errand.received_at,
        "error": errand.error,
        "link": f"{settings.BASE_URL}/lists/{errand.list_id}/activity" if errand.list else f"{settings.BASE_URL}/errands/",
    }
    for to in alerted(errand.list):
        letters.send("quarantined", to, now, list_=errand.list, fields=fields)


def _skimmed(errand: Errand) -> tuple[str, str]:
    """Sender and subject as far as they can be read: what could not be processed may well be unreadable, too."""
    try:
        found = skim(bytes(errand.arrival.blob.raw))
    except Exception:
        log.warning("errand unreadable id=%s", errand.pk, exc_info=True)
        return errand.arrival.mail_from, ""
    return found.sender.email if found.sender else errand.arrival.mail_from, found.subject
