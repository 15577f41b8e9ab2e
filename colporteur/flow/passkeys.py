"""Passkeys (Web Authentication level 2): made for a person, recognised without a name. Texts in, texts out: the browser does the rest."""

from __future__ import annotations

import ipaddress
import json
import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import credentials
from colporteur.store.credentials import Credential, CredentialKind
from colporteur.store.people import Person

log = logging.getLogger("colporteur.people")

MOST = 20
NAME_LENGTH = 60
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError)  # what a made-up answer of a browser ends in


def possible() -> bool:
    """Whether browsers make passkeys for our address: a name, with https (or this machine's own name)."""
    parts = urlsplit(settings.BASE_URL)
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return parts.scheme == "https" or parts.hostname == "localhost"
    return False


def offer(person: Person) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser needs to make a passkey for the person, and what must be kept until its answer (one answer only)."""
    user = PublicKeyCredentialUserEntity(id=person.key.bytes, name=person.primary_email or str(person), display_name=str(person))
    options, state = _server().register_begin(user, _known(person), ResidentKeyRequirement.REQUIRED, UserVerificationRequirement.REQUIRED)
    return _plain(options), state


@transaction.atomic
def add(person: Person, name: str, answer: str, state: dict[str, Any] | None, now: datetime) -> Credential:
    """The passkey the browser made. Raises ``Invalid`` when its answer is not one to what was kept."""
    try:
        made = _server().register_complete(state, json.loads(answer)).credential_data
        assert made is not None
    except _BROKEN as error:
        log.info("passkey refused person=%s reason=%s", person.pk, error)
        raise Invalid(_("the passkey could not be made: try again")) from error
    if person.credentials.filter(kind=CredentialKind.PASSKEY).count() >= MOST:
        raise Invalid(_("you have %(most)s passkeys: remove one first"), most=MOST)
    if Credential.objects.filter(handle=made.credential_id).exists():
        raise Invalid(_("this passkey is known already"))
    label = " ".join(name.replace("\x00", "").split())[:NAME_LENGTH] or now.date().isoformat()
    found = Credential.objects.create(person=person, kind=CredentialKind.PASSKEY, name=label, handle=made.credential_id, public=bytes(made), created=now)
    credentials.added(person, "passkey", now, by=person)
    return found


def ask() -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser needs to show the passkeys it has for us, and what must be kept until its answer."""
    options, state = _server().authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    return _plain(options), state


@transaction.atomic
def recognise(answer: str, state: dict[str, Any] | None, now: datetime) -> Person | None:
    """Who signed; None when nobody did, or the account is switched off.

    A passkey whose count of signatures goes back was copied (WebAuthn section 6.1.1): it is refused.
    """
    try:
        given = AuthenticationResponse.from_dict(json.loads(answer))
        row = Credential.objects.select_related("person").filter(handle=given.raw_id, person__is_active=True).first()
        if row is None:
            return None
        _server().authenticate_complete(state, [AttestedCredentialData(bytes(row.public or b""))], given)
    except _BROKEN as error:
        log.info("passkey refused reason=%s", error)
        return None
    count = given.response.authenticator_data.counter
    fresh = Q(counter__lt=count) if count else Q(counter=0)  # most passkeys do not count
    if not Credential.objects.filter(fresh, pk=row.pk).update(counter=count, used_at=now):
        log.warning("passkey refused: its count went back person=%s", row.person_id)
        return None
    return row.person


# --- how ---


def _server() -> Fido2Server:
    """Answers count for exactly our own address."""
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    return Fido2Server(PublicKeyCredentialRpEntity(name="Colporteur", id=host), verify_origin=lambda origin: origin == settings.BASE_URL)


def _known(person: Person) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(row.public)) for row in person.credentials.filter(kind=CredentialKind.PASSKEY) if row.public]


def _plain(options: Any) -> dict[str, Any]:
    """Options as JSON values, what is binary in base64url (WebAuthn level 3, section 5.1.8)."""
    return json.loads(json.dumps(dict(options), default=dict))["publicKey"]  # type: ignore[no-any-return]
