"""The message of a newsletter: written once with its fields in it, then completed for each reader.

``compose`` writes what is stored: text and HTML in one multipart/alternative, embedded pictures beside the HTML (RFC 2387), files
after them. It can be read like any message, and shows what went out. ``prepare`` cuts it at what differs from reader to reader.

In quoted-printable every piece, literal or value, stands on lines of its own ended by soft line breaks (RFC 2045 section 6.7), so
no value can make a line too long or change how another piece decodes. Both lanes write the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from colporteur.domain.campaigns import Lane
from colporteur.mail import encoding, parameters, rewrite, structure, text
from colporteur.mail.campaigns import fields
from colporteur.mail.campaigns.fields import COPY_TOKEN, READER_MARK, Compiled, Part
from colporteur.mail.campaigns.sandbox import Meter
from colporteur.mail.compose import bracketed, date_field
from colporteur.mail.headers import field, mailbox, unfolded, unstructured
from colporteur.mail.render import PrepareError, Rewriting
from colporteur.mail.structure import Structure

Reader = Mapping[str, Any]
"""What is known of a reader, by field; ``copy_token`` names the copy."""
_Write = Callable[[Reader, Meter], bytes]
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+/-]*(?: [A-Za-z0-9][A-Za-z0-9@._+/-]*)*")  # needs no quoting
_SHORT = 100
_LITERALS = 10_000
"""Literal pieces a slow part keeps encoded."""


class File(NamedTuple):
    """A file that goes along: ``content_id``, without brackets, of a picture the HTML shows; "" for an attachment."""

    name: str
    content_type: str
    content_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Newsletter:
    """What is composed. Addresses are bare, ``date`` is aware; subject, text and HTML have their fields in them; without ``html`` it is text alone."""

    sender_name: str
    sender: str
    subject: str
    text: str
    html: str
    message_id: str
    date: datetime
    language: str
    reply_to: str = ""
    feedback_id: str = ""  # a:b:c:sender, as large receivers group complaints
    files: Sequence[File] = ()


@dataclass(frozen=True, slots=True)
class Manner(Rewriting):
    """How copies of a newsletter are completed; what is frozen with its mailing. URLs have ``{token}`` where the copy is named."""

    leave_url: str = ""
    preferences_url: str = ""
    web_url: str = ""
    used: tuple[str, ...] = ()  # fields the newsletter asks of its readers
    attributes: tuple[str, ...] = ()  # of the lists it goes to


def compose(newsletter: Newsletter) -> bytes:
    """The whole message in CRLF lines, ``To`` and the list's own fields left to ``prepare``. No value can begin another field."""
    out = [
        field("From", mailbox(newsletter.sender_name, newsletter.sender)),
        field("Subject", unstructured(newsletter.subject)),
        field("Date", date_field(newsletter.date)),
        field("Message-ID", bracketed(newsletter.message_id)),
    ]
    if newsletter.reply_to:
        out.append(field("Reply-To", mailbox("", newsletter.reply_to)))
    if newsletter.feedback_id:
        out.append(field("Feedback-ID", newsletter.feedback_id))
    if newsletter.language:
        out.append(field("Content-Language", newsletter.language))
    # Exchange sends absence notices to newsletters; this is what it looks at.
    out += [field("X-Auto-Response-Suppress", "OOF, AutoReply"), b"MIME-Version: 1.0\r\n"]
    whole = _leaf("text/plain", newsletter.text)
    if newsletter.html:
        whole = _container("multipart/alternative", [whole, _related(newsletter)])
    if attached := [_enclosed(file) for file in newsletter.files if not file.content_id]:
        whole = _container("multipart/mixed", [whole, *attached])
    return b"".join(out) + whole + (b"" if whole.endswith(b"\r\n") else b"\r\n")


def _related(newsletter: Newsletter) -> bytes:
    rich = _leaf("text/html", newsletter.html)
    embedded = [_enclosed(file) for file in newsletter.files if file.content_id]
    return _container('multipart/related; type="text/html"', [rich, *embedded]) if embedded else rich


def _leaf(kind: str, words: str) -> bytes:
    data = re.sub(r"\r\n?|\n", "\r\n", words).encode("utf-8", "replace").replace(b"\x00", b"")
    return field("Content-Type", f"{kind}; charset=utf-8") + field("Content-Transfer-Encoding", "quoted-printable") + b"\r\n" + encoding.quoted_printable(data)


