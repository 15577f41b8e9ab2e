"""The letters we write, and the first lines of the replies to them.

Own writer all the way (``mail.headers``): RFC 5322, RFC 2047, multipart/alternative; RFC 3834 section 5 for Auto-Submitted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from colporteur.mail import encoding, headers, parse
from colporteur.mail.headers import encoded_words, field, mailbox, unstructured

_DAYS, _MONTHS = "Mon Tue Wed Thu Fri Sat Sun".split(), "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_QUOTE_BEGINS = re.compile(
    r"(?i)\s*(?:-{2,}\s*(?:original message|message d'origine|message original|ursprüngliche nachricht|mensaje original|messaggio originale|forwarded message|message transféré)"
    r"|_{10,}|(?:on|le|am|el|il|op|em|den)\b.{0,200}(?:wrote|a écrit|schrieb|escribió|ha scritto|schreef|escreveu|skrev)\b[^:]{0,80}:?\s*$)"
)
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")


class Picture(NamedTuple):
    """A PNG that the HTML part shows, by its Content-ID without angle brackets (RFC 2392)."""

    cid: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter to one person. Addresses are bare; ``date`` is aware; ``original`` is attached as message/rfc822; ``picture``
    goes with the HTML part (multipart/related, RFC 2387) and not without one."""

    sender_name: str
    sender: str
    to_name: str
    to: str
    subject: str
    text: str
    html: str
    message_id: str  # with or without angle brackets
    date: datetime
    language: str
    reply_to: str = ""
    in_reply_to: str = ""
    original: bytes | None = None
    auto_submitted: str = "auto-generated"  # "" leaves the field out
    headers: tuple[tuple[str, str], ...] = ()
    picture: Picture | None = None


def date_field(moment: datetime) -> str:
    """RFC 5322 section 3.3 date; ``moment`` must be aware."""
    zone = moment.strftime("%z")[:5] or "+0000"
    return f"{_DAYS[moment.weekday()]}, {moment.day} {_MONTHS[moment.month - 1]} {moment.year} {moment:%H:%M:%S} {zone}"


def bracketed(identifier: str) -> str:
    """A msg-id in angle brackets, safe for a field."""
    return "<" + re.sub(r"[\s<>\x00-\x1f\x7f]+", "", identifier)[:900] + ">"


def compose(letter: Letter) -> bytes:
    """The whole message in CRLF lines. Values may be foreign text: none of them can begin another field."""
    out = [
        field("From", mailbox(letter.sender_name, letter.sender)),
        field("To", mailbox(letter.to_name, letter.to)),
        field("Subject", unstructured(letter.subject)),
        field("Date", date_field(letter.date)),
        field("Message-ID", bracketed(letter.message_id)),
    ]
    if letter.reply_to:
        out.append(field("Reply-To", mailbox("", letter.reply_to)))
    if letter.in_reply_to:
        out += [field("In-Reply-To", bracketed(letter.in_reply_to)), field("References", bracketed(letter.in_reply_to))]
    if letter.auto_submitted:
        # Exchange does not know Auto-Submitted; this keeps its absence notices away.
        out += [field("Auto-Submitted", letter.auto_submitted), field("X-Auto-Response-Suppress", "All")]
    if letter.language:
        out.append(field("Content-Language", letter.language))
    for name, value in letter.headers:
        if not _FIELD_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header field")
        out.append(field(name, value if value.isascii() else encoded_words(value)))
    return b"".join(out) + b"MIME-Version: 1.0\r\n" + _body(letter)


def _body(letter: Letter) -> bytes:
    """MIME fields of the root, an empty line, and the body."""
    parts = [leaf("text/plain", letter.text)]
    if letter.html:
        page = leaf("text/html", letter.html)
        parts.append(_container('multipart/related; type="text/html"', [page, _shown(letter.picture)]) if letter.picture else page)
    whole = parts[0]
    if len(parts) > 1:
        whole = _container("multipart/alternative", parts)
    if letter.original is not None:
        whole = _container("multipart/mixed", [whole, enclosed(letter.original)])
    return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def _shown(picture: Picture) -> bytes:
    head = field("Content-Type", 'image/png; name="logo.png"') + field("Content-Transfer-Encoding", "base64") + field("Content-ID", bracketed(picture.cid))
    return head + field("Content-Disposition", 'inline; filename="logo.png"') + b"\r\n" + encoding.base64_lines(picture.png)


def _container(kind: str, parts: list[bytes]) -> bytes:
    value, body = encoding.multipart(kind, parts)
    eight = field("Content-Transfer-Encoding", "8bit") if not body.isascii() else b""
    return field("Content-Type", value) + eight + b"\r\n" + body


def leaf(kind: str, words: str, *fields: bytes) -> bytes:
    """A part of text: as it is when ASCII in short lines, else UTF-8 quoted-printable. Ends without a line end."""
    data = re.sub(r"\r\n?|\n", "\r\n", words).encode("utf-8", "replace").replace(b"\x00", b"")
    plain = data.isascii() and encoding.longest_line(data) <= 200 and not re.search(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|(?m:^From )", data)
    charset, way = ("us-ascii", "7bit") if plain else ("utf-8", "quoted-printable")
    head = field("Content-Type", f"{kind}; charset={charset}") + field("Content-Transfer-Encoding", way) + b"".join(fields)
    return head + b"\r\n" + (data if plain else encoding.quoted_printable(data))


def enclosed(raw: bytes) -> bytes:
    """A message as a part. message/rfc822 may not be encoded (RFC 2046 section 5.2.1): one that SMTP could not carry as it
    is (NUL, lines over 998 octets) goes as a file."""
    data = headers.canonical(raw)
    if b"\x00" in data or encoding.longest_line(data) > 998:
        head = field("Content-Type", 'application/octet-stream; name="message.eml"') + field("Content-Transfer-Encoding", "base64")
        return head + field("Content-Disposition", 'attachment; filename="message.eml"') + b"\r\n" + encoding.base64_lines(raw)
    way = "7bit" if data.isascii() else "8bit"
    return field("Content-Type", "message/rfc822") + field("Content-Transfer-Encoding", way) + field("Content-Disposition", "attachment") + b"\r\n" + data


def first_lines(raw: bytes) -> list[str]:
    """Up to 20 lines written above the quotation in a reply: trimmed, no empty ones, no quoted ones. For commands by mail."""
    lines: list[str] = []
    written = [line.strip() for line in parse.readable(raw, 20_000).text.split("\n")[:400]]
    for line, following in zip(written, [*written[1:], ""], strict=True):
        # Long introductions ("On Monday, ... wrote:") are often broken in two.
        if _QUOTE_BEGINS.match(line) or _QUOTE_BEGINS.match(f"{line[:300]} {following[:100]}") or len(lines) >= 20:
            break
        if line and not line.startswith((">", "|")):
            lines.append(line[:500])
    return lines
