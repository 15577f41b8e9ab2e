"""Codes of an authenticator app: one-time passwords by time (RFC 6238) on SHA-1, six digits, thirty seconds."""

from __future__ import annotations

import base64
import hmac
import struct
from urllib.parse import quote, urlencode

STEP, DIGITS = 30, 6
DRIFT = 1
"""Steps a clock may be off, either way (RFC 6238 section 5.2)."""
SECRET_BYTES = 20
"""As long as what SHA-1 gives (RFC 4226 section 4, R6)."""


def code(secret: str, step: int) -> str:
    """The digits of one step; ``secret`` is base32. RFC 4226 section 5.3."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching(secret: str, typed: str, at: float, used: int) -> int | None:
    """The step ``typed`` is the code of, at ``at`` seconds since 1970; None when it is wrong or a step until ``used`` was.

    A code is good once (RFC 6238 section 5.2): whoever calls keeps the step that matched as ``used``.
    """
    now = int(at) // STEP
    given = "".join(typed.split())
    for step in range(max(now - DRIFT, used + 1), now + DRIFT + 1):
        if hmac.compare_digest(code(secret, step).encode(), given.encode(errors="replace")):
            return step
    return None


def secret_of(dice: bytes) -> str:
    """``SECRET_BYTES`` random bytes as apps take them: base32."""
    return base64.b32encode(dice).decode("ascii")


def address(secret: str, issuer: str, who: str) -> str:
    """What the picture for the app says (the Key URI format every app reads)."""
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(who, safe='@')}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
