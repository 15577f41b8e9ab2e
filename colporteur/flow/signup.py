"""Making an account: a letter goes to an address nobody here has, its link makes the person. An account gives no right by itself."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction

from colporteur.domain.addresses import normal
from colporteur.flow import attempts, letters, people
from colporteur.store.people import Address, Person
from colporteur.store.privacy import ERASED

log = logging.getLogger("colporteur.people")

GOOD_FOR = timedelta(hours=24)
A_DAY = 3

_SIGNER = Signer(salt="colporteur.signup")


@transaction.atomic
def ask(email: str, now: datetime, *, client: str = "", language: str = "") -> bool:
    """Mail the link to an address nobody has; False when accounts are not open, or enough letters went out.

    ``client``: IP address it was asked from. Raises ``ValueError`` when it is not an address.
    """
    email = normal(email)
    if not settings.SIGNUP or Address.objects.filter(email=email, person__isnull=False).exists() or not attempts.from_client(client, now):
        return False
    address, _new = Address.objects.get_or_create(email=email, defaults={"created": now})
    if letters.today("signup", address, None, now) >= A_DAY:
        return False
    letters.send("signup", address, now, fields={"email": address.email, "link": link(address, now), "hours": str(int(GOOD_FOR.total_seconds() // 3600))}, language=language)
    return True


def link(address: Address, now: datetime) -> str:
    """URL that makes an account for this address, for ``GOOD_FOR``."""
    return f"{settings.BASE_URL}/signup/{_SIGNER.sign_object([address.pk, int((now + GOOD_FOR).timestamp())])}"


def read(token: str, now: datetime) -> Address | None:
    """The address a link was made for; None when it is too old, not ours, or the address has an account by now."""
    try:
        number, until = _SIGNER.unsign_object(token)
    except (BadSignature, ValueError):
        return None
    return Address.objects.filter(pk=number, person__isnull=True).exclude(email__endswith=f"@{ERASED}").first() if now.timestamp() < until else None


@transaction.atomic
def finish(token: str, name: str, now: datetime, language: str = "") -> Person | None:
    """The new person, with the address verified; None when the link is good no more."""
    address = read(token, now)
    if address is None:
        return None
    person = people.add(address.email, name, now=now, language=language)
    person.addresses.filter(pk=address.pk).update(verified_at=now)
    log.info("signed-up person=%s", person.pk)
    return person
