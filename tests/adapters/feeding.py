"""A feed for transports under test, and what came of its copies."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import uvloop

from colporteur.adapters.transports import Outcome, Outgoing, Result, Transport, Trouble

R = TypeVar("R")


def copy(number: int = 1, *, recipient: str = "", sender: str = "list-bounces@lists.example", wire: bytes = b"", mailing: int = 1, utf8: bool = False) -> Outgoing:
    """A copy with a message of its own."""
    message = wire or b"Message-ID: <%d@lists.example>\r\nFrom: Friends <friends@lists.example>\r\nSubject: n\r\n\r\nHello %d\r\n" % (number, number)
    return Outgoing((mailing, number), sender.encode(), ((recipient or f"m{number}@members.example").encode(),), message, utf8)


class Feed:
    """Gives ``copies`` in order and closes when all have an outcome; ``refill`` gives more then, once."""

    def __init__(self, copies: Sequence[Outgoing]) -> None:
        self._copies = list(reversed(copies))
        self._expected = sum(len(copy.recipients) for copy in copies)
        self.closed = not copies
        self.changed = asyncio.Event()
        self.shut = False
        self.outcomes: dict[tuple[int, int], Outcome] = {}

    def take(self) -> Outgoing | None:
        return self._copies.pop() if self._copies else None

    def still(self, copy: Outgoing) -> bool:
        return True

    def accepted(self, copy: Outgoing) -> None:
        for index in range(len(copy.recipients)):
            self.settle(Outcome(copy, index, Result.SENT, 250, ""))

    def settle(self, outcome: Outcome) -> None:
        key = (outcome.copy.key[0], outcome.copy.key[1] + outcome.nth)
        assert key not in self.outcomes, "settled twice"
        self.outcomes[key] = outcome
        if len(self.outcomes) == self._expected:
            self.closed = True
            self.changed.set()


class Sent:
    """What ``send`` came to: outcomes by number of the copy, and the trouble that ended it."""

    def __init__(self, feed: Feed, trouble: Trouble | None) -> None:
        self.outcomes = {key[1]: outcome for key, outcome in feed.outcomes.items()}
        self.trouble = trouble

    def results(self) -> list[str]:
        return [self.outcomes[number].result.name for number in sorted(self.outcomes)]


async def feed_to(transport: Transport, copies: Sequence[Outgoing]) -> Sent:
    """Run the transport until every copy has its outcome or it is in trouble."""
    feed = Feed(copies)
    try:
        async with asyncio.timeout(120):
            await transport.run(feed)
    except Trouble as trouble:
        return Sent(feed, trouble)
    return Sent(feed, None)


def run(work: Coroutine[Any, Any, R]) -> R:
    """On uvloop, as in the worker."""
    return uvloop.run(work)


def send(transport: Transport, copies: Sequence[Outgoing]) -> Sent:
    """``feed_to`` and ``close`` in a loop of their own."""

    async def work() -> Sent:
        try:
            return await feed_to(transport, copies)
        finally:
            await transport.close()

    return run(work())
