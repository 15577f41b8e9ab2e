"""Content transfer encodings we write (RFC 2045 sections 6.7 and 6.8)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable


def quoted_printable(data: bytes) -> bytes:
    """CRLF lines of ``data`` quoted, at most 76 columns, without a line end of its own at the end.

    A dot or "From " at the start of a line is quoted too, so that neither SMTP nor mbox ever touches the line.
    """
    lines = binascii.b2a_qp(data.replace(b"\r\n", b"\n"), istext=True)
    out = []
    for line in lines.split(b"\n"):
        if line.startswith((b".", b"From ")):
            line = b"=%02X" % line[0] + line[1:]
            if len(line) > 76:
                line = line[:70] + b"=\n" + line[70:] if b"=" not in line[67:71] else line[:66] + b"=\n" + line[66:]
        out.append(line)
    return b"\n".join(out).replace(b"\r", b"=0D").replace(b"\n", b"\r\n")


def base64_lines(data: bytes) -> bytes:
    """Base64 in CRLF lines of 76, without a line end at the end."""
    whole = base64.b64encode(data)
    return b"\r\n".join([whole[i : i + 76] for i in range(0, len(whole), 76)])


def boundary(*contents: bytes) -> str:
    """A border that stands in none of ``contents``; the same for the same contents."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    number = 0
    while True:
        word = f"=_{digest.hexdigest()[:32]}_{number}"
        if not any(word.encode() in content for content in contents):
            return word
        number += 1


def longest_line(data: bytes) -> int:
    """Octets of the longest line, its end not counted."""
    return max(map(len, data.split(b"\r\n")))


def multipart(kind: str, parts: Iterable[bytes]) -> tuple[str, bytes]:
    """Content-Type value and body of a multipart of whole parts (header, empty line, body, no line end at the end)."""
    held = list(parts)
    word = boundary(*held)
    border = b"--" + word.encode()
    return f'{kind}; boundary="{word}"', b"".join(border + b"\r\n" + part + b"\r\n" for part in held) + border + b"--\r\n"
