"""A post or letter prepared once, then completed per recipient in microseconds.

``prepare`` works on the canonical form (CRLF everywhere): header rewritten field by field, body untouched but for the
footer. Lines of the header are folded under 998 octets; lines of a body that are longer are left as they are, because
cutting them would change what was written and perhaps signed: a transport that refuses them says so.
Sources: RFC 2369, 2919, 5064, 5321 section 4.5.2, 8058, 9057.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from colporteur.mail import encoding, footer, footer_bytes, footer_place, parse, rewrite, structure
from colporteur.mail.compose import leaf
from colporteur.mail.headers import field as header_field
from colporteur.mail.splice import Prepared, Slot, write_token
from colporteur.mail.structure import Structure

__all__ = ["PrepareError", "Prepared", "Rewriting", "prepare"]


class PrepareError(Exception):
    """The message cannot be prepared as planned; the mailing is not begun."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a list changes in a message. Addresses are bare; ``{token}`` is filled in per copy."""

    list_address: str = ""
    list_title: str = ""
    list_id: str = ""  # as in RFC 2919, without angle brackets
    language: str = ""
    prefix: str = ""
    reply_to: tuple[str, ...] = ()  # () leaves the author's own
    from_list: bool = False  # From becomes "Name via Title" <list>
    footer: str = ""  # {list} {address} {email} {name} {unsubscribe} {read}
    owner: str = ""  # address or URI for List-Owner; "" leaves the field out, as in the next two
    help: str = ""
    post: str = ""  # "NO": nobody may post (RFC 2369 section 3.4)
    unsubscribe_mailto: str = ""  # address with {token}
    unsubscribe_url: str = ""  # https URL with {token}; with ``one_click`` adds List-Unsubscribe-Post
    one_click: bool = True  # whether a press of the mail program's button is enough (RFC 8058 section 3.1)
    read_url: str = ""  # URL with {token}: the page that shows what a copy only names; for {read} in the footer
    archived_at: str = ""
    trace: bool = True  # X-Colporteur-Trace: {token}
    personal: bool = True  # without, lines of the footer that name the reader are left out
    plain: bool = False  # nothing at all is changed

    def to_json(self) -> dict[str, Any]:
        """For ``mailing.rewriting``; {} stands for ``plain``."""
        return {} if self.plain else {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if name != "plain"}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | str) -> Self:
        """Back from JSON; keys of other versions are ignored."""
        held = json.loads(stored) if isinstance(stored, str) else stored
        if not held:
            return cls(plain=True)
        known = {item.name for item in fields(cls)}
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in held.items() if name in known}
        return cls(**values)


def prepare(raw: bytes, rewriting: Rewriting) -> Prepared:
    """Prepare ``raw`` for any number of recipients.

    Raises ``PrepareError`` when the slots found differ from the slots planned.
    """
    found = structure.scan(raw)
    if rewriting.plain:
        return Prepared([found.data], needs_utf8=rewrite.utf8_addresses(found))
    unsubscribe = rewriting.unsubscribe_url or (rewrite.mailto(rewriting.unsubscribe_mailto) if rewriting.unsubscribe_mailto else "")
    items = footer.items(rewriting.footer, {"list": rewriting.list_title or rewriting.list_address, "address": rewriting.list_address}, unsubscribe, read=rewriting.read_url, personal=rewriting.personal) if rewriting.footer.strip() else []
    plan = footer_place.edits(found, items)
    if plan.wrap:
        head, body = _wrapped(found, rewriting, items)
    else:
        head, body = rewrite.mime_fields(found, plan.root), _body(found, plan)
    kept, needs_utf8 = rewrite.message_fields(found, parse.skim_structure(found, len(raw)), rewriting)
    listed = rewrite.list_fields(rewriting)
    pieces: list[bytes | Slot] = [kept, *_slots(listed), *head, b"\r\n", *body]
    planned = listed.count(b"{token}") + plan.planned
    slots = sum(piece.count for piece in pieces if isinstance(piece, Slot))
    if slots != planned:
        raise PrepareError(f"{planned} places for personal values were planned, {slots} found")
    return Prepared(pieces, needs_utf8)


def _slots(listed: bytes) -> list[bytes | Slot]:
    """Our own header fields, cut at ``{token}``."""
    pieces: list[bytes | Slot] = []
    for number, literal in enumerate(listed.split(b"{token}")):
        pieces += [Slot(write_token), literal] if number else [literal]
    return pieces


def _body(found: Structure, plan: footer_place.Edits) -> list[bytes | Slot]:
    """The body with its changes. Changes that overlap lose slots, which ``prepare`` notices."""
    pieces: list[bytes | Slot] = []
    position = found.root.body
    for start, end, put in plan.changes:
        if start < position:
            continue
        pieces += [found.data[position:start], *put]
        position = end
    pieces.append(found.data[position:])
    return pieces


def _wrapped(found: Structure, rewriting: Rewriting, items: list[footer.Item]) -> tuple[list[bytes], list[bytes | Slot]]:
    """The message as the first part of a multipart/mixed, the footer as the second, UTF-8 quoted-printable."""
    word = encoding.boundary(found.data)
    border = f"--{word}".encode()
    eight = b"" if found.data[found.root.body :].isascii() else header_field("Content-Transfer-Encoding", "8bit")
    head = b"MIME-Version: 1.0\r\n" + header_field("Content-Type", f'multipart/mixed; boundary="{word}"') + eight
    language = header_field("Content-Language", rewriting.language) if re.fullmatch(r"[A-Za-z-]{2,20}", rewriting.language) else b""
    own = leaf("text/plain", "\u00e9", language, b"Content-Disposition: inline\r\n").partition(b"\r\n\r\n")[0]
    own_fields = b"".join(rewrite.kept(found.data, item) for item in found.root.fields if item.name.startswith(b"content-") and item.name != b"content-length")
    original = found.data[found.root.body :]
    body: list[bytes | Slot] = [border + b"\r\n" + own_fields + b"\r\n" + original + b"\r\n" + border + b"\r\n" + own + b"\r\n\r\n"]
    body += footer_bytes.of_its_own(items)
    return [head], [*body, b"\r\n" + border + b"--\r\n"]
