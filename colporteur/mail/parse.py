"""What a message says: who, to whom, about what, and its text and attachments for a screen.

Bounded (headers 1000 fields and 256 KB, 20 levels, 1000 parts, 2000 addresses), linear, and never raising, whatever the
bytes are. Text carries neither NUL nor lone surrogates, so it may go into the database as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from colporteur.mail import addresses, headers, html, parameters, structure, text
from colporteur.mail.addresses import Mailbox
from colporteur.mail.structure import Part, Structure

__all__ = ["Attachment", "Mailbox", "Readable", "Skim", "attachment", "readable", "skim"]

_MAX_FIELD = 10_000  # characters of one decoded field
_ONCE = frozenset(b"from sender reply-to to cc message-id in-reply-to references subject date mime-version".split())
_PGP = re.compile(rb"(?m)^-----BEGIN PGP (SIGNED MESSAGE|MESSAGE)-----")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part shown as a file; ``size`` in decoded bytes."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Skim:
    """What judging, journals and lists of messages need. ``sender`` is the one author, None when that is not certain."""

    message_id: str
    subject: str
    date: str
    authors: tuple[Mailbox, ...]
    sender: Mailbox | None
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    fields: Mapping[str, tuple[str, ...]]  # lower-case name -> decoded values
    content_type: str
    report_type: str
    size: int
    signed: bool
    encrypted: bool
    attachments: tuple[Attachment, ...]
    defects: tuple[str, ...]  # codes of ``mail.defects``


@dataclass(frozen=True, slots=True)
class Readable:
    """The message for a screen: text, sanitised HTML ("" when there is none), attachments as in ``Skim``."""

    text: str
    html: str
    attachments: tuple[Attachment, ...]


def skim(raw: bytes) -> Skim:
    """Read what a message says about itself."""
    found = structure.scan(raw)
    return skim_structure(found, len(raw))


def skim_structure(found: Structure, size: int) -> Skim:
    """``skim`` of a message already taken apart; ``size`` is that of the raw bytes."""
    data, fields, defects = found.data, found.root.fields, dict(found.defects)
    values: dict[str, list[str]] = {}
    raws: dict[bytes, list[bytes]] = {}
    for field in fields:
        value = headers.unfolded(data, field)
        raws.setdefault(field.name, []).append(value)
        values.setdefault(field.name.decode("ascii"), []).append(text.header(value[: _MAX_FIELD * 3])[:_MAX_FIELD])
        if not value.isascii():
            defects["eight-bit-header"] = None
        if _CONTROL.search(value):
            defects["control-characters"] = None
    if not fields:
        defects["no-headers"] = None
    if any(len(raws.get(name, ())) > 1 for name in _ONCE):
        defects["repeated-field"] = None
    if any(part.charset and text.codec(part.charset) is None for part in found.leaves() if part.content_type.startswith("text/")):
        defects["charset-unknown"] = None
    authors, sender = _authors(raws.get(b"from", []), defects)
    signed, encrypted = protection(found)
    kind = found.root.kind.parameters.get("report-type", "") if found.root.content_type == "multipart/report" else ""
    return Skim(
        message_id=headers.identifier(next(iter(raws.get(b"message-id", [])), b"")),
        subject=next(iter(values.get("subject", [])), "")[:998],
        date=next(iter(values.get("date", [])), "")[:100],
        authors=authors,
        sender=sender,
        to=_people(raws.get(b"to", []), defects),
        cc=_people(raws.get(b"cc", []), defects),
        reply_to=_people(raws.get(b"reply-to", []), defects),
        fields={name: tuple(held) for name, held in values.items()},
        content_type=found.root.content_type,
        report_type=text.line(kind).lower()[:80],
        size=size,
        signed=signed,
        encrypted=encrypted,
        attachments=tuple(_described(found, part) for part in _files(found)),
        defects=tuple(defects),
    )


def _people(values: list[bytes], defects: dict[str, None]) -> tuple[Mailbox, ...]:
    boxes, odd = addresses.parse(", ".join(text.decode(value)[0] for value in values))
    if "many" in odd:
        defects["too-many-addresses"] = None
    return boxes


def _authors(values: list[bytes], defects: dict[str, None]) -> tuple[tuple[Mailbox, ...], Mailbox | None]:
    """Everybody in From, and the one author when nobody could read another one out of it."""
    boxes: list[Mailbox] = []
    wrong = {"no-from"} if not values else {"several-from"} if len(values) > 1 else set()
    for value in values[:20]:
        some, odd = addresses.parse(text.decode(value)[0])
        boxes.extend(some)
        wrong.update("from-" + ("several" if code == "many" else code) for code in odd)
    if len(boxes) > 1:
        wrong.add("from-several")
    if values and not boxes:
        wrong.add("from-unreadable")
    defects.update(dict.fromkeys(sorted(wrong)))
    return tuple(boxes[: addresses.MAX_ADDRESSES]), boxes[0] if not wrong else None


def protection(found: Structure) -> tuple[bool, bool]:
    """Whether some part is signed, and whether some part is encrypted (S/MIME, PGP/MIME, PGP in the text)."""
    signed = encrypted = False
    for part in found.root.walk():
        kind = part.content_type
        if kind == "multipart/signed":
            signed = True
        elif kind == "multipart/encrypted":
            encrypted = True
        elif kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            only_signed = part.kind.parameters.get("smime-type", "").lower().startswith(("signed", "certs", "compressed"))
            signed, encrypted = signed or only_signed, encrypted or not only_signed
        elif kind in ("text/plain", "text/html") and (mark := pgp(found, part)):
            signed, encrypted = signed or mark == b"SIGNED MESSAGE", encrypted or mark == b"MESSAGE"
    return signed, encrypted


def pgp(found: Structure, part: Part) -> bytes:
    """The kind of PGP armour written into a text part, b"" when none."""
    if part.encoding != "base64" and b"-----BEGIN" not in found.data[part.body : part.end]:
        return b""
    mark = _PGP.search(found.content(part))
    return mark[1] if mark else b""


def _files(found: Structure) -> list[Part]:
    return [part for part in found.leaves() if part.attached or part.content_type.startswith("multipart/")]


def _described(found: Structure, part: Part) -> Attachment:
    name = part.name
    if not name and part.content_type == "message/rfc822":
        inside = headers.block(found.data, part.body, part.end)[0] if part.encoding in ("7bit", "8bit", "binary") else []
        subject = next((text.header(headers.unfolded(found.data, item)) for item in inside if item.name == b"subject"), "")
        name = (parameters.file_name(parameters.Value("", {"filename": subject.replace("/", "-")}), part.kind) or "message") + ".eml"
    return Attachment(name, part.content_type, found.size(part))


def readable(raw: bytes, limit: int = 200_000) -> Readable:
    """Text and HTML for a screen, each at most ``limit`` characters; HTML only becomes text when there is no plain text."""
    found = structure.scan(raw)
    plain: list[str] = []
    rich: list[str] = []
    room = [limit, limit]
    for part in found.leaves():
        if part.attached or (room[0] <= 0 and room[1] <= 0):
            continue
        which = 0 if part.content_type == "text/plain" else 1
        if room[which] > 0:
            words = text.clean(text.decode(found.content(part, limit * 4), part.charset)[0])[: room[which]].replace("\r\n", "\n")
            (plain, rich)[which].append(words)
            room[which] -= len(words)
    markup = "\n".join(rich)
    words = "\n\n".join(item for item in plain if item.strip()) or (html.to_text(markup) if markup else "")
    return Readable(text.clean(words)[:limit], text.clean(html.sanitise(markup)) if markup else "", tuple(_described(found, part) for part in _files(found)))


def attachment(raw: bytes, index: int) -> tuple[Attachment, bytes] | None:
    """The ``index``-th attachment (as counted in ``Skim.attachments``) and its decoded bytes, or None when there is none."""
    found = structure.scan(raw)
    files = _files(found)
    if not 0 <= index < len(files):
        return None
    content = found.content(files[index])
    described = _described(found, files[index])
    return Attachment(described.name, described.content_type, len(content)), content
