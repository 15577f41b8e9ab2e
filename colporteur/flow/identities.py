"""Signing in with another site's word (OpenID Connect): which sites, and what their word is worth here.

A site's word signs in whoever connected that account before. For anybody else only an address it verified counts: a person who
has it gets a letter with a link that connects, and nobody's address makes an account where that is switched on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from colporteur.domain.addresses import is_address, normal
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import credentials, letters, people
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.identities import Identity, IdentityProvider
from colporteur.store.people import Address, Person
from colporteur.store.sealed import seal, unseal

log = logging.getLogger("colporteur.people")

GOOD_FOR = timedelta(hours=1)
LETTERS_A_DAY = 3
SUBJECT_LENGTH = 255  # OpenID Connect Core section 2

_SIGNER = Signer(salt="colporteur.identity")


class Outcome(Enum):
    """What became of a site's word."""

    KNOWN = "known"
    NEW = "new"  # an account was made
    MAILED = "mailed"  # a person has the address: a letter asks there
    UNVERIFIED = "unverified"  # the site does not vouch for an address
    CLOSED = "closed"  # nobody has the address, and this site makes no accounts


@dataclass(frozen=True)
class Word:
    """What a site said of somebody: its name for them, and their address."""

    subject: str
    email: str
    verified: bool
    name: str = ""


# --- which sites ---


def providers() -> list[IdentityProvider]:
    """Those that are switched on, by name."""
    return list(IdentityProvider.objects.filter(enabled=True).order_by("name"))


def find(name: str) -> IdentityProvider:
    """Raises ``ValueError`` when there is none of that name."""
    found = IdentityProvider.objects.filter(name=name).first()
    if found is None:
        raise ValueError(gettext("there is no identity provider called %(name)s") % {"name": name})
    return found


@transaction.atomic
def add(name: str, issuer: str, client_id: str, secret: str, now: datetime, *, by: Person | str, new_accounts: bool = False) -> IdentityProvider:
    """A further site. Raises ``ValueError`` for a name that is taken, or an issuer that is no https address."""
    made = IdentityProvider(name=_name(name), issuer=_issuer(issuer), client_id=client_id.strip(), secret=seal(secret) if secret else "", new_accounts=new_accounts, created=now)
    if not made.client_id:
        raise Invalid(_("the client id is missing: the provider gave it to you"))
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:
        raise Invalid(_("there is an identity provider called %(name)s already"), name=made.name) from None
    journal.write("identity.added", now, actor=actor(by), provider=made.name, by=str(by))
    log.info("identity-provider-added provider=%s by=%s", made.name, by.pk if isinstance(by, Person) else by)
    return made


@transaction.atomic
def change(provider: IdentityProvider, now: datetime, *, by: Person | str, name: str | None = None, client_id: str | None = None, secret: str | None = None, new_accounts: bool | None = None, enabled: bool | None = None) -> None:
    """None leaves as it is. The issuer stays: its names for people mean nothing anywhere else. Raises ``ValueError``."""
    provider.name = provider.name if name is None else _name(name)
    provider.client_id = client_id.strip() if client_id else provider.client_id
    provider.secret = seal(secret) if secret else provider.secret
    provider.new_accounts = provider.new_accounts if new_accounts is None else new_accounts
    provider.enabled = provider.enabled if enabled is None else enabled
    try:
        with transaction.atomic():
            provider.save()
    except IntegrityError:
        raise Invalid(_("there is an identity provider called %(name)s already"), name=provider.name) from None
    journal.write("identity.changed", now, actor=actor(by), provider=provider.name, by=str(by))


@transaction.atomic
def remove(provider: IdentityProvider, now: datetime, *, by: Person | str) -> int:
    """Takes a site away, and with it every connection; how many people were connected. They still have their mail."""
    connected = provider.identities.count()
    provider.delete()
    journal.write("identity.removed", now, actor=actor(by), provider=provider.name, by=str(by))
    log.info("identity-provider-removed provider=%s by=%s", provider.name, by.pk if isinstance(by, Person) else by)
    return connected