def _enclosed(file: File) -> bytes:
    kind = file.content_type if re.fullmatch(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,80}", file.content_type) else "application/octet-stream"
    name = text.line(file.name)[:120]
    head = field("Content-Type", parameters.write(kind, {"name": name})) + field("Content-Transfer-Encoding", "base64")
    head += field("Content-Disposition", parameters.write("inline" if file.content_id else "attachment", {"filename": name}))
    if file.content_id:
        head += field("Content-ID", bracketed(file.content_id))
    return head + b"\r\n" + encoding.base64_lines(file.raw)


def _container(kind: str, parts: list[bytes]) -> bytes:
    value, body = encoding.multipart(kind, parts)
    return field("Content-Type", value) + b"\r\n" + body


# --- read again -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A composed newsletter taken apart: its texts, fields still in them, and where their bodies stand in ``structure.data``."""

    structure: Structure
    subject: str
    text: str
    html: str
    places: tuple[tuple[int, int], tuple[int, int] | None]  # of the text's body, and of the HTML's


def stored(raw: bytes) -> Stored:
    """Read what ``compose`` wrote. Raises ``PrepareError``."""
    found = structure.scan(raw)
    leaves = [part for part in found.leaves() if not part.attached]
    plain = next((part for part in leaves if part.content_type == "text/plain"), None)
    rich = next((part for part in leaves if part.content_type == "text/html"), None)
    if plain is None:
        raise PrepareError("the newsletter has no text part")
    subject = next((text.header(unfolded(found.data, item)) for item in found.root.fields if item.name == b"subject"), "")
    read = [found.content(part).decode("utf-8", "replace").replace("\r\n", "\n") if part else "" for part in (plain, rich)]
    return Stored(found, subject, read[0], read[1], ((plain.body, plain.end), (rich.body, rich.end) if rich else None))


def compiled(raw: bytes, attributes: Sequence[str] = ()) -> Compiled:
    """The texts of a composed newsletter, ready to be read by anybody: preview, web page, what went out. Raises ``Invalid``."""
    found = stored(raw)
    return fields.compile(found.subject, "", found.html, found.text, attributes)


# --- completed ------------------------------------------------------------------------------------------------------


class Personal:
    """One newsletter for many readers. ``lane``: how its copies are made; ``literals``: what is the same in every copy, a value
    between each two. ``used``: the fields asked of a reader."""

    __slots__ = ("_addresses", "_order", "_parts", "_wire_parts", "_writers", "individual", "lane", "literals", "needs_utf8", "used")

    def __init__(self, pieces: Sequence[bytes | tuple[str, _Write]], lane: Lane, used: frozenset[str], addresses: Mapping[str, str], needs_utf8: bool) -> None:
        self.individual, self.lane, self.used, self.needs_utf8, self._addresses = True, lane, used, needs_utf8, dict(addresses)
        self._writers: list[_Write] = []
        self._order: list[int] = []
        self.literals: list[bytes] = []
        known: dict[str, int] = {}
        pending = b""
        for piece in pieces:
            if isinstance(piece, bytes):
                pending += piece
                continue
            if piece[0] not in known:
                known[piece[0]] = len(self._writers)
                self._writers.append(piece[1])
            self._order.append(known[piece[0]])
            self.literals.append(pending)
            pending = b""
        self.literals.append(pending)
        stuffed = [literal.replace(b"\r\n.", b"\r\n..") for literal in self.literals]  # no piece begins with a dot: all are quoted
        self._parts, self._wire_parts = _template(self.literals), _template(stuffed)

    def values_for(self, reader: Reader) -> list[bytes]:
        """What differs in this reader's copy, in the order of the writers. The costly part of the slow lane; any thread may ask.
        Raises ``Invalid`` when the sandbox cannot work it out."""
        known = fields.held(reader, self.used)
        token = known[COPY_TOKEN]
        for name, address in self._addresses.items():
            known[name] = address.replace("{token}", token)
        if READER_MARK in self.used:
            known[READER_MARK] = f"-{token}" if reader.get(READER_MARK) else ""
        meter = Meter()
        return [write(known, meter) for write in self._writers]

    def parts_for(self, values: Sequence[bytes]) -> list[bytes]:
        """The message in its parts: literal, value, literal ... ``values``: as ``values_for`` made them."""
        return self._filled(self._parts, values)

    def copy_for(self, reader: Reader) -> bytes:
        """The message for one reader, in CRLF lines."""
        return b"".join(self.parts_for(self.values_for(reader)))

    def wire_for(self, values: Sequence[bytes], first: bytes = b"") -> bytes:
        """The same, dot-stuffed, without the final dot; ``first``: header lines to put before it. ``values``: as ``values_for`` made them."""
        return first + b"".join(self._filled(self._wire_parts, values))

    def _filled(self, template: list[bytes], values: Sequence[bytes]) -> list[bytes]:
        parts = template.copy()
        parts[1::2] = [values[number] for number in self._order]
        return parts


