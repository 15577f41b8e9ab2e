"""Reading MAIL and RCPT: path and parameters, in linear time whatever was sent."""

from __future__ import annotations

import re
from typing import NamedTuple

from colporteur.adapters.sources.lmtp import Answer

_PATH = re.compile(r'[ \t]*+<(?:@[^:<>]*+:)?((?:"(?:[^"\\]|\\.)*+"|[^\s"<>\\])*+)>[ \t]*+(.*)', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_PATH = 1024  # characters; RFC 5321 section 4.5.3.1.3 asks for 256 octets
_PARAMETER = re.compile(r"[A-Z0-9][A-Z0-9-]*+(?:=.+)?", re.DOTALL)


class RefusedError(Exception):
    """A command that cannot be read, and what is answered."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.answer: Answer = (code, text)


class Sender(NamedTuple):
    """What MAIL said: "" for the null sender, and the size it declared (0: none)."""

    address: str
    size: int


def sender(argument: str) -> Sender:
    """The argument of MAIL (RFC 5321 section 4.1.1.2, RFC 1870, 6152 and 6531). Raises ``RefusedError``."""
    address, words = _read(argument, "FROM:", "5.5.4 Syntax: MAIL FROM:<address> [parameters]")
    size = 0
    for name, value in words.items():
        if name not in ("SIZE", "BODY", "SMTPUTF8"):
            raise RefusedError(555, "5.5.4 Parameters not recognised")
        if name == "SIZE" and value.isascii() and value.isdigit():
            size = int(value[:20])
        elif value not in ("7BIT", "8BITMIME") if name == "BODY" else value or name == "SIZE":
            raise RefusedError(501, f"5.5.4 Not a value of {name}")
    return Sender(address, size)


def recipient(argument: str) -> str:
    """The argument of RCPT (RFC 5321 section 4.1.1.3). Raises ``RefusedError``."""
    address, words = _read(argument, "TO:", "5.5.4 Syntax: RCPT TO:<address>")
    if words:
        raise RefusedError(555, "5.5.4 Parameters not recognised")
    if not address:
        raise RefusedError(553, "5.1.3 Malformed address")
    return address


def _read(argument: str, keyword: str, syntax: str) -> tuple[str, dict[str, str]]:
    if argument[: len(keyword)].upper() != keyword:
        raise RefusedError(501, syntax)
    found = _PATH.match(argument, len(keyword))
    if not found or len(found[1]) > _MOST_PATH or _CONTROL.search(found[1]):
        raise RefusedError(553, "5.1.3 Malformed address")
    words = found[2].upper().split()
    if not all(_PARAMETER.fullmatch(word) for word in words):
        raise RefusedError(501, syntax)
    return found[1], {name: value for name, _, value in (word.partition("=") for word in words)}