def secret_of(provider: IdentityProvider) -> str:
    """What we prove to the site who we are with; "" for none. Raises ``SealBroken``."""
    return unseal(provider.secret) if provider.secret else ""


# --- what their word is worth ---


@transaction.atomic
def arrive(provider: IdentityProvider, word: Word, now: datetime, language: str = "") -> tuple[Outcome, Person | None]:
    """Somebody signed in over there and is nobody here yet."""
    known = Identity.objects.select_related("person").filter(provider=provider, subject=word.subject).first()
    if known is not None:
        Identity.objects.filter(pk=known.pk).update(used_at=now)
        return Outcome.KNOWN, known.person if known.person.is_active else None
    if not word.verified or not is_address(word.email):
        return Outcome.UNVERIFIED, None
    address = Address.objects.select_related("person").filter(email=normal(word.email)).first()
    if address is not None and address.person is not None:
        _mail(provider, word.subject, address, now)
        return Outcome.MAILED, None
    if not provider.new_accounts:
        return Outcome.CLOSED, None
    person = people.add(word.email, word.name, now=now, language=language)
    person.addresses.update(verified_at=now)
    connect(provider, word.subject, word.email, person, now)
    return Outcome.NEW, person


@transaction.atomic
def connect(provider: IdentityProvider, subject: str, email: str, person: Person, now: datetime) -> None:
    """The site's account signs this person in from now on. Raises ``ValueError`` when it signs in somebody else."""
    row, new = Identity.objects.get_or_create(provider=provider, subject=subject, defaults={"person": person, "email": email[:320], "created": now, "used_at": now})
    if row.person_id != person.pk:
        raise Invalid(_("this account of %(name)s belongs to another person here"), name=provider.name)
    if new:
        credentials.added(person, provider.name, now, by=person)


@transaction.atomic
def disconnect(person: Person, number: int, now: datetime) -> bool:
    """It signs in nobody any more. False when it is not the person's."""
    found = person.identities.select_related("provider").filter(pk=number).first()
    if found is None:
        return False
    found.delete()
    credentials.removed(person, found.provider.name, now, by=person)
    return True


def token(provider: IdentityProvider, subject: str, address: Address, now: datetime) -> str:
    """Of the letter's link: which account of which site, for whose address, and until when."""
    return _SIGNER.sign_object([provider.pk, subject, address.pk, int((now + GOOD_FOR).timestamp())])


def asked(signed: str, now: datetime) -> tuple[IdentityProvider, str, Address] | None:
    """What a letter's link is about; None when it is too old, or was used."""
    try:
        number, subject, address_id, until = _SIGNER.unsign_object(signed)
    except (BadSignature, ValueError):
        return None
    provider = IdentityProvider.objects.filter(pk=number, enabled=True).first()
    address = Address.objects.select_related("person").filter(pk=address_id, person__is_active=True).first()
    if provider is None or address is None or now.timestamp() >= until or Identity.objects.filter(provider=provider, subject=subject).exists():
        return None
    return provider, subject, address


def _mail(provider: IdentityProvider, subject: str, address: Address, now: datetime) -> None:
    if letters.today("connect", address, None, now) >= LETTERS_A_DAY:
        return
    fields = {"provider": provider.name, "email": address.email, "link": f"{settings.BASE_URL}/signin/connect/{token(provider, subject, address, now)}", "minutes": str(int(GOOD_FOR.total_seconds() // 60))}
    letters.send("connect", address, now, fields=fields, language=address.person.language if address.person else "")


def _name(text: str) -> str:
    name = " ".join(text.replace("\x00", "").split())
    if not 0 < len(name) <= 40:
        raise Invalid(_("the name on the button has 1 to 40 characters"))
    return name


def _issuer(text: str) -> str:
    issuer = text.strip().rstrip("/").removesuffix("/.well-known/openid-configuration")
    here = issuer.startswith(("http://localhost:", "http://127.0.0.1:"))
    if not (issuer.startswith("https://") or here) or any(character.isspace() for character in issuer):
        raise Invalid(_("the issuer is an address like https://login.example.org"))
    return issuer
