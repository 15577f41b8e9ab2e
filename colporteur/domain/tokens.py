"""Tokens: short, signed, scoped names of a thing, safe in a local part, a subject or an address of the web.

A token is at most 24 characters of case-insensitive base32 (RFC 4648 section 6 alphabet, lower case, no padding): two
40-bit numbers and 40 bits of a keyed BLAKE2s, separated by purpose, so that a token made for one purpose never opens
another. It carries no date: what it names expires (a post, a mailing), and the reader checks that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import Enum


class Purpose(Enum):
    """What a token is good for; the value personalises the hash."""

    COPY = b"copy"  # (mailing, address): envelope sender, unsubscribe link and trace header of one copy; one hash for all three
    MODERATE = b"moderate"  # (post, address of the moderator)
    CONFIRM = b"confirm"  # (request, address)


LENGTH = 24
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(one + two for one in _ALPHABET for two in _ALPHABET)
_SHIFTS = tuple(range(110, -1, -10))


def sign(key: bytes, purpose: Purpose, first: int, second: int) -> str:
    """Token of 24 characters for two numbers under 2**40. Raises ``OverflowError`` beyond that."""
    body = first.to_bytes(5, "big") + second.to_bytes(5, "big")
    mac = hashlib.blake2s(body, digest_size=5, key=key, person=purpose._value_).digest()  # ``value`` is a slow property
    number = int.from_bytes(body + mac, "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])  # a third of what the base64 module takes; one for each copy


def read(key: bytes, purpose: Purpose, token: str) -> tuple[int, int] | None:
    """The two numbers, or None when the token was not made by us for this purpose."""
    if len(token) != LENGTH:
        return None
    try:
        raw = base64.b32decode(token.upper())
    except ValueError:
        return None
    body, mac = raw[:10], raw[10:]
    expected = hashlib.blake2s(body, digest_size=5, key=key, person=purpose.value).digest()
    if not hmac.compare_digest(mac, expected):
        return None
    return int.from_bytes(body[:5], "big"), int.from_bytes(body[5:], "big")
