"""Rows of a MySQL dump, as mysqldump and phpMyAdmin write it, read as a stream: nothing is executed, and memory does not grow with the file.

Sources: MySQL reference manual, "String Literals", "Hexadecimal Literals", "Comments"; mysqldump's and phpMyAdmin's output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

Value = bytes | None
CHUNK = 1 << 20
LARGEST = 64 << 20
"""Bytes of one value, or of one comment."""
_BATCH = 2000  # rows handed over together
_AHEAD = 1 << 16  # bytes looked at to know a statement: more than any list of columns

_STRING = rb"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
_VALUE = re.compile(rb"\s*+(?:_\w++\s*+)?(?:'([^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+)'|[xX]'([0-9A-Fa-f]*+)'|([^\s,()';\"]++))\s*+([,)])", re.S)
_QUOTED_AHEAD = re.compile(rb"\s*+(?:_\w++\s*+|[xX])?'")
_PIECES = re.compile(rb"(?:[^'\"`;]++|" + _STRING + rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"|`[^`]*+`)*+', re.S)
_IN_ROW = re.compile(rb"(?:[^'\"`()]++|" + _STRING + rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"|`[^`]*+`)*+', re.S)
_BLANK = re.compile(rb"(?:\s++|--[^\n]*+|#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|;)*+", re.S)
_NAME = rb"(?:(?:`[^`]++`|\w++)\s*+\.\s*+)?(`[^`]++`|\"[^\"]++\"|[\w$]++)"
_INSERT = re.compile(rb"(?:INSERT|REPLACE)\s++(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE)\s++)*+(?:INTO\s++)?" + _NAME + rb"\s*+(?:\(([^()]*+)\))?\s*+VALUES?", re.I)
_CREATE = re.compile(rb"CREATE\s++TABLE\s++(?:IF\s++NOT\s++EXISTS\s++)?" + _NAME + rb"\s*+\(", re.I)
_DELIMITER = re.compile(rb"DELIMITER\s++(\S++)", re.I)
_LEXEME = re.compile(_STRING + rb'|"[^"]*+"|`[^`]*+`|[(),;]|[^\'"`(),;]++', re.S)
_NO_COLUMNS = {b"primary", b"key", b"unique", b"index", b"constraint", b"fulltext", b"foreign", b"spatial", b"check"}
_ESCAPE = re.compile(rb"\\(.)|''", re.S)
_MEANT = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"Z": b"\x1a", b"%": b"\\%", b"_": b"\\_"}


class Rows(NamedTuple):
    """Some rows of one table. ``unreadable``: rows among them that could not be read and are not in ``values``."""

    table: str
    columns: tuple[str, ...]
    values: list[list[Value]]
    unreadable: int = 0


def rows(read: Callable[[int], bytes], wanted: Callable[[str], bool]) -> Iterator[Rows]:
    """Rows of the wanted tables in the order of the file. ``read(n)``: at most n further bytes, none at the end.

    Raises ``ValueError`` when the file is cut off, has rows of a table whose columns nobody names, or two tables of one name.
    """
    source, columns = _Source(read), dict[str, tuple[str, ...]]()
    while source.statement():
        if found := _INSERT.match(source.buffer, source.at):
            table = _bare(found.group(1))
            if wanted(table):
                known = tuple(_bare(name.strip()).lower() for name in found.group(2).split(b",")) if found.group(2) else columns.get(table)
                if not known:
                    raise ValueError(f"the file names no columns for the table {table}: dump it again with its CREATE TABLE statements")
                source.at = found.end()
                yield from _rows(source, table, known)
        elif found := _CREATE.match(source.buffer, source.at):
            table = _bare(found.group(1))
            if table in columns and wanted(table):
                raise ValueError(f"the table {table} is created twice: the file seems to hold several databases; dump one of them")
            columns[table] = _columns(source.buffer, found.end())
            if wanted(table):
                yield Rows(table, columns[table], [])
        elif found := _DELIMITER.match(source.buffer, source.at):
            source.at = found.end()
            if found.group(1) != b";":
                source.past(b"DELIMITER ;")
            continue
        source.skip()


class _Source:
    """The part of the file that is looked at, and the place in it."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read, self.buffer, self.at, self.ended = read, b"", 0, False

    def more(self) -> bool:
        """Let go what was read, and read on; False at the end of the file."""
        if self.ended:
            return False
        rest = self.buffer[self.at :]
        if len(rest) > LARGEST:
            raise ValueError("a value of this file is larger than 64 MB, or a quotation mark is never closed")
        piece = self.read(max(CHUNK, len(rest)))
        if not piece:
            self.ended = True
            return False
        self.buffer, self.at = rest + piece, 0
        return True

    def statement(self) -> bool:
        """Go to the beginning of the next statement; False when there is none."""
        while True:
            while len(self.buffer) - self.at < _AHEAD and self.more():
                pass
            found = _BLANK.match(self.buffer, self.at)
            end = found.end() if found else self.at
            if end == len(self.buffer):
                if not self.more():
                    return False
            elif end > self.at:
                self.at = end
            elif not self.buffer.startswith(b"/*", self.at):
                return True
            elif not self.more():
                return False

    def skip(self) -> None:
        """Go past the end of this statement."""
        something = False
        while True:
            if found := _PIECES.match(self.buffer, self.at):
                something = something or bool(found.group().strip())
                self.at = found.end()
            if self.buffer.startswith(b";", self.at):
                self.at += 1
                return
            if not self.more():
                if something or self.at < len(self.buffer):
                    raise ValueError("the file is cut off in the middle of a statement, or it is no dump of MySQL")
                return

    def past(self, text: bytes) -> None:
        """Go past the next place of this text."""
        while (place := self.buffer.find(text, self.at)) < 0:
            self.at = max(self.at, len(self.buffer) - len(text))
            if not self.more():
                raise ValueError("the file is cut off in the middle of a procedure")
        self.at = place + len(text)

    def next(self, characters: bytes) -> bytes:
        """The next character that is no space, if it is one of these, read; else nothing."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at] in b" \t\r\n":
                self.at += 1
            if self.at < len(self.buffer):
                found = self.buffer[self.at : self.at + 1]
                self.at += found in characters
                return found if found in characters else b""
            if not self.more():
                return b""


def _rows(source: _Source, table: str, columns: tuple[str, ...]) -> Iterator[Rows]:
    """Rows of one INSERT statement, the place just behind VALUES."""
    batch: list[list[Value]] = []
    unreadable = 0
    while source.next(b"("):
        values = _row(source, table)
        if values is None or len(values) != len(columns):
            unreadable += 1
        else:
            batch.append(values)
        if len(batch) + unreadable >= _BATCH:
            yield Rows(table, columns, batch, unreadable)
            batch, unreadable = [], 0
        if not source.next(b","):
            break
    else:
        raise ValueError(f"the file is cut off in the table {table}, or it is no dump of MySQL")
    if batch or unreadable:
        yield Rows(table, columns, batch, unreadable)


def _row(source: _Source, table: str) -> list[Value] | None:
    """The values of one row, the place behind its opening parenthesis; None when one of them is no plain value (a function ...)."""
    values: list[Value] = []
    buffer, at, match = source.buffer, source.at, _VALUE.match
    while True:
        found = match(buffer, at)
        if found is None:
            source.at = at
            if len(buffer) - at < 4096 or _QUOTED_AHEAD.match(buffer, at):
                if source.more():
                    buffer, at = source.buffer, source.at
                    continue
                if _QUOTED_AHEAD.match(buffer, at) or len(buffer) == at:
                    raise ValueError(f"the file is cut off in the table {table}")
            _leave_row(source, table)
            return None
        at = found.end()
        quoted, digits, bare, end = found.groups()
        if quoted is not None:
            values.append(_ESCAPE.sub(_meant, quoted) if b"\\" in quoted or b"'" in quoted else quoted)
        else:
            values.append(_plain(bare if digits is None else b"0x" + digits))
        if end == b")":
            source.at = at
            return values


def _leave_row(source: _Source, table: str) -> None:
    """Go behind the row's closing parenthesis."""
    depth = 1
    while depth:
        if found := _IN_ROW.match(source.buffer, source.at):
            source.at = found.end()
        character = source.buffer[source.at : source.at + 1]
        if character in (b"(", b")") and character:
            depth += 1 if character == b"(" else -1
            source.at += 1
        elif not source.more():
            raise ValueError(f"the file is cut off in the table {table}")


