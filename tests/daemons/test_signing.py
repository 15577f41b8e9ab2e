"""Signed mailings through the lanes: every copy that arrives verifies, whoever owns the slice, and the loop only sends what is signed."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dkim
import dns.asyncresolver
import pytest
from django.utils import timezone

from colporteur.daemons import lanes, work
from colporteur.daemons.threads import close_connections, in_thread
from colporteur.domain.signing import Algorithm
from colporteur.flow import copies, mailings, signing
from colporteur.store.buckets import BucketRow
from colporteur.store.lists import List
from colporteur.store.mailings import Slice
from colporteur.store.people import Address
from colporteur.store.signing import SigningKey
from colporteur.store.transports import Transport
from tests.adapters.test_dns import ASKED, ZONES, with_server
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.servers.sink import Drop, Session, Sink
from tests.story.scenes import a_list, a_transport, message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        yield sink


def key_of(list_: List, algorithm: Algorithm = Algorithm.ED25519) -> SigningKey:
    """A key of the list's domain, in use."""
    assert list_.domain
    key = signing.make(list_.domain, algorithm, timezone.now(), by="test")
    signing.use(key, timezone.now(), by="test", force=True)
    return key


def verify(sink: Sink, *keys: SigningKey) -> None:
    """Every message taken bears a signature of each key that holds."""
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    for one in sink.taken:
        data = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in one.data.split(b"\r\n"))
        assert [dkim.DKIM(data).verify(number, dnsfunc=lambda name, timeout=5: records.get(name)) for number in range(len(keys))] == [True] * len(keys)


def test_every_copy_arrives_once_and_verifies(sink: Sink) -> None:
    list_ = a_list(members=700, footer="-- \n{name}  <{email}>\n{unsubscribe}\n")
    Address.objects.update(name="Ånna  «la Verte»")
    keys = key_of(list_), key_of(list_, Algorithm.RSA)
    mailing = a_mailing(list_, message("anna@members.example", list_.address, body=".dots\r\n..\r\n  spaces \t\r\n\r\n"))
    deliver_until(is_in(mailing, "done"))
    assert len(sink.received()) == 700 and sink.repeated() == 0
    verify(sink, *keys[::-1])
    sound(mailing)


def test_copies_put_back_keep_their_signature_and_those_put_off_get_another(sink: Sink) -> None:
    refused: set[str] = set()

    def script(event: str, argument: str, session: Session) -> str | Drop | None:
        if event == "RCPT" and argument not in refused and int(argument[7:13]) % 10 == 0:
            refused.add(argument)
            return "450 4.2.0 Mailbox busy"
        return Drop("421 4.7.0 Enough for this connection") if event == "MAIL" and session.taken >= 7 else None

    sink.script = script
    list_ = a_list(members=200)
    key, mailing = key_of(list_), a_mailing(list_)
    deliver_until(lambda: mailings.totals(mailing.id).counts == {"sent": 180, "deferred": 20, "queued": 0, "failed": 0, "cancelled": 0})
    verify(sink, key)
    sound(mailing)


def test_what_is_not_signed_yet_when_it_is_paused_leaves_later(sink: Sink) -> None:
    list_ = a_list(members=600)
    key, mailing = key_of(list_), a_mailing(list_)
    deliver_until(lambda: mailings.totals(mailing.id).counts["sent"] > 0)
    mailings.pause(mailing.id, timezone.now(), "test")
    assert Slice.objects.filter(mailing=mailing, lease_until__isnull=False, done=False).count() == 0
    mailings.resume(mailing.id, timezone.now(), "test")
    deliver_until(is_in(mailing, "done"))
    assert len(sink.received()) == 600 and sink.repeated() == 0
    verify(sink, key)
    sound(mailing)


def test_a_copy_that_cannot_be_signed_fails_alone(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    list_ = a_list(members=50)
    key, mailing = key_of(list_), a_mailing(list_)
    prepared = copies.message_of(mailing.id)
    assert prepared.signer
    honest = type(prepared.signer).sign

    def sign(self: Any, email: str, *rest: Any) -> bytes:
        if email == "member-000007@members.example":
            raise ValueError("cannot")
        return honest(self, email, *rest)

    monkeypatch.setattr(type(prepared.signer), "sign", sign)
    deliver_until(is_in(mailing, "done"))
    assert mailings.totals(mailing.id).counts == {"sent": 49, "failed": 1, "queued": 0, "deferred": 0, "cancelled": 0}
    verify(sink, key)


def test_letters_are_signed_on_their_way(sink: Sink) -> None:
    list_ = a_list(members=1)
    key, to = key_of(list_), Address.objects.get()
    mailing = mailings.create_letter(message(list_.address, to.email), to, timezone.now(), letter="held", subject="x", list_=list_, language="en")
    deliver_until(is_in(mailing, "done"))
    assert len(sink.taken) == 1
    verify(sink, key)


def test_signed_copies_wait_for_their_slots_like_others(sink: Sink) -> None:
    BucketRow.objects.create(kind="transport", key=str(Transport.objects.get().pk), number=1000, seconds=2)
    list_ = a_list(members=120)
    key, mailing = key_of(list_), a_mailing(list_)
    deliver_until(is_in(mailing, "done"))
    assert len(sink.taken) == 120 and sink.repeated() == 0
    verify(sink, key)
    sound(mailing)


def test_a_mailing_that_lasts_changes_to_the_new_key(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PREPARED_SECONDS", 0.0)
    list_ = a_list(members=3500)  # more than a lane holds at once
    old = key_of(list_)
    new = signing.make(old.domain, Algorithm.ED25519, timezone.now(), by="test")
    mailing, changed = a_mailing(list_), threading.Event()
    done = is_in(mailing, "done")
    sink.script = lambda event, argument, session: None if event != "BODY" or changed.wait(60) else "451 4.3.0 No key"  # nothing goes on before

    def rotated() -> bool:
        if sink.taken and not changed.is_set():
            signing.use(new, timezone.now(), by="test", force=True)
            changed.set()
        return done()

    deliver_until(rotated, 120)
    used = Counter(re.search(rb"\r\n s=([^;]+);", one.data)[1].decode() for one in sink.taken)  # type: ignore[index]
    assert set(used) == {old.selector, new.selector} and used.total() == 3500
    assert sink.taken[-1].data.count(f"s={new.selector};".encode()) == 1


def test_the_worker_looks_for_records_that_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    list_ = a_list(members=1, address="amap@lists.saule.org")
    assert list_.domain
    key = signing.make(list_.domain, Algorithm.RSA, timezone.now() - timedelta(hours=1), by="test")

    async def look(resolver: dns.asyncresolver.Resolver) -> None:
        monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
        await work.look_for_records()
        await in_thread(SigningKey.objects.update, looked_at=None)
        monkeypatch.setitem(ZONES, key.name, [key.record])
        await work.look_for_records()

    try:
        with_server(look)
    finally:
        close_connections()
    key.refresh_from_db()
    assert (key.state, key.seen) == ("used", "live")
    assert ASKED.count(key.name) == 2
