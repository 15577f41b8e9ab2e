"""How somebody proves who they are: an authenticator app, passkeys, recovery codes; what is asked after the first step.

A second step is asked after a mailed link, a password or another site's word. A passkey that checked its owner is both steps.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext

from colporteur.domain import totp
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attempts, letters
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.credentials import Credential, CredentialKind, RecoveryCode
from colporteur.store.identities import Identity
from colporteur.store.organisations import Administrator
from colporteur.store.people import Address, Person
from colporteur.store.sealed import seal, unseal

log = logging.getLogger("colporteur.people")

CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


@dataclass(frozen=True)
class Ways:
    """How a person can sign in, besides a mailed link."""

    password: bool
    app: Credential | None
    passkeys: list[Credential]
    codes_left: int
    identities: list[Identity]


def ways_of(person: Person) -> Ways:
    """In three questions."""
    held = list(person.credentials.order_by("id"))
    return Ways(
        person.has_usable_password(),
        next((one for one in held if one.kind == CredentialKind.APP), None),
        [one for one in held if one.kind == CredentialKind.PASSKEY],
        person.recovery_codes.filter(used_at__isnull=True).count(),
        list(person.identities.select_related("provider").order_by("id")),
    )


def must_have_second(person: Person) -> bool:
    """Whether the installation asks this person for two steps: administrators of the site and of organisations, by option."""
    return bool(settings.ADMIN_TWO_STEPS) and (person.is_admin or Administrator.objects.filter(person=person).exists())


def needs_second(person: Person) -> bool:
    """Whether a second step is asked: there is an app; or only passkeys, and the installation asks for two steps."""
    kinds = set(person.credentials.values_list("kind", flat=True))
    return CredentialKind.APP in kinds or (bool(kinds) and must_have_second(person))


# --- the app, and the codes for the day it is lost ---


def new_secret() -> str:
    """What an app shares with us, in base32; kept by the caller until the first code proves that the app has it."""
    return totp.secret_of(secrets.token_bytes(totp.SECRET_BYTES))


@transaction.atomic
def add_app(person: Person, secret: str, typed: str, now: datetime) -> None:
    """Asks for codes from now on; an app there was is replaced. Raises ``Invalid`` for a wrong code."""
    step = totp.matching(secret, typed, now.timestamp(), 0)
    if step is None:
        raise Invalid(_("this is not the code the app shows now: look whether the clock of your phone is right"))
    person.credentials.filter(kind=CredentialKind.APP).delete()
    Credential.objects.create(person=person, kind=CredentialKind.APP, secret=seal(secret), counter=step, created=now, used_at=now)
    added(person, "app", now, by=person)


@transaction.atomic
def new_codes(person: Person, now: datetime) -> list[str]:
    """Recovery codes, told once; those there were are good no more."""
    person.recovery_codes.all().delete()
    told = ["".join(secrets.choice(_LETTERS) for _time in range(10)) for _code in range(CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(person=person, digest=_digest(person, code)) for code in told])
    journal.write("signin.codes", now, actor=person.pk, by=str(person), **_place(person))
    log.info("recovery-codes-made person=%s", person.pk)
    return [f"{code[:5]}-{code[5:]}" for code in told]


@transaction.atomic
def second_step(person: Person, typed: str, now: datetime) -> bool:
    """Whether ``typed`` is the app's code or a recovery code; each is good once. False after too many attempts, too."""
    if not attempts.book(f"second:{person.pk}", now):
        log.warning("second step refused after too many attempts person=%s", person.pk)
        return False
    right = _app_says(person, typed, now) or _recovers(person, typed, now)
    if right:
        attempts.forget(f"second:{person.pk}")
    return right


def _app_says(person: Person, typed: str, now: datetime) -> bool:
    app = person.credentials.filter(kind=CredentialKind.APP).first()
    step = totp.matching(unseal(app.secret), typed, now.timestamp(), app.counter) if app else None
    # two at once: the row decides
    return bool(app and step is not None and Credential.objects.filter(pk=app.pk, counter__lt=step).update(counter=step, used_at=now))


