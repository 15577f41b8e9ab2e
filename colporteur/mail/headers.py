"""Header fields: cheap byte scans of foreign ones, and our own writer.

Everything reads and cuts the *canonical* form of a message (every line end is CRLF), so that what was judged, what is
shown and what is delivered are the same bytes. Own writer, because folding in the ``email`` package of Python 3.11.7
can be made to lose the quotes around a comma (CVE-2025-1795).
Sources: RFC 5322 sections 2.2 and 3.2, RFC 2047, RFC 2045 section 5.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable
from functools import lru_cache
from typing import NamedTuple

from colporteur.mail import text

MAX_FIELDS = 1000
MAX_BYTES = 256 * 1024  # of a header block; the rest is left out of everything
_FIELD = re.compile(rb"([!-9;-~]++)([ \t]*+):([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)(?:\r\n|\Z)")
_OTHERS = re.compile(rb"(?:(?!--)[!-9;-~]++[ \t]*+:[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+\r\n)*+")
_FROM_LINE = re.compile(rb">?From (?![ \t]*+:)[^\r\n]*+\r\n")
_EMPTY_LINES = b"\r\n" * 4096
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_TRACE = frozenset(
    b"received return-path delivered-to x-original-to envelope-to x-envelope-to x-envelope-from x-delivered-to x-rcpt-to authentication-results "
    b"dkim-signature domainkey-signature dkim-filter received-spf x-received x-google-smtp-source x-google-dkim-signature x-gm-message-state x-uidl x-uid "
    b"status x-status x-keywords content-length lines x-mozilla-status x-mozilla-status2 x-mozilla-keys x-evolution-source x-loop-count".split()
)
_TRACE_STARTS = (b"arc-", b"x-spam", b"x-virus", b"x-rspamd", b"x-ovh-", b"x-ms-exchange-", b"x-microsoft-antispam", b"x-forefront-")
TRACE_FIELD = "X-Colporteur-Trace"


class Field(NamedTuple):
    """One header field: lower-case name, and offsets of the whole field and of its value (without the last CRLF)."""

    name: bytes
    start: int
    value: int
    stop: int  # end of the value
    end: int  # start of the next field


def canonical(raw: bytes) -> bytes:
    """``raw`` with CRLF at every line end: bare LF, bare CR and CR CR LF become CRLF. Linear; canonical bytes come back as they are.

    It holds inside signed parts too: signatures are made over CRLF, and a bare CR or LF is what SMTP smuggling needs.
    """
    count = raw.count(b"\n")
    if count == raw.count(b"\r") == raw.count(b"\r\n"):
        return raw
    for _ in range(3):
        raw = raw.replace(b"\r\n", b"\n")
    return raw.replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def block(data: bytes, start: int = 0, stop: int | None = None, borders: Container[bytes] = ()) -> tuple[list[Field], int, bool]:
    """Fields of the header block at ``start`` of canonical ``data``, the offset of the body, and whether a limit cut something.

    The block ends at an empty line, before the first line that is no field (as Postfix does it), or before a line in
    ``borders`` (a MIME delimiter with its two hyphens). Beyond 1000 fields or 256 KB fields are passed over.
    """
    stop = len(data) if stop is None else stop
    position = first.end() if start == 0 and (first := _FROM_LINE.match(data)) else start
    fields: list[Field] = []
    cut = False
    while match := _FIELD.match(data, position, stop):
        if match[1].startswith(b"--") and borders and data[position : position + 900].partition(b"\r\n")[0].rstrip() in borders:
            break
        position = match.end()
        if len(fields) < MAX_FIELDS and position - start <= MAX_BYTES:
            fields.append(Field(match[1].lower(), match.start(), match.start(3), match.end(3), position))
            continue
        if not cut and len(fields) < MAX_FIELDS and match.start(3) < start + MAX_BYTES:  # the beginning of a very long field is worth keeping
            room = max(data.rfind(end, match.start(3), start + MAX_BYTES) for end in (b"\r\n", b" "))
            fields.append(Field(match[1].lower(), match.start(), match.start(3), max(room, match.start(3)), position))
        cut = True
        if passed := _OTHERS.match(data, position, stop):
            position = passed.end()
    return fields, position + 2 if data.startswith(b"\r\n", position, stop) else position, cut


def unfolded(data: bytes, field: Field) -> bytes:
    """The value in one line, trimmed."""
    return _FOLD.sub(b"", data[field.value : field.stop]).strip()


def content_key(raw: bytes) -> bytes:
    """SHA-256 of the message without what transport adds (Received, Return-Path, ARC, DKIM, spam marks ...), folding and
    line ends made alike and trailing empty lines dropped: two arrivals of one message have one key."""
    data = canonical(raw)
    fields, body, _ = block(data)
    digest = hashlib.sha256()
    for field in fields:
        if field.name not in _TRACE and not field.name.startswith(_TRACE_STARTS):
            digest.update(field.name + b":" + b" ".join(data[field.value : field.stop].split()) + b"\r\n")
    end = len(data)
    while data.endswith(_EMPTY_LINES, body, end):
        end -= len(_EMPTY_LINES)
    while end - 2 >= body and data[end - 2 : end] == b"\r\n":
        end -= 2
    digest.update(b"\r\n")
    digest.update(memoryview(data)[body:end])
    return digest.digest()


def _values(raw: bytes, name: bytes) -> Iterable[bytes]:
    # Only the beginning: callers ask for one small field of a message that may be large.
    data = canonical(raw[: MAX_BYTES + 1024])
    return (unfolded(data, field) for field in block(data)[0] if field.name == name)


def message_id(raw: bytes) -> str:
    """Message-ID with its angle brackets, "" when there is none. At most 998 characters, no white space."""
    return identifier(next(iter(_values(raw, b"message-id")), b""))


def identifier(value: bytes) -> str:
    """A msg-id as text without white space and control characters; "" when the value holds none."""
    found = re.search(rb"<[^<>]*+>", value)
    return "".join(text.line(text.decode(found[0] if found else value)[0]).split())[:998]


def trace_tokens(raw: bytes) -> tuple[str, ...]:
    """Tokens of our own X-Colporteur-Trace fields (domain.tokens), lower case; unverified."""
    return tuple(found.lower() for value in _values(raw, TRACE_FIELD.lower().encode()) if (found := text.header(value)) and found.isalnum() and len(found) <= 64)


_TRACE_INSIDE = re.compile(rb"(?im)^[> \t]{0,8}" + re.escape(TRACE_FIELD.encode()) + rb":[ \t]*([a-z2-7]{24})\r?$")


def returned_tokens(raw: bytes) -> tuple[str, ...]:
    """Tokens of our trace fields anywhere in a report, the returned original's above all; lower case, unverified, at most 20."""
    return tuple(found[1].decode().lower() for found, _ in zip(_TRACE_INSIDE.finditer(raw), range(20), strict=False))


