"""The envelope of a message that was read from a mailbox: what the host's own server wrote on top of it.

Sources: RFC 5321 section 4.4 (Return-Path), and the custom of Delivered-To, X-Original-To (Postfix, Dovecot, qmail) and
Envelope-To (Exim). Any sender may write such fields too; the topmost counts. A forged one gains nothing: recipients of
collected mail only tell plus-parts, whose tokens are signed.
"""

from __future__ import annotations

from colporteur.domain.addresses import normal
from colporteur.mail import headers, parse

_RECIPIENT = (b"delivered-to", b"x-original-to", b"envelope-to", b"x-envelope-to", b"x-delivered-to")
_BEGINNING = 64 * 1024
_MOST = 10


def envelope(raw: bytes, account: str) -> tuple[str, tuple[str, ...]]:
    """Envelope sender ("" for the null sender) and recipients; ``account``, the mailbox's own address, is the last of them.

    Without Return-Path the author stands for the sender: a message that names neither cannot be answered anyway.
    """
    data = headers.canonical(raw[:_BEGINNING])
    sender: str | None = None
    recipients: dict[str, None] = {}
    for field in headers.block(data)[0]:
        if field.name == b"return-path" and sender is None:
            sender = _address(headers.unfolded(data, field))
        elif field.name in _RECIPIENT and len(recipients) < _MOST and (found := _address(headers.unfolded(data, field))):
            recipients.setdefault(found)
    if sender is None:
        author = parse.skim(raw).sender
        sender = author.email if author else ""
    recipients.pop(account, None)
    return sender, (*recipients, account)


def _address(value: bytes) -> str | None:
    """The address, "" for ``<>``, None for anything else."""
    text = value.decode("utf-8", "replace").strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
        if not text:
            return ""
    try:
        return normal(text)
    except ValueError:
        return None
