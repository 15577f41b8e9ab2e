"""The LMTP dialogue whatever the portions: any cut of the same bytes gives the same replies and the same messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from colporteur.adapters.sources.lmtp import Answer
from colporteur.adapters.sources.lmtp.dialogue import Session
from colporteur.adapters.sources.lmtp.listener import Listener

MAX = 200


class Desk:
    """Knows some recipients at once, others after a moment; takes everything."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str, tuple[str, ...]]] = []

    def known(self, recipient: str) -> Answer | Awaitable[Answer]:
        answer = (550, "5.1.1 No such list here") if recipient.startswith("nobody") else (250, "2.1.5 Yes")
        return answer if "now" in recipient else self._later(answer)

    async def take(self, raw: bytes, mail_from: str, recipients: Sequence[str]) -> Sequence[Answer]:
        await asyncio.sleep(0)
        self.taken.append((raw, mail_from, tuple(recipients)))
        return [(250, "2.6.0 Taken")] * len(recipients)

    async def _later(self, answer: Answer) -> Answer:
        await asyncio.sleep(0)
        return answer


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.said = b""
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.said += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def converse(pieces: Sequence[tuple[bytes, int]], ended: bool = True) -> tuple[bytes, list[Any], bool]:
    """What is said, taken, and whether the session was closed, when the pieces come with so many turns between them."""

    async def run() -> tuple[bytes, list[Any], bool]:
        desk, wire = Desk(), Wire()
        listener = Listener(desk, max_size=MAX, hostname="lists.example")
        session = Session(listener)
        session.connection_made(cast(asyncio.Transport, wire))
        for piece, turns in pieces:
            if wire.closed:
                break
            session.data_received(piece)
            for _ in range(turns):
                await asyncio.sleep(0)
            while wire.paused:
                await asyncio.sleep(0)
        while session.waits:
            await asyncio.sleep(0)
        closed = wire.closed
        session.connection_lost(None)
        assert listener.room.used == 0
        return wire.said, desk.taken, closed

    return asyncio.run(run())


COMMANDS = st.sampled_from(
    [
        b"LHLO x\r\n", b"lhlo y\n", b"LHLO\r\n", b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"MAIL FROM:<> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n", b"MAIL FROM:<a@b.example> SIZE=201\r\n",
        b"MAIL FROM:<a@b.example> FOO\r\n", b"RCPT TO:<now@x.example>\r\n", b"RCPT TO:<later@x.example>\r\n", b"RCPT TO:<nobody@x.example>\r\n", b"RCPT TO:<nobody-now@x.example>\r\n",
        b"RCPT TO:<\xff@x.example>\r\n", b"DATA\r\n", b"data\r\n", b"DATA x\r\n", b"RSET\r\n", b"NOOP\r\n", b"VRFY x\r\n", b"\r\n", b".\r\n", b"x" * 2100 + b"\r\n", b"NOOP\r\r\n", b"QUIT\r\n",
    ]
)  # fmt: skip
LINES = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"\n", b"\r", b"\x00", b"word", b"\r\n.\n", b"\n.\r\n", b"\r\n..\r\n", b"y" * 150, b"QUIT\r\n"]), max_size=8).map(b"".join)
TRANSACTION = st.tuples(st.sampled_from([b"now", b"later"]), LINES).map(
    lambda one: b"LHLO z\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<now@x.example>\r\nRCPT TO:<" + one[0] + b"@x.example>\r\nDATA\r\n" + one[1] + b"\r\n.\r\n"
)
STREAMS = st.lists(st.one_of(COMMANDS, TRANSACTION, LINES), max_size=14).map(b"".join)


