"""People, their addresses, a pause of everything, and the one-time links they sign in with."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.domain.entries import display_name
from colporteur.flow import attempts, letters, standing
from colporteur.store.people import Address, Person, SignInLink

log = logging.getLogger("colporteur.people")

LINK_MINUTES = 30
ADDRESS_HOURS = 24
LETTERS_A_DAY = 3
PAUSE_MOST = timedelta(days=731)

_ADDRESSES = Signer(salt="colporteur.address")


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


@transaction.atomic
def ask_address(person: Person, email: str, now: datetime) -> bool:
    """A letter asks the address whether it is the person's; nothing is added yet. False when enough were sent.

    Raises ``ValueError`` when it is not an address. Whether somebody else has it is told to who reads its mail only.
    """
    address, _new = Address.objects.get_or_create(email=normal(email), defaults={"created": now})
    if letters.today("address", address, None, now) >= LETTERS_A_DAY or not attempts.book(f"asks:{person.pk}", now):
        return False
    fields = {"email": address.email, "link": f"{settings.BASE_URL}/account/addresses/{address_token(person, address, now)}", "hours": str(ADDRESS_HOURS)}
    letters.send("address", address, now, fields=fields, language=person.language)
    return True


def address_token(person: Person, address: Address, now: datetime) -> str:
    """The token of the letter's link: whose address it becomes, and until when."""
    return _ADDRESSES.sign_object([person.pk, address.pk, int((now + timedelta(hours=ADDRESS_HOURS)).timestamp())])


def address_asked(person: Person, token: str, now: datetime) -> Address | None:
    """The address a letter of ``ask_address`` went to at the wish of this person; None when the link is too old or not theirs."""
    try:
        asker, number, until = _ADDRESSES.unsign_object(token)
    except (BadSignature, ValueError):
        return None
    return Address.objects.select_related("person").filter(pk=number).first() if asker == person.pk and now.timestamp() < until else None


@transaction.atomic
def choose_address(person: Person, email: str) -> None:
    """Write to this address of the person first. Raises ``ValueError`` when it is not theirs or not verified."""
    person.first_address = _own(person, email)
    if person.first_address.verified_at is None:
        raise ValueError(_("%(email)s is not verified yet") % {"email": person.first_address.email})
    person.save(update_fields=["first_address"])


@transaction.atomic
def remove_address(person: Person, email: str) -> None:
    """The person is no longer known by this address; lists it is on keep it. Raises ``ValueError`` for the last verified one."""
    Person.objects.select_for_update().get(pk=person.pk)  # two removed at once must leave one
    address = _own(person, email)
    if not person.addresses.filter(verified_at__isnull=False).exclude(pk=address.pk).exists():
        raise ValueError(_("%(email)s is the last verified address: add another one first") % {"email": address.email})
    SignInLink.objects.filter(address=address).delete()
    Person.objects.filter(pk=person.pk, first_address=address).update(first_address=None)
    for role in address.roles.all():  # roles are the person's, not the mailbox's
        roles = person.roles.filter(list=role.list_id, kind=role.kind)
        role.delete()
        if not roles.exists():
            person.roles.create(list=role.list, kind=role.kind, source=role.source)
    address.person, address.verified_at = None, None
    address.save(update_fields=["person", "verified_at"])
    person.refresh_from_db(fields=["first_address"])
    log.info("removed-address person=%s email=%s", person.pk, address.email)


def pause_all(addresses: Collection[Address], until: datetime | None, now: datetime) -> None:
    """No list sends to these addresses until then; None: they receive again. Raises ``ValueError`` for a time that is over."""
    if until is not None and not now < until <= now + PAUSE_MOST:
        raise ValueError(_("choose a day after today, within two years"))
    Address.objects.filter(pk__in=[address.pk for address in addresses]).update(paused_until=until)
    for address in addresses:
        log.info("paused-all address=%s until=%s", address.email, until.isoformat() if until else "")


def _own(person: Person, email: str) -> Address:
    found = person.addresses.select_for_update().filter(email=normal(email)).first()
    if found is None:
        raise ValueError(_("%(email)s is not an address of this person") % {"email": email.strip()})
    return found


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
        standing.heard_from([link.address_id], now, by="sign-in link")
    log.info("signed-in person=%s", link.person.pk)
    return link.person


def _has_business_here(address: Address) -> bool:
    return Address.objects.filter(Q(memberships__until__isnull=True, memberships__isnull=False) | Q(roles__isnull=False), pk=address.pk).exists()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
