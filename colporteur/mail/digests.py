"""Digests written: whole messages (RFC 2046 section 5.1.5, multipart/digest) or one text (RFC 1153); and a message reduced to what it is about.

Messages are foreign: none can end the text it stands in, or bring a header field of its own into ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from colporteur.mail import encoding, headers, parse, rewrite, text
from colporteur.mail.compose import Letter, bracketed, compose, date_field, leaf
from colporteur.mail.headers import field, mailbox, unstructured
from colporteur.mail.parse import Attachment, Skim

_KEPT = frozenset(b"from to cc reply-to subject date message-id in-reply-to references keywords author sender mime-version".split())
_SHOWN = (("Date", "date"), ("From", "from"), ("To", "to"), ("Cc", "cc"), ("Subject", "subject"), ("Message-ID", "message-id"), ("Keywords", "keywords"))
_BETWEEN, _BEFORE = "-" * 30, "-" * 70
_RULE = re.compile(r"(?m)^(?=-{30})")  # inside a message such a line would be read as its end
_TEXT = 200_000  # characters of one message in a text
_LINE = 998


@dataclass(frozen=True, slots=True)
class Words:
    """What a digest says, in its language. ``left_out`` has {name} and {size}."""

    contents: str  # "Today's messages:"
    left_out: str
    encrypted: str
    empty: str
    numbered: str  # "Message {n}"
    end: str  # "End of ..."


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest without its messages. ``introduction`` stands before the table of contents."""

    sender_name: str
    sender: str
    subject: str
    message_id: str
    date: datetime
    language: str
    introduction: str
    words: Words


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a digest. ``whole`` False: its text only, attachments named."""

    raw: bytes
    whole: bool = True


def mime(digest: Digest, messages: Sequence[Message]) -> bytes:
    """Introduction and contents, then the messages as they were written, each a part that can be answered by itself."""
    first = leaf("text/plain", _head(digest, messages), b"Content-Disposition: inline\r\n")
    value, body = encoding.multipart("multipart/digest", [_part(message, digest.words) for message in messages])
    value, body = encoding.multipart("multipart/mixed", [first, field("Content-Type", value) + _eight(body) + b"\r\n" + body.removesuffix(b"\r\n")])
    return _fields(digest) + field("Content-Type", value) + _eight(body) + b"\r\n" + body


def plain(digest: Digest, messages: Sequence[Message]) -> bytes:
    """One text: introduction and contents, a line of 70 hyphens, each message between lines of 30 (RFC 1153)."""
    words = digest.words
    pieces = [_head(digest, messages).rstrip("\n"), _BEFORE]
    for number, message in enumerate(messages, 1):
        lines = [words.numbered.format(n=number), *_shown(parse.skim(message.raw))]
        pieces += ["\n".join(lines), _RULE.sub(" ", _text(message.raw, words)), _BETWEEN]
    pieces.append(f"{words.end}\n{'*' * len(words.end)}")
    whole = _fields(digest) + leaf("text/plain", "\n\n".join(pieces) + "\n")
    return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def subject_only(raw: bytes, to: str, body: str, message_id: str, date: datetime, language: str) -> bytes:
    """The message with other words in the place of its own: who wrote, to whom and about what stay, and it hangs in its thread."""
    found = parse.skim(raw)
    author = found.sender or (found.authors[0] if found.authors else None)
    reply = found.reply_to[0].email if found.reply_to else ""
    return compose(Letter(
        sender_name=author.name if author else "", sender=author.email if author else "", to_name="", to=to, subject=found.subject, text=body, html="",
        message_id=message_id, date=date, language=language, reply_to=reply, in_reply_to=found.message_id, auto_submitted="",
    ))  # fmt: skip


def weight(raw: bytes) -> int:
    """About how many bytes a message adds to a digest in plain text."""
    return len(parse.readable(raw, _TEXT).text.encode()) + 500


def attachments(raw: bytes, form: str) -> list[str]:
    """The attachments of a message, one line each; ``form`` has {name} and {size}."""
    return [_named(one, form) for one in parse.readable(raw, 1).attachments]


# ---- how ----


def _fields(digest: Digest) -> bytes:
    return (
        field("From", mailbox(digest.sender_name, digest.sender)) + field("To", digest.sender) + field("Subject", unstructured(digest.subject)) + field("Date", date_field(digest.date))
        + field("Message-ID", bracketed(digest.message_id)) + (field("Content-Language", digest.language) if digest.language else b"") + b"MIME-Version: 1.0\r\n"
    )  # fmt: skip


def _eight(body: bytes) -> bytes:
    return b"" if body.isascii() else field("Content-Transfer-Encoding", "8bit")


def _head(digest: Digest, messages: Sequence[Message]) -> str:
    lines = []
    for number, message in enumerate(messages, 1):
        found = parse.skim(message.raw)
        lines.append(f"{number:>4}. {found.subject[:200] or '...'} ({_author(found)})")
    return "\n".join([digest.introduction.rstrip("\n"), "", digest.words.contents, "", *lines, ""])


def _author(found: Skim) -> str:
    author = found.sender or (found.authors[0] if found.authors else None)
    return text.line((author.name or author.email) if author else "")[:100] or "?"


def _shown(found: Skim) -> list[str]:
    """The fields a text shows, in the order of RFC 1153 section 3."""
    return [f"{shown}: {text.line(', '.join(found.fields[name]))[:900]}" for shown, name in _SHOWN if found.fields.get(name)]


def _part(message: Message, words: Words) -> bytes:
    """A message as a part: what it says of itself and its body, without traces of its way."""
    data = headers.canonical(message.raw)
    kept, body, _cut = headers.block(data)
    content = data[body:]
    if not message.whole or b"\x00" in content or encoding.longest_line(content) > _LINE:
        head = b"".join(rewrite.kept(data, item) for item in kept if item.name in _KEPT and item.name != b"mime-version")
        inner = head + b"MIME-Version: 1.0\r\n" + leaf("text/plain", _text(message.raw, words))
    else:
        inner = b"".join(rewrite.kept(data, item) for item in kept if item.name in _KEPT or item.name.startswith(b"content-")) + b"\r\n" + content
    way = field("Content-Transfer-Encoding", "7bit" if inner.isascii() else "8bit")
    return field("Content-Type", "message/rfc822") + way + b"\r\n" + inner


def _text(raw: bytes, words: Words) -> str:
    """The text of a message, and what of it is not there."""
    found = parse.readable(raw, _TEXT)
    read = found.text.strip("\n")
    if parse.skim(raw).encrypted:
        read = words.encrypted
    return "\n".join([read if read.strip() else words.empty, *([""] if found.attachments else []), *(_named(one, words.left_out) for one in found.attachments)])


def _named(one: Attachment, form: str) -> str:
    return form.replace("{name}", text.line(one.name or one.content_type)[:200]).replace("{size}", _octets(one.size))


def _octets(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size / 1024:.0f} KB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"
