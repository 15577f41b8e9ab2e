"""The LMTP listener: our own dialogue, an ``asyncio.Protocol`` without a task, a timer or a thread per message.

``docs/decisions/lmtp.md`` tells why. The data end at CRLF.CRLF and nowhere else; every other CR and LF is data (no SMTP
smuggling), lines may have any length: the other doors take them too.
Sources: RFC 2033, RFC 5321 sections 4.1.1 and 4.5, RFC 1870, RFC 2034, RFC 2920, RFC 6152, RFC 6531.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

MAX_RECIPIENTS = 100

Answer = tuple[int, str]
"""Reply code, and text beginning with the enhanced status code."""


class Intake(Protocol):
    """Who decides. Both may raise, at once or later: that is answered 451."""

    def known(self, recipient: str) -> Answer | Awaitable[Answer]:
        """Whether mail for this recipient is taken; at once where that is known."""
        ...

    def take(self, raw: bytes, mail_from: str, recipients: Sequence[str]) -> Awaitable[Sequence[Answer]]:
        """Commit one message; one answer per recipient."""
        ...
