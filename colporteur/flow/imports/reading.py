"""The file of another system, opened without executing anything of it: a MySQL dump, packed or not, or a SQLite database."""

from __future__ import annotations

import gzip
import os
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from colporteur.domain.imports import mysql
from colporteur.domain.imports.texts import decoded
from colporteur.store.imports.staging import Staging

_SQLITE = b"SQLite format 3\x00"
_ROWS = 2000
Progress = Callable[[int], None]


def read(file: Path, staging: Staging, progress: Progress | None = None) -> None:
    """Hand every row of the tables that are wanted to the staging; ``progress`` is told how many bytes are behind.

    Raises ``ValueError`` for a file that cannot be read, is damaged or cut off.
    """
    try:
        with file.open("rb") as opened:
            beginning = opened.read(16)
        if beginning == _SQLITE:
            _read_sqlite(file, staging)
        else:
            _read_dump(file, staging, progress, packed=beginning.startswith(b"\x1f\x8b"))
    except sqlite3.Error as error:
        raise ValueError(f"{file.name} is a damaged SQLite database: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from error


def _read_dump(file: Path, staging: Staging, progress: Progress | None, packed: bool) -> None:
    with file.open("rb") as plain:
        opened = gzip.GzipFile(fileobj=plain) if packed else plain

        def piece(size: int) -> bytes:
            if progress:
                progress(plain.tell())
            return opened.read(size)

        for found in mysql.rows(piece, staging.wants):
            staging.take(found.table, found.columns, ([None if value is None else decoded(value) for value in row] for row in found.values), found.unreadable)


def _read_sqlite(file: Path, staging: Staging) -> None:
    """Read only, as a file nobody changes, without functions, views or virtual tables of its own: a hostile database runs nothing."""
    opened = sqlite3.connect(f"file:{quote(os.fspath(file.resolve()))}?mode=ro&immutable=1", uri=True)
    try:
        opened.text_factory = bytes
        opened.execute("PRAGMA trusted_schema = OFF")
        opened.execute("PRAGMA cell_size_check = ON")
        opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, mysql.LARGEST)
        opened.set_authorizer(_allowed)
        tables = opened.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for raw, made in tables:
            table = decoded(raw)
            if staging.wants(table) and not (made or b"").lstrip().upper().startswith(b"CREATE VIRTUAL"):
                _read_table(opened, table, staging)
    finally:
        opened.close()


def _read_table(opened: sqlite3.Connection, table: str, staging: Staging) -> None:
    name = table.replace('"', '""')
    cursor = opened.execute(f'SELECT * FROM "{name}"')
    names = [column[0].lower() for column in cursor.description]
    while some := cursor.fetchmany(_ROWS):
        staging.take(table, names, ([_plain(value) for value in row] for row in some))
    staging.take(table, names, ())


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return decoded(value) if isinstance(value, bytes) else str(value)


def _allowed(action: int, *_about: object) -> int:
    return sqlite3.SQLITE_OK if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ) else sqlite3.SQLITE_DENY