@settings(max_examples=250, deadline=None)
@given(STREAMS, st.lists(st.tuples(st.integers(1, 60), st.integers(0, 4)), max_size=40))
@example(b"LHLO z\r\nMAIL FROM:<>\r\nRCPT TO:<later@x.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n", [(1, 0)] * 40)
def test_any_cut_of_the_same_bytes_gives_the_same_replies(stream: bytes, cuts: list[tuple[int, int]]) -> None:
    pieces, at = [], 0
    for size, turns in cuts:
        pieces.append((stream[at : at + size], turns))
        at += size
    pieces = [(piece, turns) for piece, turns in [*pieces, (stream[at:], 0)] if piece]
    assert converse(pieces) == converse([(stream, 0)] if stream else [])


@settings(max_examples=250, deadline=None)
@given(LINES, st.lists(st.integers(1, 9), max_size=30))
def test_a_message_comes_out_as_it_was_said(lines: bytes, cuts: list[int]) -> None:
    """Whatever is written with doubled dots is taken as it was, in any portions, and nothing behind it is swallowed."""
    message = lines.replace(b"\r\n.\r\n", b"") + b"\r\n"
    wire = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    stream = b"LHLO z\r\nMAIL FROM:<>\r\nRCPT TO:<now@x.example>\r\nDATA\r\n" + wire + b"NOOP\r\n"
    pieces, at = [], 0
    for size in cuts:
        pieces.append((stream[at : at + size], size % 3))
        at += size
    said, taken, closed = converse([(piece, turns) for piece, turns in [*pieces, (stream[at:], 0)] if piece])
    if len(message) > MAX:
        assert said.endswith(b"552 5.3.4 Message too big\r\n250 2.0.0 OK\r\n") and not taken
    else:
        assert said.endswith(b"250 2.6.0 Taken\r\n250 2.0.0 OK\r\n") and taken == [(message, "", ("now@x.example",))]
    assert not closed


def test_ten_thousand_commands_at_once_are_answered_in_turns() -> None:
    """Nothing is lost, nothing takes square time, and what a client has not read bounds what is read of it."""
    said, _, closed = converse([(b"NOOP\r\n" * 10_000, 0), (b"NOOP\r\n" * 30_000, 0), (b"NOOP\r\n" * 10_000, 0)])
    assert said.count(b"250 2.0.0 OK\r\n") == 50_000 and not closed


def test_what_a_client_has_not_read_stops_the_dialogue() -> None:
    async def run() -> None:
        desk, wire = Desk(), Wire()
        session = Session(Listener(desk, max_size=MAX))
        session.connection_made(cast(asyncio.Transport, wire))
        session.pause_writing()
        before = len(wire.said)
        for _ in range(30):
            session.data_received(b"NOOP\r\n" * 1000)
        assert len(wire.said) == before and wire.paused
        session.resume_writing()
        while session.waits:
            await asyncio.sleep(0)
        assert wire.said.count(b"250 2.0.0 OK\r\n") == 30_000 and not wire.paused
        session.connection_lost(None)

    asyncio.run(run())


def test_no_lmtp_is_closed() -> None:
    said, _, closed = converse([(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: x\r\nA: x\r\nB: x\r\n\r\nLHLO x\r\n", 0)])
    assert closed and said.endswith(b"421 4.7.0 Too much that is no LMTP\r\n")


def test_nobody_holds_a_session_with_octets_now_and_then() -> None:
    """Half a command does not renew the deadline, and data must come at a thousand octets a second in the long run."""

    class Clock(asyncio.SelectorEventLoop):
        now = 1000.0

        def time(self) -> float:
            return self.now

    async def run() -> None:
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        session = Session(Listener(Desk(), max_size=10**9, idle=300))
        session.connection_made(cast(asyncio.Transport, Wire()))
        session.data_received(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<now@x.example>\r\n")
        assert session.deadline == 1300
        clock.now = 1200
        session.data_received(b"DAT")
        assert session.deadline == 1300
        session.data_received(b"A\r\n")
        assert session.deadline == 1500
        clock.now = 1400
        session.data_received(b"x")
        assert session.deadline < 1501
        session.data_received(b"x" * 500_000)
        assert session.deadline == 1700  # however much came at once, a silence is never longer than the idle time
        session.connection_lost(None)

    loop = Clock()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
