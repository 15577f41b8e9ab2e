"""What every source must do, against a real Dovecot: a new kind joins ``KINDS`` and is tested here by itself."""

from __future__ import annotations

import select
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from colporteur.adapters.sources import Listed, Source, Trouble, batches
from colporteur.adapters.sources.kinds import KINDS, connect
from colporteur.domain.mailboxes import Account, read_url
from tests.servers.dovecot import Dovecot
from tests.servers.ports import free_port

LIMIT = 10_000_000
USER = "gardeners@shared.example"
DOORS = [*KINDS, *(f"{kind}s" for kind in KINDS)]


@pytest.fixture(scope="module")
def dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    with Dovecot(tmp_path_factory.mktemp("dovecot"), {USER: 'p"a\\ss word', "other@shared.example": "x"}) as server:
        yield server


@pytest.fixture(params=DOORS)
def account(request: pytest.FixtureRequest, dovecot: Dovecot) -> Account:
    dovecot.clear(USER)
    plain = read_url(dovecot.url(request.param, "other@shared.example", self_signed="1"))
    return replace(plain, user=USER, password=dovecot.accounts[USER])


@pytest.fixture
def source(account: Account) -> Iterator[Source]:
    found = connect(account, LIMIT)
    yield found
    found.close()


def test_messages_come_as_they_lie_there(source: Source, dovecot: Dovecot) -> None:
    raws = [b"Subject: one\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n", b"Subject: two\r\n\r\n" + b"x" * 5000 + b"\r\n", b"\xe9t\xe9: \xff\r\n\r\n\x80\r\n", b"\r\n"]
    for raw in raws:
        dovecot.put(USER, raw)
    source.finish()
    listing = source.listing()
    assert [message.size for message in listing.messages] == [len(raw) for raw in raws]
    assert [fetched.raw for fetched in source.fetch(listing.messages)] == raws
    assert len({message.uid for message in listing.messages}) == 4


def test_names_stay_the_same_from_one_connection_to_the_next(account: Account, dovecot: Dovecot) -> None:
    dovecot.put(USER, b"Subject: a\r\n\r\n")
    dovecot.put(USER, b"Subject: b\r\n\r\n")
    seen = []
    for _ in range(2):
        source = connect(account, LIMIT)
        seen.append(source.listing())
        source.close()
    assert seen[0] == seen[1]


def test_removed_messages_are_gone_after_finish_and_others_stay(source: Source, dovecot: Dovecot) -> None:
    for number in range(5):
        dovecot.put(USER, b"Subject: %d\r\n\r\n" % number)
    source.finish()
    listing = source.listing()
    source.remove([listing.messages[1].uid, listing.messages[3].uid])
    source.finish()
    assert [raw[:10] for raw in dovecot.messages(USER)] == [b"Subject: 0", b"Subject: 2", b"Subject: 4"]
    assert len(source.listing().messages) == 3


def test_a_message_that_vanished_is_left_out(source: Source, dovecot: Dovecot) -> None:
    dovecot.put(USER, b"Subject: here\r\n\r\n")
    source.finish()
    (here,) = source.listing().messages
    gone = Listed("999999", 10)
    if source.listing().validity:  # POP3 shows what was there when the session began
        assert [fetched.uid for fetched in source.fetch([gone, here])] == [here.uid]


def test_a_wrong_password_is_told_as_such(account: Account) -> None:
    with pytest.raises(Trouble) as told:
        connect(replace(account, password="wrong"), LIMIT)
    assert told.value.lasting
    assert "refused the user name or the password" in str(told.value)


def test_a_certificate_nobody_vouches_for_is_refused_unless_accepted(account: Account) -> None:
    tls = "ssl" if account.tls == "ssl" else "starttls"
    with pytest.raises(Trouble) as told:
        connect(replace(account, tls=tls, self_signed=False), LIMIT)
    assert told.value.lasting
    assert "certificate" in str(told.value)
    connect(replace(account, tls=tls, self_signed=True), LIMIT).close()


def test_what_cannot_be_reached_is_told_with_what_to_do(account: Account) -> None:
    with pytest.raises(Trouble, match="check the port"):
        connect(replace(account, port=free_port()), LIMIT)
    with pytest.raises(Trouble, match="no server called") as told:
        connect(replace(account, host="imap.nowhere.invalid"), LIMIT)
    assert told.value.values["host"] == "imap.nowhere.invalid"


def test_tls_on_a_plain_port_is_told(account: Account, dovecot: Dovecot) -> None:
    with pytest.raises(Trouble, match="does not speak TLS"):
        connect(replace(account, tls="ssl", port=dovecot.ports[account.kind]), LIMIT)


def test_line_breaks_never_reach_the_wire(account: Account) -> None:
    for name in ("user", "password", "folder", "host"):
        with pytest.raises(ValueError, match="line break"):
            connect(replace(account, **{name: "x\r\nA1 LOGOUT"}), LIMIT)


def test_news_wake_a_waiting_source_and_a_dead_server_is_noticed(account: Account, tmp_path: Path) -> None:
    with Dovecot(tmp_path, {USER: "secret"}) as own:
        source = connect(replace(account, port=own.ports[account.kind + ("s" if account.tls == "ssl" else "")], password="secret"), LIMIT)
        source.listing()
        waiting = source.idle()
        assert bool(waiting.socket) == (account.kind == "imap")
        if waiting.socket:
            own.put(USER, b"Subject: news\r\n\r\n")
            assert select.select([waiting.socket], [], [], 90)[0]
            source.idle_over()
            assert len(source.listing().messages) == 1
            waiting = source.idle()
            own.stop(signal.SIGKILL)
            assert waiting.socket and select.select([waiting.socket], [], [], 90)[0]
            with pytest.raises(Trouble, match="lost"):
                source.idle_over()
        own.stop(signal.SIGKILL)
        with pytest.raises(Trouble):
            source.listing()
            source.finish()
        source.close()


def test_batches_are_bounded_by_count_and_bytes() -> None:
    small, big = [Listed(str(number), 10) for number in range(250)], Listed("big", 50_000_000)
    assert [len(batch) for batch in batches(small)] == [100, 100, 50]
    assert [len(batch) for batch in batches([small[0], big, small[1], small[2]])] == [1, 1, 2]
    assert [len(batch) for batch in batches([Listed(str(number), 3_000_000) for number in range(5)])] == [2, 2, 1]
