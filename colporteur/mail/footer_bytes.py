"""A footer's items as bytes with slots: as they are, quoted-printable, base64.

Slots inside encoded parts are written per recipient so that they decode right for any value.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from colporteur.mail import encoding
from colporteur.mail.footer import Item, joined
from colporteur.mail.splice import Slot, write_token
from colporteur.mail.structure import Part, Structure

Pieces = list[bytes | Slot]
Escape = Callable[[str], str]
_BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@.+_-]*(?: [A-Za-z0-9][A-Za-z0-9@.+_-]*)*")  # needs no quoting


class CannotHold(Exception):
    """This part cannot take the footer without changing other bytes."""


def plain(words: str) -> str:
    """The escape of plain text: none."""
    return words


def _value(slot: str, email: str, name: str, token: str) -> str:
    return token if slot == "token" else name if slot == "name" else email


def bare(footer: list[Item], codec: str, escape: Escape) -> Pieces:
    """As it is, in the part's charset."""
    made: dict[str, Slot] = {}

    def slot_of(kind: str) -> Slot:
        if kind == "token":
            return Slot(write_token)

        def write_name(_email: str, name: str, _token: str) -> bytes:
            return escape(name).encode(codec, "replace")

        def write_email(email: str, _name: str, _token: str) -> bytes:
            return escape(email).encode(codec, "replace")

        return made.setdefault(kind, Slot(write_name if kind == "name" else write_email))

    return [slot_of(item.slot) if item.slot else item.text.encode(codec) for item in footer]


def quoted(footer: list[Item], codec: str, escape: Escape) -> Pieces:
    """Quoted-printable; each slot stands between soft line breaks, so that no value can make a line too long."""
    pieces: Pieces = []
    made: dict[str, Slot] = {}

    def slot_of(kind: str) -> Slot:
        def write(email: str, name: str, token: str) -> bytes:
            shown = escape(_value(kind, email, name, token))
            if len(shown) < 70 and _BARE.fullmatch(shown) and not shown.startswith("From "):  # nearly always
                return shown.encode("ascii")
            value = encoding.quoted_printable(shown.encode(codec, "replace"))
            return value[:-1] + b"=20" if value.endswith(b" ") else value

        return made.setdefault(kind, Slot(write))

    at_start = True
    for item in joined([Item(item.text, item.slot) for item in footer]):
        if item.slot:
            pieces += [b"" if at_start else b"=\r\n", slot_of(item.slot), b"=\r\n"]
            at_start = True
        else:
            quoted = encoding.quoted_printable(item.text.encode(codec))
            pieces.append(quoted)
            at_start = quoted.endswith(b"\r\n")
    if footer and footer[-1].slot:
        pieces[-1] = b""
    return pieces


def of_its_own(footer: list[Item]) -> Pieces:
    """The footer as the body of a part of its own: UTF-8, quoted-printable."""
    return quoted([Item(item.text.replace("\n", "\r\n"), item.slot) for item in footer], "utf-8", plain)


def base64(left: bytes, footer: list[Item], codec: str, escape: Escape, *, pad: bool) -> Pieces:
    """Base64 of ``left`` (what stands before it in its group) and the footer, written anew per recipient when it has slots. ``pad`` fills up to whole groups
    with spaces, so that more base64 may follow."""
    fixed = [item.text.encode(codec) for item in footer]
    kinds = [item.slot for item in footer]

    def write(email: str, name: str, token: str) -> bytes:
        whole = left + b"".join(
            escape(_value(kind, email, name, token)).encode(codec, "replace") if kind else words for kind, words in zip(kinds, fixed, strict=True)
        )
        return encoding.base64_lines(whole + b" " * (-len(whole) % 3) if pad else whole)

    count = sum(bool(kind) for kind in kinds)
    return [Slot(write, count)] if count else [write("", "", "")]


def base64_cut(found: Structure, part: Part, content: bytes, offset: int) -> tuple[int, bytes]:
    """Where in the canonical bytes the base64 of the whole groups before ``offset`` of the decoded ``content`` ends, and the
    decoded bytes between there and ``offset``. Raises ``CannotHold`` when the encoding is not clean."""
    body = found.data[part.body : part.end]
    letters = body.translate(None, b"\r\n\t ")
    if not re.fullmatch(rb"[A-Za-z0-9+/]*+={0,2}", letters) or len(letters) % 4:
        raise CannotHold
    groups = offset // 3
    wanted, position = groups * 4, part.body
    for line in body.split(b"\r\n"):
        count = len(line.translate(None, b"\t "))
        if wanted < count or (wanted == count and wanted == 0):
            break
        wanted -= count
        position += len(line) + 2
    position = min(position, part.end)
    if wanted:
        line = found.data[position : part.end].partition(b"\r\n")[0]
        if b" " in line or b"\t" in line:
            raise CannotHold
        position += wanted
    return position, content[groups * 3 : offset]
