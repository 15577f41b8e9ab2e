"""The parts of a message, with byte offsets into its canonical form.

Own scanner: one pass over the lines that begin with two hyphens, no recursion, at most 20 levels and 1000 parts; what
lies beyond is plain content of the last part. Messages inside messages are not opened: they are content.
Sources: RFC 2045, RFC 2046 section 5.1.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from colporteur.mail import headers, parameters, text
from colporteur.mail.headers import Field
from colporteur.mail.parameters import Value

MAX_DEPTH, MAX_PARTS, MAX_BOUNDARY = 20, 1000, 250
_ENCODINGS = {"": "7bit", "7bit": "7bit", "8bit": "8bit", "binary": "binary", "base64": "base64", "quoted-printable": "quoted-printable",
              "7-bit": "7bit", "8-bit": "8bit", "quoted_printable": "quoted-printable"}  # fmt: skip
_UNWANTED = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


@dataclass(slots=True)
class Part:
    """One part. Offsets are into ``Structure.data``; the body goes from ``body`` to ``end``, its last CRLF belongs to the border."""

    start: int
    body: int
    end: int
    fields: list[Field]
    kind: Value
    content_type: str
    encoding: str  # lower case; "" when nobody knows it
    disposition: Value
    depth: int
    children: list[Part] = field(default_factory=list)
    close: int = -1  # a multipart's closing border (offset of its two hyphens), -1 when there is none

    @property
    def multipart(self) -> bool:
        """Whether it was divided into parts."""
        return bool(self.children)

    @property
    def name(self) -> str:
        """File name, "" when none."""
        return parameters.file_name(self.disposition, self.kind)

    @property
    def charset(self) -> str:
        """Charset as declared, "" when none."""
        return self.kind.parameters.get("charset", "").strip()[:60]

    def walk(self) -> Iterator[Part]:
        """This part and everything in it, in order."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))

    @property
    def attached(self) -> bool:
        """Whether a reader shows it as a file: marked so, named, or no text."""
        return self.disposition.word == "attachment" or bool(self.name) or self.content_type not in ("text/plain", "text/html")


@dataclass(slots=True)
class Structure:
    """A message taken apart: its canonical bytes, its root part, and what is wrong with it."""

    data: bytes
    root: Part
    defects: dict[str, None]  # an ordered set of codes of ``mail.defects``

    def content(self, part: Part, limit: int | None = None) -> bytes:
        """Decoded content; of more than ``limit`` decoded bytes only about as many. Never raises."""
        stop = part.end if limit is None else min(part.end, part.body + limit * 3 + 64)
        raw = self.data[part.body : stop]
        if part.encoding == "base64":
            raw = text.unbase64(raw)
        elif part.encoding == "quoted-printable":
            raw = binascii.a2b_qp(raw)
        return raw if limit is None else raw[:limit]

    def size(self, part: Part) -> int:
        """Decoded bytes of a part, without decoding base64."""
        raw = self.data[part.body : part.end]
        if part.encoding == "base64":
            return len(raw.translate(None, _UNWANTED)) * 3 // 4
        return len(binascii.a2b_qp(raw)) if part.encoding == "quoted-printable" else len(raw)

    def leaves(self) -> Iterator[Part]:
        """Parts that are no containers, in order."""
        return (part for part in self.root.walk() if not part.children)


def _value(data: bytes, fields: list[Field], name: bytes, defects: dict[str, None], defect: str) -> Value | None:
    found = [item for item in fields if item.name == name]
    if len(found) > 1:
        defects[defect] = None
    return parameters.read(data[found[0].value : found[0].stop].replace(b"\r\n", b"")) if found else None


def _part(data: bytes, start: int, stop: int, depth: int, default: str, borders: dict[bytes, int], defects: dict[str, None]) -> Part:
    fields, body, cut = headers.block(data, start, stop, borders)
    if cut:
        defects["headers-too-long"] = None
    kind = _value(data, fields, b"content-type", defects, "repeated-content-type")
    encoding = _value(data, fields, b"content-transfer-encoding", defects, "repeated-content-type")
    disposition = _value(data, fields, b"content-disposition", defects, "repeated-content-type")
    name = default if kind is None else parameters.content_type(kind)
    if not name:  # RFC 2045 section 5.2
        defects["content-type-unreadable"] = None
        name = "text/plain"
    if kind and "boundary" in kind.repeated:
        defects["repeated-parameter"] = None
    known = _ENCODINGS.get(encoding.word if encoding else "", "")
    if not known:
        defects["encoding-unknown"] = None
    return Part(start, body, stop, fields, kind or Value(), name, known, disposition or Value(), depth)


