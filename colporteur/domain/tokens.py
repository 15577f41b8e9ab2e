"""Tokens: short, signed, scoped names of a thing, safe in a local part, a subject or an address of the web.

A token is at most 24 characters of case-insensitive base32 (RFC 4648 section 6 alphabet, lower case, no padding): two
40-bit numbers and 40 bits of a keyed BLAKE2s, separated by purpose, so that a token made for one purpose never opens
another. It carries no date: what it names expires (a post, a mailing), and the reader checks that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from enum import Enum


class Purpose(Enum):
    """What a token is good for; the value personalises the hash."""

    COPY = b"copy"  # (mailing, address): envelope sender, unsubscribe link and trace header of one copy; one hash for all three
    MODERATE = b"moderate"  # (post, address of the moderator)
    CONFIRM = b"confirm"  # (request, address)
    REQUEST = b"request"  # (request for a list, address of the administrator)
    JOIN = b"join"  # (request to join, address that joins)
    ADMIT = b"admit"  # (request to join, address of the owner)
    PART = b"part"  # (request to leave, address of the owner)
    RETURN = b"return"  # (address, second since 1970 it was made): messages come again to an address that was paused
    LEAVE = b"leave"  # (list, address that leaves it)
    LINK = b"link"  # (campaign, link of it that is counted; 0: its image)
    PAGE = b"page"  # (campaign, 0): its public page


LENGTH = 24
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAD = bytes(3)
_WORTHS = bytes.maketrans(bytes(range(32)), _ALPHABET.encode())


def sign(key: bytes, purpose: Purpose, first: int, second: int) -> str:
    """Token of 24 characters for two numbers under 2**40. Raises ``OverflowError`` beyond that."""
    return sign_all(key, purpose, first, [second])[0]


def sign_all(key: bytes, purpose: Purpose, first: int, seconds: Sequence[int]) -> list[str]:
    """The tokens of one number with each of several. One for each copy of a mailing: hot, so all are written at once."""
    if seconds and max(seconds) >> 40:
        raise OverflowError("a token names numbers under 2**40")
    body, keyed = first.to_bytes(5, "big"), hashlib.blake2s(digest_size=5, key=key, person=purpose.value)
    keyed.update(body)
    pieces: list[bytes] = []
    for second in seconds:
        wide = second.to_bytes(8, "big")
        mac = keyed.copy()
        mac.update(wide[3:])
        pieces += (wide, _PAD, mac.digest())
    head, rest = _base32(_PAD + body), _base32(b"".join(pieces))
    return [head + rest[start : start + 16] for start in range(0, len(rest), 16)]


def _base32(raw: bytes) -> str:
    """Lower-case base32 of groups of five bytes, each behind three empty ones: all groups are one number, whose fields of
    40 bits are spread to eight of five bits, each in its byte, by halving three times."""
    number = int.from_bytes(raw, "big")
    for bits, lane in ((20, 8), (10, 4), (5, 2)):
        low = int.from_bytes(((1 << bits) - 1).to_bytes(lane, "big") * (len(raw) // lane), "big")
        number = (number & low) | (number & low << bits) << (lane * 4 - bits)
    return number.to_bytes(len(raw), "big").translate(_WORTHS).decode("ascii")


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
