"""People, their addresses, and the one-time links they sign in with."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.domain.entries import display_name
from colporteur.store.people import Address, Person, SignInLink

log = logging.getLogger("colporteur.people")

LINK_MINUTES = 30


def find(email: str) -> Person | None:
    """Whoever has this address. Raises ``ValueError`` when it is not an address."""
    return Person.objects.filter(addresses__email=normal(email)).first()


@transaction.atomic
def add(email: str, name: str = "", admin: bool = False, *, now: datetime, language: str = "") -> Person:
    """The person with this address, made when unknown; a name fills an empty one, ``admin`` is given, never taken.

    Raises ``ValueError`` when it is not an address.
    """
    checked, name = normal(email), display_name(name)
    address, _new = Address.objects.select_for_update(of=("self",)).get_or_create(email=checked, defaults={"name": name, "created": now})
    person = address.person
    if person is None:
        person = Person(name=name or address.name, language=language)
        person.set_unusable_password()
        person.save()
        address.person = person
        address.save(update_fields=["person"])
        log.info("added person=%s email=%s", person.pk, checked)
    if name and not person.name:
        person.name = name
    person.is_admin = person.is_admin or admin
    person.save()
    return person


@transaction.atomic
def add_address(person: Person, email: str, now: datetime) -> Address:
    """A further address, vouched for by whoever calls (an administrator, or a link that reached it).

    Raises ``ValueError`` when it is not an address or belongs to somebody else.
    """
    checked = normal(email)
    address, _new = Address.objects.select_for_update(of=("self",)).get_or_create(email=checked, defaults={"created": now})
    if address.person_id not in (None, person.pk):
        raise ValueError(_("%(email)s belongs to another person") % {"email": checked})
    address.person = person
    address.verified_at = address.verified_at or now
    address.save(update_fields=["person", "verified_at"])
    return address


def switch(person: Person, active: bool, *, by: Person | str) -> None:
    """Lets the person sign in, or no more: sessions and links end at once. Lists and roles are kept."""
    Person.objects.filter(pk=person.pk).update(is_active=active)
    log.info("switched person=%s active=%s by=%s", person.pk, active, by.pk if isinstance(by, Person) else by)


def sign_in_link(email: str, now: datetime, minutes: int = LINK_MINUTES) -> str:
    """URL that signs in whoever has this address, once, for ``minutes``. Only the hash of its token is kept.

    A member or role holder nobody knew as a person becomes one. Raises ``ValueError`` when nobody has the address.
    """
    return f"{settings.BASE_URL}/s/{sign_in_token(email, now, minutes)}"


@transaction.atomic
def sign_in_token(email: str, now: datetime, minutes: int = LINK_MINUTES) -> str:
    """The token of ``sign_in_link``."""
    checked = normal(email)
    address = Address.objects.select_related("person").filter(email=checked).first()
    if address and address.person is None and _has_business_here(address):
        address.person = add(checked, now=now)
    if address is None or address.person is None or not address.person.is_active:
        raise ValueError(_("nobody here has the address %(email)s: add it with `colporteur person add`") % {"email": checked})
    SignInLink.objects.filter(expires__lt=now - timedelta(days=1)).delete()
    token = secrets.token_urlsafe(24)
    SignInLink.objects.create(digest=_digest(token), person=address.person, address=address, expires=now + timedelta(minutes=minutes))
    return token


def peek(token: str, now: datetime) -> Person | None:
    """Whom the link would sign in; changes nothing (GET asks, POST acts)."""
    link = SignInLink.objects.select_related("person").filter(digest=_digest(token), used_at__isnull=True, expires__gt=now, person__is_active=True).first()
    return link.person if link else None


@transaction.atomic
def redeem(token: str, now: datetime) -> Person | None:
    """Use up the link: the person, or None when it is unknown, used or expired. The address it was made for is verified."""
    digest = _digest(token)
    # Own columns only: a condition on the person would move into a subquery, which two at once both pass.
    if not SignInLink.objects.filter(digest=digest, used_at__isnull=True, expires__gt=now).update(used_at=now):
        return None
    link = SignInLink.objects.select_related("person").get(digest=digest)
    if not link.person.is_active:
        return None
    if link.address_id:
        Address.objects.filter(pk=link.address_id, person=link.person, verified_at__isnull=True).update(verified_at=now)
    log.info("signed-in person=%s", link.person.pk)
    return link.person


def _has_business_here(address: Address) -> bool:
    return Address.objects.filter(Q(memberships__until__isnull=True, memberships__isnull=False) | Q(roles__isnull=False), pk=address.pk).exists()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
