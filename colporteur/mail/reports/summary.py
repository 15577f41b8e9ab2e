"""One line of what a report says, for the journal."""

from __future__ import annotations

import re

from colporteur.mail import headers, structure, text
from colporteur.mail.structure import Structure

_REASON = re.compile(r"(?i)\b(?:unknown|no such|not found|reject|does ?n[o']t (?:exist|have)|quota|full|undeliver|invalid|disabled|not listed|not a known|refused|expired)")
_UNSENT = re.compile(r"(?i)deliver|did not reach|failed|returned|error-text|remis\b|destinat")
_STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_CODE = re.compile(r"(?:^|[\s:<(])([45]\d\d)[\s-]")


def summary(raw: bytes) -> str:
    """One line of what a report says, for the journal: at most 500 characters, "" when it says nothing we can read.

    ``failed 5.1.1 anna@example.org: smtp; 550 no such user`` from a delivery report; ``complaint abuse ...`` from ARF; the
    first line with a status or reply code from anything else.
    """
    found = structure.scan(raw)
    for part in found.root.walk():
        if part.content_type in ("message/delivery-status", "message/global-delivery-status") and (said := _delivery(found.content(part, 64 * 1024))):
            return said
        if part.content_type == "message/feedback-report":
            fields = _group(headers.canonical(found.content(part, 16 * 1024)))
            return text.line(f"complaint {fields.get(b'feedback-type', '')} {fields.get(b'original-rcpt-to', '')} {fields.get(b'user-agent', '')}")[:500]
        if part.content_type == "message/disposition-notification":
            fields = _group(headers.canonical(found.content(part, 16 * 1024)))
            return text.line(f"receipt {fields.get(b'disposition', '')} {_address(fields.get(b'final-recipient', ''))}")[:500]
    return _first_telling(found)


def _group(data: bytes) -> dict[bytes, str]:
    fields, _, _ = headers.block(data)
    return {field.name: text.header(headers.unfolded(data, field)) for field in reversed(fields)}


def _address(value: str) -> str:
    return value.partition(";")[2].strip() or value


def _delivery(content: bytes) -> str:
    """The first recipient's group of a message/delivery-status, failures before delays."""
    groups = [_group(group) for group in headers.canonical(content).split(b"\r\n\r\n")[:200] if group.strip()]
    told = [group for group in groups if b"final-recipient" in group or b"original-recipient" in group or b"status" in group]
    told.sort(key=lambda group: group.get(b"action", "").lower() != "failed")
    if not told:
        return ""
    first = told[0]
    who = _address(first.get(b"original-recipient") or first.get(b"final-recipient", ""))
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return text.line(f"{first.get(b'action', '')} {first.get(b'status', '')} {who}{more}: {first.get(b'diagnostic-code', '')}")[:500].rstrip(": ")


def _first_telling(found: Structure) -> str:
    for part in found.leaves():
        if not part.content_type.startswith("text/"):
            continue
        words = text.clean(text.decode(found.content(part, 64 * 1024), part.charset)[0])
        lines = [line for line in words.split("\n")[:400] if line.strip()]
        for telling in (_STATUS, _CODE, _REASON, _UNSENT):
            for number, line in enumerate(lines):
                if telling.search(line):
                    return text.line(" ".join(lines[number : number + 2]))[:500]
    return ""
