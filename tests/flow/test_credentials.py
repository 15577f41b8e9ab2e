"""App, recovery codes and sessions: each code good once, attempts counted, every change told and written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain import totp
from colporteur.domain.words import Invalid
from colporteur.flow import credentials, people, privacy
from colporteur.store.credentials import Credential, RecoveryCode
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def code(secret: str, at: datetime) -> str:
    return totp.code(secret, int(at.timestamp()) // totp.STEP)


@pytest.fixture
def anna() -> Person:
    anna = people.add("anna@a.example", "Anna", now=NOW)
    people.add_address(anna, "anna@a.example", NOW)
    return anna


@pytest.fixture
def secret(anna: Person) -> str:
    """Of Anna's app."""
    found = credentials.new_secret()
    credentials.add_app(anna, found, code(found, NOW), NOW)
    return found


def test_an_app_is_added_with_its_code_only_and_kept_sealed(anna: Person) -> None:
    secret = credentials.new_secret()
    with pytest.raises(Invalid):
        credentials.add_app(anna, secret, "000000" if code(secret, NOW) != "000000" else "111111", NOW)
    assert not credentials.needs_second(anna)
    credentials.add_app(anna, secret, code(secret, NOW), NOW)
    assert credentials.needs_second(anna) and secret not in Credential.objects.get().secret
    assert Mailing.objects.filter(letter="security").count() == 1
    assert JournalEntry.objects.get(event="signin.added").values["way"] == "app"


def test_a_code_opens_once(anna: Person, secret: str) -> None:
    assert not credentials.second_step(anna, code(secret, NOW), NOW)  # the one it was added with
    assert credentials.second_step(anna, code(secret, LATER), LATER)
    assert not credentials.second_step(anna, code(secret, LATER), LATER)


def test_a_recovery_code_opens_once_however_it_is_typed_and_is_kept_as_a_hash(anna: Person, secret: str) -> None:
    codes = credentials.new_codes(anna, NOW)
    assert len(set(codes)) == credentials.CODES and not any(one.encode() in bytes(row.digest) for one in codes for row in RecoveryCode.objects.all())
    assert credentials.second_step(anna, f" {codes[0].upper().replace('-', ' ')} ", NOW)
    assert not credentials.second_step(anna, codes[0], NOW)
    other = people.add("marc@a.example", now=NOW)
    assert not credentials.second_step(other, codes[1], NOW)
    assert credentials.ways_of(anna).codes_left == credentials.CODES - 1
    credentials.new_codes(anna, NOW)
    assert not credentials.second_step(anna, codes[1], NOW)


def test_guessing_is_bounded_and_the_right_code_comes_too_late(anna: Person, secret: str) -> None:
    for _time in range(10):
        assert not credentials.second_step(anna, "x", LATER)
    assert not credentials.second_step(anna, code(secret, LATER), LATER)
    after = LATER + timedelta(minutes=16)
    assert credentials.second_step(anna, code(secret, after), after)


def test_the_last_one_taken_away_takes_the_recovery_codes_along(anna: Person, secret: str) -> None:
    credentials.new_codes(anna, NOW)
    other = people.add("marc@a.example", now=NOW)
    assert not credentials.remove(other, Credential.objects.get().pk, NOW)
    assert credentials.remove(anna, Credential.objects.get().pk, NOW)
    assert not RecoveryCode.objects.exists() and not credentials.needs_second(anna)


def test_an_administrator_helps_who_lost_everything(anna: Person, secret: str) -> None:
    held = anna.get_session_auth_hash()
    credentials.reset(anna, NOW, by="operator")
    assert not credentials.needs_second(anna) and anna.get_session_auth_hash() != held
    assert {"signin.reset", "signin.ended"} <= set(JournalEntry.objects.values_list("event", flat=True))


def test_two_steps_for_administrators_is_an_option(anna: Person, settings: object) -> None:
    Credential.objects.create(person=anna, kind="passkey", handle=b"x", public=b"y", created=NOW)
    assert not credentials.needs_second(anna)  # a passkey alone is a convenience
    settings.ADMIN_TWO_STEPS = True  # type: ignore[attr-defined]
    assert not credentials.needs_second(anna) and not credentials.must_have_second(anna)
    anna.is_admin = True
    assert credentials.needs_second(anna) and credentials.must_have_second(anna)


def test_the_export_names_them_without_secrets_and_erasing_takes_them(anna: Person, secret: str) -> None:
    codes = credentials.new_codes(anna, NOW)
    told = str(privacy.export(privacy.subject("anna@a.example")))
    assert "authenticator_app" in told and secret not in told and codes[0] not in told
    privacy.erase(privacy.subject("anna@a.example"), NOW, by="test")
    assert not Credential.objects.exists() and not RecoveryCode.objects.exists()
