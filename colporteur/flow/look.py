"""The logo of an organisation: taken in, given out, taken away. Its colour is among what ``flow.organisations`` changes."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import transaction

from colporteur.flow.organisations import actor
from colporteur.mail import logo
from colporteur.store import journal
from colporteur.store.organisations import Logo, Organisation
from colporteur.store.people import Person


@transaction.atomic
def set_logo(organisation: Organisation, data: bytes, now: datetime, *, by: Person | str) -> None:
    """Take a picture as the logo, in place of the one there is. Raises ``ValueError`` saying what to upload."""
    made = logo.read(data)
    Logo.objects.update_or_create(organisation=organisation, defaults=made._asdict())
    _note(organisation, hashlib.sha256(made.png).hexdigest()[:16], now, by)


@transaction.atomic
def remove_logo(organisation: Organisation, now: datetime, *, by: Person | str) -> bool:
    """No logo any more; False when there was none."""
    if not Logo.objects.filter(organisation=organisation).delete()[0]:
        return False
    _note(organisation, "", now, by)
    return True


def logo_of(number: int, version: str) -> Logo | None:
    """The logo of an organisation if it is still this one."""
    return Logo.objects.filter(organisation=number, organisation__logo=version).first() if version else None


def _note(organisation: Organisation, version: str, now: datetime, by: Person | str) -> None:
    organisation.logo = version
    organisation.save(update_fields=["logo"])
    journal.write("organisation.changed", now, actor=actor(by), organisation=organisation.pk, by=str(by), change=f"logo: {version or '—'}")
