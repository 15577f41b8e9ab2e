"""Reports for machines: delivery reports, complaints, receipts.

Sources: RFC 3464 and 6533 (delivery reports), RFC 5965 (complaints), RFC 8098 (receipts), RFC 6522 (their envelope). Lenient: a
missing type, a group without an Action, fields in the text of a message that lost its MIME structure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from colporteur.domain import bounces
from colporteur.mail import headers, text
from colporteur.mail.reports.told import MOST, Action, Told, address, told
from colporteur.mail.structure import Part, Structure

_DELIVERY = ("message/delivery-status", "message/global-delivery-status")
_ACTIONS = {"failed": Action.FAILED, "failure": Action.FAILED, "fail": Action.FAILED, "failed-permanently": Action.FAILED, "delayed": Action.DELAYED, "delay": Action.DELAYED,
            "delivered": Action.DELIVERED, "deliverable": Action.DELIVERED, "relayed": Action.RELAYED, "expanded": Action.EXPANDED}  # fmt: skip
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_GROUPS = re.compile(rb"\r\n(?:[ \t]*\r\n)+")
_LOST = re.compile(rb"(?im)^(?:final|original)-recipient[ \t]*:")


def group(data: bytes) -> dict[bytes, str]:
    """The fields of one group; of a repeated field the first."""
    fields, _, _ = headers.block(data)
    return {field.name: text.header(headers.unfolded(data, field)[:4000]) for field in reversed(fields)}


def delivery(found: Structure) -> list[Told]:
    """Recipients of the delivery report in a message, in order; none when there is no such part."""
    out: list[Told] = []
    for part in _parts(found, _DELIVERY):
        out += _recipients(found.content(part, 256 * 1024))
    if not out and (lost := _LOST.search(found.data)):  # its MIME structure is damaged, the fields stand in the text
        start = max(found.data.rfind(b"\r\n\r\n", 0, lost.start()) + 4, 0)
        stop = found.data.find(b"\r\nReceived:", start)
        out = _recipients(found.data[start : stop if stop > 0 else start + 64 * 1024][: 64 * 1024])
    return out


def _parts(found: Structure, kinds: Iterable[str]) -> list[Part]:
    return [part for part in found.root.walk() if part.content_type in kinds]


def _recipients(content: bytes) -> list[Told]:
    out: list[Told] = []
    for piece in _GROUPS.split(headers.canonical(content).strip())[: MOST * 2]:
        fields = group(piece.lstrip(b"\r\n"))
        final = address(fields.get(b"final-recipient", "")) or address(fields.get(b"x-actual-recipient", ""))
        original = address(fields.get(b"original-recipient", ""))
        if not (final or original) and not fields.keys() & {b"final-recipient", b"original-recipient"}:
            continue
        out.append(_one(fields, original or final, final))
    return out[:MOST]


def _one(fields: dict[bytes, str], recipient: str, final: str) -> Told:
    status = ".".join(found.groups()) if (found := _STATUS.search(fields.get(b"status", ""))) else ""
    said = fields.get(b"diagnostic-code", "") or fields.get(b"x-supplementary-info", "") or fields.get(b"status", "").partition("(")[2].rstrip(")")
    word = fields.get(b"action", "").split("(")[0].strip().lower().split(" ")[0]
    action = _ACTIONS.get(word) or (Action.DELIVERED if status.startswith("2") else Action.FAILED)
    if action is Action.FAILED and status.startswith("2") and not word:
        action = Action.DELIVERED
    return told(recipient, action, status, 0, said.removeprefix("smtp;").removeprefix("SMTP;").strip(), final)


def complaint(found: Structure) -> list[Told]:
    """The complaint in a message (one for each recipient it names); none when it is no complaint."""
    for part in _parts(found, ("message/feedback-report",)):
        data = headers.canonical(found.content(part, 32 * 1024))
        fields, _, _ = headers.block(data)
        values = {item.name: text.header(headers.unfolded(data, item)[:2000]) for item in reversed(fields)}
        kind = values.get(b"feedback-type", "abuse").lower()
        said = f"{kind} {values.get(b'user-agent', '')} {values.get(b'source-ip', '')}"
        names = [text.header(headers.unfolded(data, item)) for item in fields if item.name in (b"original-rcpt-to", b"removal-recipient")]
        whom = list(dict.fromkeys(address(name) for name in names[:MOST]))
        if kind in ("auth-failure", "dmarc"):
            return [Told(name, bounces.verdict_of("authentication"), text=text.line(said)) for name in whom or [""]]
        if kind == "not-spam":
            return [Told(name, bounces.verdict_of("delivered"), text=text.line(said)) for name in whom or [""]]
        return [Told(name, bounces.verdict_of("complaint"), text=text.line(said)) for name in [name for name in whom if name] or [""]]
    return []


def receipt(found: Structure) -> list[Told]:
    """The disposition notification in a message; none when there is no such part."""
    for part in _parts(found, ("message/disposition-notification", "message/global-disposition-notification")):
        fields = group(headers.canonical(found.content(part, 16 * 1024)).lstrip(b"\r\n"))
        whom = address(fields.get(b"original-recipient", "")) or address(fields.get(b"final-recipient", ""))
        return [Told(whom, bounces.verdict_of("receipt"), text=text.line(fields.get(b"disposition", ""))[:500])]
    return []
