"""Ways out: one file (or folder) per kind, one shape.

A transport takes copies from a ``Feed`` and tells it each one's ``Outcome``. It never decides what an outcome means for a
person or a mailing, and knows neither rows nor slices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from colporteur.domain.services import SERVICES

KINDS: dict[str, str] = {
    "smtp": "colporteur.adapters.transports.smtp",
    "smtps": "colporteur.adapters.transports.smtp",
    "folder": "colporteur.adapters.transports.folder",
    **dict.fromkeys(SERVICES, "colporteur.adapters.transports.esp"),
}
"""URL scheme -> module, loaded at first use; the module offers ``open_url(url, connections) -> Transport``
and raises ``ValueError`` with a sentence when the URL cannot be used."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a transport can do; planning reads traits, never kinds."""

    envelope_sender: bool = True  # takes any envelope sender: signed VERP is possible
    raw_mime: bool = True  # takes our bytes as they are
    numbers: bool = False  # tells later by numbers of its own: they come as the text of what was sent


class Outgoing:
    """One transaction to make: a message for one recipient, or the same bytes for several. Whoever feeds may derive from it.

    ``key``: (mailing, address of the first recipient); messages of one mailing differ in checked values only. ``wire`` is the
    message in CRLF lines, dot-stuffed, ending in CRLF, without the final dot. ``sender``: MAIL FROM, empty for the null
    sender. ``utf8``: needs SMTPUTF8 (RFC 6531). ``cap``: (destination, how many messages to it one connection may carry), None
    without such a bound. ``token`` names the copy for services that tell of it later; ``bulk``: it is one of a newsletter.
    """

    __slots__ = ("bulk", "cap", "key", "recipients", "sender", "token", "utf8", "wire")

    def __init__(self, key: tuple[int, int], sender: bytes, recipients: tuple[bytes, ...], wire: bytes, utf8: bool = False, cap: tuple[int, int] | None = None) -> None:
        self.key, self.sender, self.recipients, self.wire, self.utf8, self.cap = key, sender, recipients, wire, utf8, cap
        self.token, self.bulk = "", False


class Result(IntEnum):
    """What became of a copy."""

    SENT = 1  # accepted: code 2xx to the data
    DEFERRED = 2  # 4xx about this recipient or these data
    FAILED = 3  # 5xx about this recipient or these data
    UNSENT = 4  # never reached the data: may be given back as if untouched
    UNKNOWN = 5  # the connection died between the data and the reply


class Outcome(NamedTuple):
    """What became of recipient number ``nth`` of a transaction, from 0, with the reply that caused it (code 0 when there was none).

    Of a copy that was ``SENT`` the text is the number the other side gave it, where that will be needed to know it again.
    """

    copy: Outgoing
    nth: int
    result: Result
    code: int
    text: str


class Stage(IntEnum):
    """How far a dialogue came before it met trouble."""

    CONNECT = 1  # no connection, or it is lost again and again
    GREETING = 2  # greeting, EHLO
    TLS = 3
    AUTH = 4
    SENDER = 5  # MAIL FROM: this sender is not welcome, others may be


class Trouble(Exception):
    """The transport's own trouble, not the copies' fault: greeting, TLS, AUTH or MAIL FROM refused, host not reachable.

    ``code`` and ``text`` are the server's reply, or 0 and the system's words. ``temporary``: trying later may help.
    ``key``: the copy that was under way at ``Stage.SENDER``.
    """

    def __init__(self, stage: Stage, code: int, text: str, *, temporary: bool | None = None, key: tuple[int, int] | None = None) -> None:
        super().__init__(f"{code} {text}" if code else text)
        self.stage, self.code, self.text, self.key = stage, code, text, key
        self.temporary = (code == 0 or code // 100 == 4) if temporary is None else temporary


class Feed(Protocol):
    """Where copies come from and their outcomes go: each recipient of each copy taken has exactly one outcome.

    ``take`` returns None when there is nothing to send now. ``changed`` is set by the feed when that may be different, when
    ``shut`` ends or when ``closed`` becomes true; the transport clears it, and may set it for itself. While ``shut`` no
    message may be handed over: envelopes already begun wait. A copy that waited longer than an answer takes is sent only if
    it is ``still`` to be sent.
    """

    closed: bool
    changed: asyncio.Event

    @property
    def shut(self) -> bool: ...
    def take(self) -> Outgoing | None: ...
    def still(self, copy: Outgoing) -> bool: ...
    def accepted(self, copy: Outgoing) -> None: ...  # the usual outcome, by every recipient of the copy
    def settle(self, outcome: Outcome) -> None: ...


class Transport(Protocol):
    """One way out, open until ``close``. ``recipients``: the most it takes in one transaction."""

    traits: Traits
    recipients: int

    async def run(self, feed: Feed) -> None:
        """Send what the feed gives until it is closed, and tell it every outcome.

        What is in the dialogue when the feed closes is finished. Raises ``Trouble`` after settling what it had taken;
        connections stay usable and ``run`` may be called again.
        """
        ...

    async def check(self) -> str:
        """Connect, greet, authenticate, and say what was found in one line. Raises ``Trouble``."""
        ...

    async def close(self) -> None:
        """End politely; what is still in the dialogue is cut off and settled UNKNOWN or UNSENT."""
        ...


def undotted(wire: bytes) -> bytes:
    """The message of a copy without its transport dots (RFC 5321 section 4.5.2)."""
    message = wire.replace(b"\r\n..", b"\r\n.")
    return message[1:] if message.startswith(b"..") else message


def open_transport(url: str, connections: int) -> Transport:
    """A transport from its URL (contract: ``smtp://user:pass@host:port?tls=starttls``, ``folder:///path``).

    Nothing is connected yet. ``connections``: at most so many at once. Raises ``ValueError`` saying what to write.
    """
    kind = urlsplit(url).scheme
    if kind not in KINDS:
        raise ValueError(f"{kind or url!r} is not a kind of transport: write one of {', '.join(f'{known}://' for known in KINDS)}")
    opener: Callable[[str, int], Transport] = import_module(KINDS[kind]).open_url
    return opener(url, connections)
