"""DKIM keys from being made to being deleted, and who signs what."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import dkim
import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, transaction

from colporteur.domain.signing import Algorithm, KeyState, Seen
from colporteur.flow import copies, lists, mailings, memberships, organisations, planning, signing
from colporteur.mail.compose import Letter, compose
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Domain
from colporteur.store.people import Address
from colporteur.store.signing import SigningKey
from tests.daemons.delivering import a_post

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def domain() -> Domain:
    return organisations.add_domain("lists.saule.org", None, NOW, by="test")


def live(domain: Domain, algorithm: Algorithm = Algorithm.ED25519, now: datetime = NOW) -> SigningKey:
    """A key whose record is in the DNS."""
    key = signing.make(domain, algorithm, now, by="test")
    assert signing.looked_up(key.pk, [key.record], now) is Seen.LIVE
    return signing.find(domain, key.selector)


def states(domain: Domain) -> list[str]:
    return [key.state for key in signing.of_domain(domain)]


def test_a_new_key_is_sealed_and_signs_nothing(domain: Domain) -> None:
    for algorithm, length in ((Algorithm.RSA, 294), (Algorithm.ED25519, 32)):
        key = signing.make(domain, algorithm, NOW, by="test")
        assert key.state == KeyState.MADE and key.name == f"{algorithm}-20261121._domainkey.lists.saule.org"
        assert "PRIVATE" not in key.private_sealed and len(base64.b64decode(key.record.partition("p=")[2])) == length
    assert states(domain) == ["made", "made"]


def test_it_is_looked_for_until_it_is_there_and_then_used(domain: Domain) -> None:
    key = signing.make(domain, Algorithm.RSA, NOW, by="test")
    assert [wanted.name for wanted in signing.to_look_up(NOW)] == [key.name]
    for texts, seen in (([], "missing"), (None, "missing"), (["v=DKIM1; p=another"], "other")):
        signing.looked_up(key.pk, texts, NOW)
        key.refresh_from_db()
        assert (key.seen, key.state) == (seen, "made")
    assert signing.to_look_up(NOW + timedelta(minutes=1)) == []
    assert len(signing.to_look_up(NOW + timedelta(minutes=3))) == 1
    signing.looked_up(key.pk, [key.record], NOW + HOUR)
    key.refresh_from_db()
    assert (key.state, key.used_at) == ("used", NOW + HOUR)
    assert signing.to_look_up(NOW + 2 * HOUR) == [] and len(signing.to_look_up(NOW + 8 * HOUR)) == 1
    assert [entry.event for entry in JournalEntry.objects.filter(event__startswith="signing.").order_by("id")] == ["signing.made", "signing.published", "signing.used"]


def test_a_record_that_does_not_come_is_looked_for_less_often(domain: Domain) -> None:
    key = signing.make(domain, Algorithm.RSA, NOW, by="test")
    later = NOW + timedelta(days=3)
    signing.looked_up(key.pk, [], later)
    assert signing.to_look_up(later + timedelta(minutes=30)) == [] and len(signing.to_look_up(later + 2 * HOUR)) == 1


def test_names_nobody_publishes_are_not_looked_up() -> None:
    reserved = organisations.add_domain("saule.example", None, NOW, by="test")
    signing.make(reserved, Algorithm.RSA, NOW, by="test")
    assert signing.to_look_up(NOW) == []


def test_rotation_waits_for_a_person_and_retires_the_old_key(domain: Domain) -> None:
    old = live(domain)
    new = live(domain, now=NOW + HOUR)
    assert (new.state, new.selector) == ("published", "ed25519-20261121-2")
    signing.use(new, NOW + 2 * HOUR, by="test")
    old.refresh_from_db()
    assert (new.state, old.state, old.retired_at) == ("used", "retired", NOW + 2 * HOUR)
    other = live(domain, Algorithm.RSA)
    assert other.state == "used" and states(domain) == ["used", "used", "retired"]  # one of each algorithm
    with pytest.raises(IntegrityError), transaction.atomic():
        SigningKey.objects.filter(pk=old.pk).update(state=KeyState.USED)


def test_what_was_not_seen_is_used_only_by_force(domain: Domain) -> None:
    key = signing.make(domain, Algorithm.RSA, NOW, by="test")
    with pytest.raises(ValueError, match="was not seen in the DNS"):
        signing.use(key, NOW, by="test")
    signing.use(key, NOW, by="test", force=True)
    assert key.state == "used"


def test_a_key_is_deleted_when_its_signatures_are_old(domain: Domain) -> None:
    key = live(domain)
    with pytest.raises(ValueError, match="retire it first"):
        signing.delete(key, NOW, by="test", force=True)
    signing.retire(key, NOW, by="test")
    with pytest.raises(ValueError, match="2026-12-01"):
        signing.delete(key, NOW + timedelta(days=9), by="test")
    signing.delete(key, NOW + timedelta(days=10), by="test")
    signing.delete(signing.make(domain, Algorithm.RSA, NOW, by="test"), NOW, by="test")  # never signed: at once
    assert states(domain) == []
    with pytest.raises(ValueError, match="no key called"):
        signing.retire(key, NOW, by="test")


def test_a_retired_key_can_come_back_and_a_vanished_record_is_told(domain: Domain) -> None:
    key = live(domain)
    signing.retire(key, NOW, by="test")
    signing.use(key, NOW + HOUR, by="test")
    signing.looked_up(key.pk, [], NOW + 8 * HOUR)
    key.refresh_from_db()
    assert (key.state, key.seen) == ("used", "missing")
    assert JournalEntry.objects.filter(event="signing.lost").count() == 1


# --- what is signed ---------------------------------------------------------------------------------------------------


def a_list(domain: Domain) -> List:
    list_ = lists.create(f"amap@{domain.name}", "discussion", "owner@x.example", NOW, by="test", title="Amap")
    memberships.add(list_, [("zoe@x.example", "Zoë")], NOW, by="test")
    return list_


def a_mailing(list_: List) -> Mailing:
    mailing = mailings.create_for_post(a_post(list_), NOW)
    planning.plan_due(NOW)
    mailing.refresh_from_db()
    return mailing


def copy(mailing: Mailing) -> bytes:
    message, at = copies.message_of(mailing.pk), int(time.time())
    first = message.signer.sign("zoe@x.example", "Zoë", "token", at) if message.signer else b""
    return first + message.prepared.copy_for("zoe@x.example", "Zoë", "token")


def answers(*keys: SigningKey) -> Any:
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    return lambda name, timeout=5: records.get(name)


def test_posts_are_signed_with_every_key_in_use_and_rotation_holds_for_the_next_look_at_the_mailing(domain: Domain) -> None:
    mailing = a_mailing(a_list(domain))
    assert b"DKIM-Signature" not in copy(mailing)
    old, rsa = live(domain), live(domain, Algorithm.RSA)
    before = copy(mailing)
    assert [dkim.DKIM(before).verify(number, dnsfunc=answers(old, rsa)) for number in (0, 1)] == [True, True]
    new = live(domain, now=NOW + HOUR)
    held = copies.message_of(mailing.pk)  # a worker has it when the key is changed
    signing.use(new, NOW + HOUR, by="test")
    signing.delete(old, NOW + timedelta(days=30), by="test")
    still = held.signer.sign("zoe@x.example", "Zoë", "token", int(time.time())) + held.prepared.copy_for("zoe@x.example", "Zoë", "token")  # type: ignore[union-attr]
    assert [dkim.DKIM(still).verify(number, dnsfunc=answers(old, rsa)) for number in (0, 1)] == [True, True]
    after = copy(mailing)
    assert [dkim.DKIM(after).verify(number, dnsfunc=answers(new, rsa)) for number in (0, 1)] == [True, True]


def test_a_key_nobody_can_open_leaves_mail_unsigned(domain: Domain, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    mailing, key = a_mailing(a_list(domain)), live(domain)
    settings.SEAL_KEY = Fernet.generate_key()
    assert b"DKIM-Signature" not in copy(mailing) and not signing.readable(key)
    assert f"unreadable key={key.name}" in caplog.text


def a_letter(sender: str, list_: List | None = None) -> Mailing:
    to = Address.objects.get_or_create(email="zoe@x.example")[0]
    raw = compose(Letter("Colporteur", sender, "Zoë", to.email, "Bonjour", "Texte", "", "<1@x>", NOW, "fr"))
    return mailings.create_letter(raw, to, NOW, letter="signin", subject="Bonjour", list_=list_, language="fr")


def test_letters_are_signed_by_their_list_or_by_the_authors_domain(domain: Domain) -> None:
    key, list_ = live(domain), a_list(domain)
    for mailing in (a_letter("amap-owner@lists.saule.org", list_), a_letter("colporteur@lists.saule.org")):
        assert dkim.DKIM(copy(mailing)).verify(dnsfunc=answers(key))
    assert b"DKIM-Signature" not in copy(a_letter("colporteur@elsewhere.org"))


def test_a_list_without_a_domain_of_ours_is_not_signed(domain: Domain) -> None:
    live(domain)
    list_ = a_list(domain)
    mailing = a_mailing(list_)
    List.objects.filter(pk=list_.pk).update(domain=None)
    assert b"DKIM-Signature" not in copy(mailing)


def test_a_message_nobody_could_sign_leaves_unsigned(domain: Domain, caplog: pytest.LogCaptureFixture) -> None:
    live(domain)
    list_ = a_list(domain)
    owner = Address.objects.get_or_create(email="zoe@x.example")[0]
    mailing = mailings.create_forward(b"From: a@b.example\r\nno field\r\n\r\nx\r\n", [owner], NOW, list_=list_, subject="x")
    assert copy(mailing).startswith(b"From: a@b.example\r\nno field") and "unsigned" in caplog.text
