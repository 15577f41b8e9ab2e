"""Bytes of others as text: charsets, RFC 2047 encoded words, characters no database, screen or journal should meet.

Nothing here raises on foreign bytes, and everything is linear in its input.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re

# Python codecs that are no charsets of mail, or that take more than linear time (idna, punycode).
_NOT_CHARSETS = re.compile(r"(?i)idna|punycode|undefined|.*escape.*|.*_?codec|mbcs|oem|palmos|zip|zlib|bz2|bz_2|hex|rot_?13|base_?64|uu|quopri|quoted.*")
# What senders mean when they say so: the superset everybody else decodes with (WHATWG encoding standard).
_MEANT = {
    "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932", "shift-jis": "cp932",
    "x-sjis": "cp932", "iso-8859-9": "cp1254", "utf8": "utf-8", "x-mac-roman": "mac-roman", "macintosh": "mac-roman", "cp-850": "cp850",
    "windows-874": "cp874", "tis-620": "cp874", "iso-8859-8-i": "iso-8859-8", "unicode-1-1-utf-7": "utf-7",
}  # fmt: skip
_UNWANTED: dict[int, int | None] = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127)) | dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)
_NOT_CHARACTERS = [*range(0xFDD0, 0xFDF0), *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))]
# Characters that turn the reading direction round: in a name or a subject they only serve to deceive.
_LINE_UNWANTED = _UNWANTED | dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF, *_NOT_CHARACTERS))
_WORD = re.compile(r"=\?([!->@-~]{1,60})\?([bBqQ])\?([^?\r\n]*+)\?=")
_SPACE = re.compile(r"\s++")


def codec(charset: str, *, meant: bool = True) -> str | None:
    """Python's name of a charset of mail, or None when nobody knows it; the superset writers mean by it, unless ``meant`` is off."""
    name = charset.strip().strip("'\"").partition("*")[0].lower()[:40]
    name = _MEANT.get(name, name) if meant else name
    if not name or not name.isascii() or _NOT_CHARSETS.fullmatch(name.replace("-", "_")):
        return None
    try:
        found = codecs.lookup(name)
        return found.name if found._is_text_encoding else None
    except (LookupError, ValueError, UnicodeError):
        return None


def decode(data: bytes, charset: str = "") -> tuple[str, bool]:
    """Text of ``data``, and whether it was what it claimed to be. Without a usable charset: UTF-8, else Windows-1252."""
    if data.isascii() and charset.lower() in ("", "us-ascii", "ascii", "utf-8", "iso-8859-1"):
        return data.decode("ascii"), True
    name = codec(charset)
    if name and charset.lower() not in ("us-ascii", "ascii"):
        try:
            return data.decode(name), True
        except (UnicodeError, ValueError, LookupError):
            pass
    try:
        return data.decode("utf-8"), not charset
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), name == "cp1252" and charset.lower() not in ("us-ascii", "ascii")


def clean(text: str) -> str:
    """``text`` without NUL, other control characters but tab and line ends, and lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_UNWANTED)


def line(text: str) -> str:
    """One line fit for a screen: ``clean``, no direction overrides, white space collapsed and trimmed."""
    if not (text.isascii() and text.isprintable()):
        text = _SPACE.sub(" ", text).translate(_LINE_UNWANTED)
    return _SPACE.sub(" ", text).strip()


def _word_bytes(encoding: str, payload: str) -> bytes:
    raw = payload.encode("utf-8", "surrogatepass")
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b"_", b" "), header=False)
    return unbase64(raw)


def unbase64(data: bytes) -> bytes:
    """Decoded base64, tolerant: foreign characters ignored, missing padding added, never an exception."""
    letters = data.translate(None, _NOT_BASE64)
    head = letters.partition(b"=")[0]
    if letters.rstrip(b"=") != head:  # padding in the middle: several encodings put one after the other
        return b"".join(unbase64(piece + b"=") for piece in letters.split(b"=", 1000)[:1000] if piece)
    usable = head[: len(head) - 1] if len(head) % 4 == 1 else head
    return base64.b64decode(usable + b"=" * (-len(usable) % 4))


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def unwords(text: str) -> str:
    """RFC 2047 encoded words decoded, wherever they stand; neighbours of one charset are joined before decoding, because
    many writers cut characters in two. Raw 8-bit text passes."""
    if "=?" not in text:
        return text
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()]
        adjacent = bool(charset) and not between.strip()
        if charset and not (adjacent and word[1].lower() == charset):
            out.append(decode(pending, charset)[0])
            pending = b""
        if not adjacent:
            out.append(between)
        charset, end = word[1].lower(), word.end()
        pending += _word_bytes(word[2], word[3])
    if charset:
        out.append(decode(pending, charset)[0])
    out.append(text[end:])
    return "".join(out)


def header(value: bytes) -> str:
    """One field's value for people: unfolded, encoded words decoded, cleaned to one line."""
    return line(unwords(decode(value)[0]))
