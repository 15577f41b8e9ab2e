"""Foreign values as text: their encoding found, texts encoded twice mended, moments and numbers checked."""

from __future__ import annotations

import codecs
import re
from datetime import datetime

_AGAIN = {character: number for number in range(256) for character in [bytes([number]).decode("cp1252", "ignore") or chr(number)]}
_BYTES = {ord(character): number for character, number in _AGAIN.items()}
_TWICE = re.compile("[\u00c2-\u00c5\u00e2][\u0080-\u00ff\u0152-\u2122]")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)?")
_NUMBER = re.compile(r"[+-]?\d{1,18}")


def decoded(raw: bytes) -> str:
    """Text of bytes of unknown encoding: UTF-8 when valid, else Windows-1252; UTF-8 that was encoded as if it were Windows-1252 is mended."""
    if raw.isascii():
        text = raw.decode("ascii")
    else:
        try:
            text = mended(raw.decode("utf-8"))
        except UnicodeDecodeError:
            text = codecs.charmap_decode(raw, "strict", "".join(_AGAIN))[0]
    return text.replace("\x00", "") if "\x00" in text else text


def mended(text: str) -> str:
    """The text with one layer of wrong encoding taken away, if it had one: "Ã©tÃ©" is "été"."""
    if not _TWICE.search(text):
        return text
    try:
        return codecs.charmap_encode(text, "strict", _BYTES)[0].decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def moment(text: str) -> str | None:
    """A date and time as PostgreSQL reads it; None for none ("0000-00-00 00:00:00") and for what is no date."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return None
    try:
        answer = datetime.fromisoformat(f"{found.group(1)} {found.group(2) or '00:00:00'}")
    except ValueError:
        return None
    return answer.isoformat(" ") if 1970 <= answer.year <= 2200 else None


def number(text: str) -> str | None:
    """A whole number; None for what is none."""
    found = text.strip()
    return str(int(found)) if _NUMBER.fullmatch(found) else None
