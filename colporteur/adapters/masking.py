"""What a server answers to a password may repeat it; that answer goes to logs, rows and screens, the password must not."""

from __future__ import annotations

import base64

MASK = "***"


def masked(answer: str | bytes, user: str, password: str) -> str:
    """``answer`` without the password, as it is or in the spellings of AUTH PLAIN and LOGIN (RFC 4616)."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    if not password:
        return text
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    encoded = (base64.b64encode(plain.encode("utf-8", "replace")).decode() for plain in (f"\0{user}\0{password}", f"{user}\0{user}\0{password}", password))
    for spelling in (*encoded, quoted, password):
        text = text.replace(spelling, MASK)
    return text
