"""Whose trouble is a refusal: the copy's, this mailing's, or the transport's as a whole.

A refusal at the greeting, TLS or AUTH, or no connection at all, is the transport's: everything waits and is tried again by
itself, after growing pauses. A refusal of MAIL FROM, or many alike in a row, is about this mailing (its sender, its content,
its rate): another transport of the route takes what is left; without one it pauses, the owners are told, and it is tried again
after a rest. Copies are not at fault either way.
"""

from __future__ import annotations

import re

ALIKE = 20
"""Refusals alike in a row that make them a trouble."""

_REST_SECONDS = {4: 600.0, 5: 3600.0}
_LONGEST = 5 * 86400.0  # as long as a copy is tried


# Enhanced codes (RFC 3463) that speak of one mailbox: however many follow each other, the next one may be fine.
_OF_THE_MAILBOX = re.compile(r"^[245]\.(?:1\.[1236]|1\.10|2\.\d{1,3})\b")
_OWN_WORDS = re.compile(r"<[^>]*>|\S+@\S+|\b\w*\d[\w.-]*\b")  # addresses, queue ids, times: what differs between alike replies


def likeness(code: int, text: str) -> str | None:
    """What refusals alike have in common; None for one that is plainly about its own mailbox."""
    if _OF_THE_MAILBOX.match(text):
        return None
    return f"{code} {text[:6] if text[1:2] == '.' else ''} {' '.join(_OWN_WORDS.sub('', text).split())[:200]}"


def rest(code: int, age: float) -> float | None:
    """Seconds a mailing rests after such a trouble; None when it is so old (``age`` in seconds) that somebody must decide."""
    wait = _REST_SECONDS.get(code // 100, 600.0)
    return None if age + wait > _LONGEST else wait


class Row:
    """Refusals alike in a row on one transport. ``add`` says when they become a trouble; an acceptance ends the row."""

    __slots__ = ("_like", "length")

    def __init__(self) -> None:
        self._like, self.length = "", 0

    def accepted(self) -> None:
        """Something was accepted: refusals so far stand for themselves."""
        self.length = 0

    def begins_anew(self, like: str) -> bool:
        """Whether a refusal of this likeness ends the row there was."""
        return self.length > 0 and like != self._like

    def add(self, like: str) -> bool:
        """Count one more; True when the row is long enough to be a trouble (and begins anew)."""
        self.length = self.length + 1 if like == self._like else 1
        self._like = like
        if self.length < ALIKE:
            return False
        self.length = 0
        return True
