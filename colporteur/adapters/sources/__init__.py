"""Ways in that we fetch from: one file per kind, one shape.

A source says what lies in the account, hands out raw bytes, and removes what it is told to. It neither knows which
messages are new (the ledger does) nor what they mean. Every call may block; the socket has time-outs, so none blocks
for ever. All methods are called from one thread at a time, ``interrupt`` from any.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

CONNECT_SECONDS = 20.0
READ_SECONDS = 60.0
IDLE_SECONDS = 9 * 60.0
"""A server may end an idle connection after 30 minutes (RFC 2177); routers forget it earlier."""
BATCH_COUNT = 100
BATCH_BYTES = 8 * 1024 * 1024


class Trouble(Exception):
    """The account cannot be used now. ``sentence`` has {names} filled from ``values`` and says what to do.

    ``lasting``: it will not pass by itself (password, name, certificate). ``detail``: the server's or the system's words.
    ``usable``: the connection may be used on.
    """

    def __init__(self, sentence: str, *, lasting: bool = False, usable: bool = False, detail: str = "", **values: str | int) -> None:
        self.sentence, self.lasting, self.usable, self.detail = sentence, lasting, usable, printable(detail)
        self.values: Mapping[str, str | int] = values
        super().__init__(sentence.format(**values) + (f" ({self.detail})" if self.detail else ""))


class Listed(NamedTuple):
    """One message lying in the account; ``size`` in bytes as the server says."""

    uid: str
    size: int


class Listing(NamedTuple):
    """What lies in the account. ``validity``: UIDVALIDITY (RFC 9051 section 2.3.1.1), 0 for POP3."""

    validity: int
    messages: tuple[Listed, ...]


class Fetched(NamedTuple):
    """Raw bytes of one message; None when the server lists it but gives nothing."""

    uid: str
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a live test saw in the account."""

    messages: int
    folders: tuple[str, ...]  # empty for POP3
    idles: bool
    moves: bool  # MOVE offered; else COPY and EXPUNGE


class Waiting(NamedTuple):
    """How to wait for news: ``news`` there is some already; else ``socket`` becomes readable, or is None where the server
    does not push."""

    news: bool
    socket: socket.socket | None


class Source(Protocol):
    """One account, connected at construction. Every method raises ``Trouble``; after one that is not
    ``usable`` only ``close`` is called."""

    def listing(self) -> Listing: ...

    def fetch(self, messages: Sequence[Listed]) -> Iterator[Fetched]:
        """Messages of the last listing; one that vanished meanwhile is left out."""
        ...

    def remove(self, uids: Sequence[str]) -> None:
        """Move or delete; definitive once ``finish`` has returned."""
        ...

    def finish(self) -> None:
        """Make removals definitive. After it ``listing`` must come first."""
        ...

    def idle(self) -> Waiting:
        """Begin to wait for news."""
        ...

    def idle_over(self) -> None:
        """Stop waiting (after ``idle`` gave a socket), and prove that the server still answers."""
        ...

    def found(self) -> Found: ...

    def interrupt(self) -> None:
        """Make whatever blocks in another thread fail at once."""
        ...

    def close(self) -> None:
        """Say goodbye when possible; never raises."""
        ...


def batches(messages: Iterable[Listed], count: int = BATCH_COUNT, size: int = BATCH_BYTES) -> Iterator[list[Listed]]:
    """Groups of at most ``count`` messages and ``size`` bytes; a message larger than that goes alone."""
    batch: list[Listed] = []
    total = 0
    for message in messages:
        if batch and (len(batch) >= count or total + message.size > size):
            yield batch
            batch, total = [], 0
        batch.append(message)
        total += message.size
    if batch:
        yield batch


def printable(text: str | bytes, limit: int = 300) -> str:
    """Foreign words made fit for one line of a log or a screen."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text[:limit]).strip()
