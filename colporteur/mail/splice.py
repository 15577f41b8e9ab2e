"""A message prepared once and completed per recipient: fixed bytes with slots between them.

Hot: ``copy_for`` and ``wire_for`` are one list copy, one slice assignment and one join. Everything about dots and line
ends is decided when the message is prepared; the values themselves cannot hold line ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from colporteur.mail import text

Writer = Callable[[str, str, str], bytes]  # (email, name, token) -> bytes, never empty, never with a line end at its start or end
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._~=-]+")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for values: who writes it, and how many planned slots it stands for."""

    write: Writer
    count: int = 1


def write_token(_email: str, _name: str, token: str) -> bytes:
    """The token, ASCII."""
    return token.encode("ascii")


def _stuffed(write: Writer) -> Writer:
    """The same at the beginning of a line: a leading dot is doubled (RFC 5321 section 4.5.2)."""

    def write_stuffed(email: str, name: str, token: str) -> bytes:
        value = write(email, name, token)
        return b"." + value if value.startswith(b".") else value

    return write_stuffed


def _layout(pieces: Sequence[bytes | Slot]) -> tuple[list[bytes], list[Writer]]:
    """Literals and writers in turn: literal, slot, literal, slot ... literal."""
    literals: list[bytes] = []
    writers: list[Writer] = []
    pending: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, Slot):
            literals.append(b"".join(pending))
            writers.append(piece.write)
            pending = []
        else:
            pending.append(piece)
    return [*literals, b"".join(pending)], writers


class Prepared:
    """One message for many recipients. ``needs_utf8``: only for servers with SMTPUTF8; ``individual``: it has slots."""

    __slots__ = ("_alone", "_order", "_parts", "_wire_alone", "_wire_order", "_wire_parts", "_wire_writers", "_writers", "individual", "needs_utf8")

    def __init__(self, pieces: Sequence[bytes | Slot], needs_utf8: bool) -> None:
        literals, writers = _layout(pieces)
        if not literals[-1].endswith(b"\r\n"):
            literals[-1] += b"\r\n"
        self.needs_utf8 = needs_utf8
        self.individual = bool(writers)
        stuffed = [literal.replace(b"\r\n.", b"\r\n..") for literal in literals]
        if stuffed[0].startswith(b"."):
            stuffed[0] = b"." + stuffed[0]
        at_start = [literal.endswith(b"\r\n") or (number == 0 and not literal) for number, literal in enumerate(literals[:-1])]
        self._parts, self._wire_parts = _template(literals), _template(stuffed)
        self._writers, self._order = _unique(list(zip(writers, [False] * len(writers), strict=True)))
        self._wire_writers, self._wire_order = _unique(list(zip(writers, at_start, strict=True)))
        self._alone = self._writers == [write_token]
        self._wire_alone = self._wire_writers == [write_token]

    def parts_for(self, email: str, name: str, token: str) -> list[bytes]:
        """The message for one recipient in its parts: literal, value, literal, value ... literal."""
        parts = self._parts.copy()
        if not self.individual:
            return parts
        email, name, token = _safe(email, name, token)
        if self._alone:
            parts[1::2] = [token.encode("ascii")] * len(self._order)
        else:
            made = [write(email, name, token) for write in self._writers]
            parts[1::2] = [made[number] for number in self._order]
        return parts

    @property
    def literals(self) -> list[bytes]:
        """What is the same in every copy; between each two stands a value."""
        return self._parts[0::2]

    def copy_for(self, email: str, name: str, token: str) -> bytes:
        """The message for one recipient, in CRLF lines. ``name`` falls back to the address."""
        return b"".join(self.parts_for(email, name, token))

    def wire_for(self, email: str, name: str, token: str, first: bytes = b"") -> bytes:
        """The same, dot-stuffed, without the final dot: what ``Outgoing.wire`` takes. ``first``: header lines to put before it."""
        if not self.individual:
            return first + self._wire_parts[0]
        email, name, token = _safe(email, name, token)
        parts = self._wire_parts.copy()
        if self._wire_alone:
            parts[1::2] = [token.encode("ascii")] * len(self._wire_order)
        else:
            made = [write(email, name, token) for write in self._wire_writers]
            parts[1::2] = [made[number] for number in self._wire_order]
        if first:
            parts[0] = first + parts[0]
        return b"".join(parts)


def _template(literals: list[bytes]) -> list[bytes]:
    out = [b""] * (2 * len(literals) - 1)
    out[0::2] = literals
    return out


def _unique(writers: list[tuple[Writer, bool]]) -> tuple[list[Writer], list[int]]:
    """Each writer once, and for every slot the number of its writer."""
    known: dict[tuple[Writer, bool], int] = {}
    order = [known.setdefault((write, start and write is not write_token), len(known)) for write, start in writers]
    return [_stuffed(write) if start else write for write, start in known], order


def _safe(email: str, name: str, token: str) -> tuple[str, str, str]:
    """Values that cannot end a line or a field."""
    if not (token.isascii() and token.isalnum()):
        token = _NOT_TOKEN.sub("", token).lstrip(".") or "none"
    if not email.isprintable():
        email = text.line(email)
    email = email or "nobody"
    if not name or name.isspace():
        return email, email, token
    if len(name) > 100 or not name.isprintable():
        name = text.line(name)[:100].strip() or email
    return email, name, token
