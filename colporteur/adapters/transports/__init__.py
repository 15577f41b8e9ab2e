"""Ways out: one file per kind, one shape.

A transport takes copies from a ``Feed`` and tells each one's ``Outcome``. It never decides what an outcome means for a
person or a mailing, and knows neither rows nor slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Traits:
    """What a transport can do; planning reads traits, never kinds."""

    envelope_sender: bool = True  # takes any envelope sender: signed VERP is possible
    raw_mime: bool = True  # takes our bytes as they are
    max_recipients: int = 100  # of one transaction with identical copies


class Outgoing(NamedTuple):
    """One transaction to make. ``wire`` is the message in CRLF lines, dot-stuffed, ending in CRLF, without the final dot."""

    key: tuple[int, int]  # (mailing, address), handed back with the outcome
    sender: bytes  # MAIL FROM, empty for the null sender
    recipient: bytes
    wire: bytes
    utf8: bool = False  # needs SMTPUTF8 (RFC 6531)


class Result(IntEnum):
    """What became of one transaction."""

    SENT = 1  # accepted: code 2xx to the data
    DEFERRED = 2  # 4xx about this recipient or these data
    FAILED = 3  # 5xx about this recipient or these data
    UNSENT = 4  # never reached the data: may be given back as if untouched
    UNKNOWN = 5  # the connection died between the data and the reply


class Outcome(NamedTuple):
    """Result of one transaction with the reply that caused it (code 0 when there was none)."""

    key: tuple[int, int]
    result: Result
    code: int
    text: str


class Trouble(Exception):
    """The transport's own trouble (greeting, TLS, AUTH, MAIL FROM refused, host not reachable): not the copies' fault.

    ``code`` and ``text`` are the server's reply, or 0 and the system's words.
    """

    def __init__(self, code: int, text: str, stage: str) -> None:
        super().__init__(f"{stage}: {code} {text}" if code else f"{stage}: {text}")
        self.code, self.text, self.stage = code, text, stage


class Feed(Protocol):
    """Where copies come from. ``take`` returns None when there is nothing to send now; the transport then calls
    ``wait`` and tries again until ``closed``."""

    closed: bool

    def take(self) -> Outgoing | None: ...

    async def wait(self) -> None: ...


class Transport(Protocol):
    """One way out, open until ``close``. ``run`` sends what the feed gives until the feed is closed, calling ``settle``
    for every copy taken, exactly once; raises ``Trouble`` after settling what it had taken."""

    traits: Traits

    async def run(self, feed: Feed, settle: Callable[[Outcome], None]) -> None: ...

    async def check(self) -> str:
        """Connect, greet, authenticate, and say what was found in one line. Raises ``Trouble``."""
        ...

    async def close(self) -> None: ...