def _plain(word: bytes) -> Value:
    if word[:2] in (b"0x", b"0X"):
        digits = word[2:].decode("ascii", "replace")
        try:
            return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
        except ValueError:
            return None
    return None if word.upper() in (b"NULL", b"DEFAULT") else word


def _meant(found: re.Match[bytes]) -> bytes:
    letter: bytes | None = found.group(1)
    return b"'" if letter is None else _MEANT.get(letter, letter)


def _bare(name: bytes) -> str:
    return name.strip(b"`\"").decode("utf-8", "replace")


def _columns(buffer: bytes, at: int) -> tuple[str, ...]:
    """Names of the columns in a CREATE TABLE, from behind its opening parenthesis."""
    names: list[str] = []
    depth, first = 1, True
    for found in _LEXEME.finditer(buffer, at):
        lexeme = found.group().strip()
        if lexeme == b"(":
            depth += 1
        elif lexeme == b")":
            depth -= 1
            if not depth:
                break
        elif lexeme == b"," and depth == 1:
            first = True
        elif first and lexeme:
            first = False
            word = lexeme if lexeme[:1] in b"`\"" else lexeme.split()[0]
            if word[:1] in b"`\"" or word.lower() not in _NO_COLUMNS:
                names.append(_bare(word).lower())
    return tuple(names)