def _recovers(person: Person, typed: str, now: datetime) -> bool:
    code = "".join(character for character in typed.lower() if character in _LETTERS)
    used = RecoveryCode.objects.filter(person=person, digest=_digest(person, code), used_at__isnull=True).update(used_at=now)
    if used:
        log.info("recovery-code-used person=%s", person.pk)
        _tell(person, lambda: gettext("A recovery code was used to sign in."), now)
    return bool(used)


# --- taking away ---


@transaction.atomic
def remove(person: Person, number: int, now: datetime) -> bool:
    """Takes a passkey or the app away; with the last one the recovery codes go. False when it is not the person's."""
    found = person.credentials.select_for_update().filter(pk=number).first()
    if found is None:
        return False
    found.delete()
    if not person.credentials.exists():
        person.recovery_codes.all().delete()
    removed(person, found.kind, now, by=person)
    return True


@transaction.atomic
def reset(person: Person, now: datetime, *, by: Person | str) -> None:
    """Takes app, passkeys and recovery codes away, and ends every session: for who lost the phone and the codes."""
    person.credentials.all().delete()
    person.recovery_codes.all().delete()
    end_sessions(person, now, by=by)
    journal.write("signin.reset", now, actor=actor(by), by=str(by), **_place(person))
    log.info("second-steps-reset person=%s by=%s", person.pk, by.pk if isinstance(by, Person) else by)
    _tell(person, lambda: gettext("Passkeys, authenticator app and recovery codes of your account were taken away by an administrator."), now)


@transaction.atomic
def end_sessions(person: Person, now: datetime, *, by: Person | str) -> None:
    """Every device must sign in again, and mailed links not used yet are worth nothing."""
    Person.objects.filter(pk=person.pk).update(session_round=F("session_round") + 1)
    person.refresh_from_db(fields=["session_round"])
    person.signinlink_set.filter(used_at__isnull=True).update(used_at=now)
    journal.write("signin.ended", now, actor=actor(by), by=str(by), **_place(person))
    log.info("sessions-ended person=%s by=%s", person.pk, by.pk if isinstance(by, Person) else by)


# --- telling ---


def added(person: Person, way: str, now: datetime, *, by: Person | str) -> None:
    """A way to sign in is there: in the journal, the log, and a letter to the person. ``way``: a kind, or a provider's name."""
    journal.write("signin.added", now, actor=actor(by), way=way, by=str(by), **_place(person))
    log.info("signin-way-added person=%s way=%s", person.pk, way)
    _tell(person, lambda: gettext("A new way to sign in was added: %(way)s.") % {"way": words(way)}, now)


def removed(person: Person, way: str, now: datetime, *, by: Person | str) -> None:
    """The same of one that is gone."""
    journal.write("signin.removed", now, actor=actor(by), way=way, by=str(by), **_place(person))
    log.info("signin-way-removed person=%s way=%s", person.pk, way)
    _tell(person, lambda: gettext("A way to sign in was taken away: %(way)s.") % {"way": words(way)}, now)


def words(way: str) -> str:
    """A way to sign in, in the active language."""
    return {"app": gettext("authenticator app"), "passkey": gettext("passkey"), "password": gettext("password")}.get(way, way)


def main_address(person: Person) -> Address | None:
    """The address row we write to."""
    return person.addresses.filter(email=person.primary_email).first()


def _place(person: Person) -> dict[str, int | None]:
    address = main_address(person)
    return {"address": address.pk if address else None}


def _tell(person: Person, what: Callable[[], str], now: datetime) -> None:
    address = main_address(person)
    if address is not None and address.verified_at:
        letters.send("security", address, now, fields={"what": what, "link": f"{settings.BASE_URL}/account/security"}, language=person.language)


def _digest(person: Person, code: str) -> bytes:
    return hashlib.blake2s(f"{person.pk} {code}".encode(), digest_size=20, key=settings.TOKEN_KEY, person=b"recover").digest()