def _template(literals: list[bytes]) -> list[bytes]:
    out = [b""] * (2 * len(literals) - 1)
    out[0::2] = literals
    return out


def prepare(raw: bytes, manner: Manner) -> Personal:
    """Prepare a composed newsletter for any number of readers. Raises ``PrepareError``, and ``Invalid`` when its fields are wrong."""
    found = stored(raw)
    made = fields.compile(found.subject, "", found.html, found.text, manner.attributes)
    data, root = found.structure.data, found.structure.root
    pieces: list[bytes | tuple[str, _Write]] = []
    for item in root.fields:
        if item.name == b"subject":
            pieces += [b"To:", ("to", _to), b"\r\n"]
            pieces += _subject(made.subject)
        elif item.name != b"to":
            pieces.append(data[item.start : item.end])
    for number, literal in enumerate(rewrite.list_fields(manner).split(b"{token}")):
        pieces += [("token", _token), literal] if number else [literal]
    pieces.append(b"\r\n")
    position = root.body
    for place, part, kind in ((found.places[0], made.text, "text"), (found.places[1], made.html, "html")):
        if place:
            pieces += [data[position : place[0]], *_quoted(part, kind), b"\r\n"]
            position = place[1]
    pieces.append(data[position:])
    addresses = {"url_unsubscribe": manner.leave_url, "url_preferences": manner.preferences_url, "url_web": manner.web_url}
    return Personal(pieces, made.lane, made.fields | {"email", "name", COPY_TOKEN}, addresses, rewrite.utf8_addresses(found.structure))


def _to(reader: Reader, _meter: Meter) -> bytes:
    name = reader["name"]
    return field("To", mailbox(name if name != reader["email"] else "", reader["email"]))[3:-2]


def _token(reader: Reader, _meter: Meter) -> bytes:
    return str(reader[COPY_TOKEN]).encode("ascii", "replace") or b"none"


def _subject(part: Part) -> list[bytes | tuple[str, _Write]]:
    """The field, all of its value one slot: encoded words and folding depend on the whole."""
    fixed = [piece for piece in part.pieces or [] if isinstance(piece, str)]
    if part.pieces is not None and len(fixed) == len(part.pieces):
        return [field("Subject", unstructured("".join(fixed)))]

    def write(reader: Reader, meter: Meter) -> bytes:
        return field("Subject", unstructured("".join(part.chunks(reader, meter))))[8:-2]

    return [b"Subject:", ("subject", write), b"\r\n"]


def _quoted(part: Part, kind: str) -> list[bytes | tuple[str, _Write]]:
    """A body: in the fast lane literal pieces and slots, in the slow one a slot for all of it."""
    if part.pieces is not None:
        return [isolated(piece) if isinstance(piece, str) else (f"{kind} {piece.key}", _value(piece.write)) for piece in part.pieces]
    known = {literal: isolated(literal) for literal in list(part.literals)[:_LITERALS]}

    def write(reader: Reader, meter: Meter) -> bytes:
        return b"".join([known.get(chunk) or (_short(chunk) if len(chunk) < _SHORT else isolated(chunk)) for chunk in part.chunks(reader, meter)])

    return [(kind, write)]


def _value(said: Callable[[Reader], str]) -> _Write:
    def write(reader: Reader, _meter: Meter) -> bytes:
        return isolated(said(reader))

    return write


@lru_cache(maxsize=8192)
def _short(words: str) -> bytes:
    """The same for what comes again and again: numbers, cities, the name in every paragraph of a copy."""
    return isolated(words)


def isolated(words: str) -> bytes:
    """A piece in quoted-printable lines of its own, UTF-8; b"" for nothing. It begins and ends at the beginning of a line."""
    if len(words) < 70 and _BARE.fullmatch(words) and not words.startswith("From "):  # nearly always
        return words.encode("ascii") + b"=\r\n"
    if not words:
        return b""
    quoted = encoding.quoted_printable(words.replace("\n", "\r\n").encode("utf-8", "replace"))
    if quoted.endswith(b"\r\n"):
        return quoted
    last = len(quoted) - (quoted.rfind(b"\r\n") + 2 if b"\r\n" in quoted else 0)
    if last > 75:  # no room for the soft line break
        at = len(quoted) - last + 72
        at -= 2 if quoted[at - 2 : at - 1] == b"=" else 1 if quoted[at - 1 : at] == b"=" else 0
        quoted = quoted[:at] + b"=\r\n" + quoted[at:]
    return quoted + b"=\r\n"