# ---- writing ----

_SAFE_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


@lru_cache(maxsize=4096)
def _quoted(character: str) -> str:
    return "_" if character == " " else "".join(chr(b) if b in _SAFE_WORD else f"={b:02X}" for b in character.encode())


def encoded_words(value: str) -> str:
    """RFC 2047 words of at most 75 characters, UTF-8 quoted, safe in phrases and unstructured text, cut between characters."""
    words, current = [], ""
    for character in value.encode("utf-8", "replace").decode():
        quoted = _quoted(character)
        if len(current) + len(quoted) > 63:
            words.append(current)
            current = ""
        current += quoted
    return " ".join(f"=?utf-8?q?{word}?=" for word in (*words, current) if word)


def unstructured(value: str) -> str:
    """``value`` for Subject and the like: as it is when plain ASCII, else in encoded words. Control characters go."""
    value = text.line(value)
    plain = value.isascii() and "=?" not in value and max(map(len, value.split(" ")), default=0) < 900
    return value if plain else encoded_words(value)


def phrase(name: str) -> str:
    """A display name: bare, quoted, or in encoded words."""
    name = text.line(name)
    if not name.isascii() or "=?" in name:
        return encoded_words(name)
    return name if _PHRASE.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox(name: str, email: str) -> str:
    """``Name <address>``; the bare address without a name."""
    email = re.sub(r"[\s<>\x00-\x1f\x7f]+", "", email)
    return f"{phrase(name)} <{email}>" if name.strip() else email


def field(name: str, value: str) -> bytes:
    """One field, folded at white space to 78 columns where possible and never beyond 990 octets, ending in CRLF.

    ``value`` comes from the functions above; line ends and control characters in it are turned into spaces, so no
    value can begin another field.
    """
    value = text.line(value) if not value.isprintable() else value.strip()
    lines, current = [], f"{name}:"
    for word in value.split(" "):
        if len(current) + 1 + len(word.encode()) > 78 and current.strip(" ") and current != f"{name}:":
            lines.append(current)
            current = ""
        current += f" {word}"
        while len(current.encode()) > 990:
            lines.append(current[:240])
            current = " " + current[240:]
    return "\r\n".join((*lines, current)).encode("utf-8", "replace") + b"\r\n"
