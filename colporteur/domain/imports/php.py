"""Values as PHP's ``serialize()`` writes them, read by a parser of our own: objects and references are refused, nothing is ever called.

Source: PHP manual, ``serialize``; lengths are in bytes.
"""

from __future__ import annotations

from typing import Any

LARGEST = 8 << 20
"""Bytes of a whole value."""
DEEPEST = 40
MOST = 100_000
"""Values in one value."""


class NotPlain(ValueError):
    """The text is no plain value: broken, an object, or larger than anybody would write."""


def read(text: str) -> Any:
    """The value: array as dict (keys int or str, in order), string, int, float, bool, None.

    A database that was converted keeps the lengths of the encoding the text was written in: UTF-8 and Windows-1252 are tried.
    Raises ``NotPlain``.
    """
    if len(text) > LARGEST:
        raise NotPlain("too large")
    try:
        return _Reader(text.encode(), "utf-8").whole()
    except NotPlain:
        if text.isascii():
            raise
    return _Reader(text.encode("cp1252", "replace"), "cp1252").whole()


class _Reader:
    def __init__(self, raw: bytes, encoding: str) -> None:
        self.raw, self.encoding, self.at, self.values = raw, encoding, 0, 0

    def whole(self) -> Any:
        try:
            found = self.value(0)
        except (IndexError, UnicodeDecodeError, ValueError) as error:
            raise error if isinstance(error, NotPlain) else NotPlain("broken") from error
        if self.raw[self.at :].strip():
            raise NotPlain("more than one value")
        return found

    def value(self, depth: int) -> Any:
        self.values += 1
        if depth > DEEPEST or self.values > MOST:
            raise NotPlain("too deep or too many values")
        kind, self.at = self.raw[self.at : self.at + 1], self.at + 1
        if kind == b"N":
            self.expect(b";")
            return None
        self.expect(b":")
        if kind == b"i":
            return int(self.until(b";"))
        if kind == b"d":
            return float(self.until(b";"))
        if kind == b"b":
            return self.until(b";") == b"1"
        if kind == b"s":
            found = self.string()
            self.expect(b";")
            return found
        if kind == b"a":
            return self.array(depth)
        raise NotPlain("an object or a reference" if kind in b"OCERrS" and kind else "broken")

    def array(self, depth: int) -> dict[int | str, Any]:
        count = int(self.until(b":"))
        if not 0 <= count <= MOST:
            raise NotPlain("too many values")
        self.expect(b"{")
        found: dict[int | str, Any] = {}
        for _number in range(count):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise NotPlain("broken")
            found[key] = self.value(depth + 1)
        self.expect(b"}")
        return found

    def string(self) -> str:
        length = int(self.until(b":"))
        if not 0 <= length <= len(self.raw) - self.at:
            raise NotPlain("broken")
        self.expect(b'"')
        found = self.raw[self.at : self.at + length]
        self.at += length
        self.expect(b'"')
        return found.decode(self.encoding).replace("\x00", "")

    def until(self, mark: bytes) -> bytes:
        place = self.raw.index(mark, self.at, self.at + 40)
        found, self.at = self.raw[self.at : place], place + 1
        return found

    def expect(self, mark: bytes) -> None:
        if not self.raw.startswith(mark, self.at):
            raise NotPlain("broken")
        self.at += len(mark)