def scan(raw: bytes) -> Structure:
    """Take a message apart. Never raises; linear in the size of ``raw``."""
    data = headers.canonical(raw)
    defects: dict[str, None] = {}
    root = _part(data, 0, len(data), 0, "text/plain", {}, defects)
    borders: dict[bytes, int] = {}  # delimiter and closing delimiter lines -> index in the stack of open multiparts
    stack: list[Part] = []
    current, count = root, 1
    _open(root, stack, borders, defects)
    position = max(root.body - 2, 0) if stack else len(data)
    misses, searched = 0, None
    while stack and count < MAX_PARTS:
        if misses == 500:  # worth a compiled search for the open borders, until they change
            searched = re.compile(b"\r\n(?=" + b"|".join(map(re.escape, borders)) + b")")
        position = _next_border(data, position, searched)
        if position < 0:
            break
        line_end = data.find(b"\r\n", position, position + MAX_BOUNDARY + 40)
        line_end = line_end if line_end >= 0 else min(len(data), position + MAX_BOUNDARY + 40)
        level = borders.get(border := data[position:line_end].rstrip(b" \t"))
        if level is None:
            position, misses = line_end, misses + 1
            continue
        misses, searched = 0, None
        _close(current, stack, level, position, borders, defects)
        parent = stack[-1]
        if border == b"--" + _boundary(parent):
            default = "message/rfc822" if parent.content_type == "multipart/digest" else "text/plain"
            current = _part(data, min(line_end + 2, len(data)), len(data), len(stack), default, borders, defects)
            parent.children.append(current)
            count += 1
            _open(current, stack, borders, defects)
            position = max(current.body - 2, line_end)
        else:
            parent.close = position
            _pop(stack, borders)
            current, position = parent, line_end
    _unfinished(root, stack, count, defects)
    return Structure(data, root, defects)


def _unfinished(root: Part, stack: list[Part], count: int, defects: dict[str, None]) -> None:
    """Note what the end of the message left open."""
    if count >= MAX_PARTS:
        defects["too-many-parts"] = None
    elif stack:
        defects["part-unclosed"] = None
    if any(part.content_type.startswith("multipart/") and not part.children for part in root.walk()):
        defects.setdefault("boundary-missing")


def _next_border(data: bytes, position: int, searched: re.Pattern[bytes] | None) -> int:
    """Offset of the next line that begins with two hyphens (or as ``searched`` says), at or after ``position``; -1 when there is none."""
    if position == 0 and data.startswith(b"--"):
        return 0
    if searched:
        match = searched.search(data, position)
        return match.end() if match else -1
    found = data.find(b"\r\n--", position)
    return found + 2 if found >= 0 else -1


def _boundary(part: Part) -> bytes:
    return part.kind.parameters.get("boundary", "").rstrip().encode("utf-8", "surrogatepass")


def _open(part: Part, stack: list[Part], borders: dict[bytes, int], defects: dict[str, None]) -> None:
    """Begin to look for the borders of ``part`` when it is a multipart we can divide."""
    if not part.content_type.startswith("multipart/"):
        return
    boundary = _boundary(part)
    if not boundary or len(boundary) > MAX_BOUNDARY:
        defects["boundary-missing"] = None
    elif b"--" + boundary in borders or b"--" + boundary + b"--" in borders:
        defects["boundary-repeated"] = None
    elif len(stack) >= MAX_DEPTH:
        defects["too-deep"] = None
    else:
        if part.encoding in ("base64", "quoted-printable"):
            defects["encoded-multipart"] = None
        stack.append(part)
        borders[b"--" + boundary] = borders[b"--" + boundary + b"--"] = len(stack) - 1


def _pop(stack: list[Part], borders: dict[bytes, int]) -> None:
    boundary = _boundary(stack.pop())
    borders.pop(b"--" + boundary, None)
    borders.pop(b"--" + boundary + b"--", None)


def _close(current: Part, stack: list[Part], level: int, position: int, borders: dict[bytes, int], defects: dict[str, None]) -> None:
    """End the current part, and the multiparts inside ``level`` that never said where they end, before a border at ``position``."""
    while len(stack) > level + 1:
        defects["part-unclosed"] = None
        stack[-1].end = max(stack[-1].body, position - 2)
        _pop(stack, borders)
    if stack[-1] is not current:
        current.end = max(current.body, position - 2)
