"""A query of a database: PostgreSQL, MySQL or MariaDB, SQLite. One statement, read-only, bounded in time and rows."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pymysql
from pymysql.cursors import SSCursor

from colporteur.adapters.directories import BYTES, Asked, Trouble
from colporteur.adapters.directories.reaching import CONNECT_SECONDS, NO_ANSWER, address_of, connect
from colporteur.domain.sources import ROWS, Table
from colporteur.domain.words import gettext_noop as _

REFUSED = _("{host} refuses the query")
TOO_SLOW = _("{host} takes longer than {seconds} seconds for the query")


class _Place(NamedTuple):
    """A database: where, which, as whom."""

    scheme: str
    host: str
    port: int
    name: str
    user: str
    password: str


def fetch(asked: Asked) -> Table:
    """Run the query. Raises ``Trouble``."""
    parts = urlsplit(asked.url)
    query = asked.options.get("query", "").strip().rstrip(";")
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path), query, asked)
    mysql = parts.scheme in ("mysql", "mariadb")
    user = asked.options.get("user") or unquote(parts.username or "")
    place = _Place(parts.scheme, parts.hostname or "", parts.port or (3306 if mysql else 5432), unquote(parts.path.strip("/")), user, asked.secret or unquote(parts.password or ""))
    return (_mysql if mysql else _postgresql)(place, query, asked)


def _postgresql(place: _Place, query: str, asked: Asked) -> Table:
    milliseconds = int(asked.seconds * 1000)
    try:
        with psycopg.connect(
            # Everything libpq could take from files and environment of ours is said here.
            host=place.host, hostaddr=address_of(place.host, place.port, asked.internal, asked.networks), port=place.port, dbname=place.name, user=place.user or "colporteur", password=place.password,
            passfile="/dev/null", connect_timeout=int(CONNECT_SECONDS), application_name="colporteur", sslcert="", sslkey="", gssencmode="disable", target_session_attrs="any",
            options=f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds}", client_encoding="utf-8",
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            connection.read_only = True
            rows = _collect(place.host, _described(cursor, cursor.stream(query.encode())), asked)  # a stream is one statement and no more
            return Table(tuple(column.name for column in cursor.description or ()), rows)
    except psycopg.errors.QueryCanceled as error:
        raise Trouble(TOO_SLOW, host=place.host, seconds=int(asked.seconds)) from error
    except psycopg.OperationalError as error:
        raise Trouble(NO_ANSWER, host=place.host, port=place.port, detail=str(error)) from error
    except psycopg.Error as error:
        raise Trouble(REFUSED, host=place.host, detail=str(error), lasting=True) from error


def _described(cursor: Any, rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield from rows
    if cursor.description is None:
        raise psycopg.ProgrammingError("the query gives no rows")


def _mysql(place: _Place, query: str, asked: Asked) -> Table:
    try:
        client = pymysql.connect(
            host=place.host, port=place.port, user=place.user, password=place.password, database=place.name, charset="utf8mb4", cursorclass=SSCursor,
            connect_timeout=int(CONNECT_SECONDS), read_timeout=int(asked.seconds) + 1, write_timeout=int(CONNECT_SECONDS), defer_connect=True, local_infile=False, read_default_file=None,
        )  # fmt: skip
        client.connect(connect(place.host, place.port, asked.internal, asked.networks))
        with contextlib.closing(client), client.cursor() as cursor:
            _bound(cursor, asked.seconds)
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute(query)
            if cursor.description is None:
                raise Trouble(REFUSED, host=place.host, detail="the query gives no rows", lasting=True)
            columns = tuple(str(column[0]) for column in cursor.description)
            return Table(columns, _collect(place.host, cursor.fetchall_unbuffered(), asked))
    except pymysql.err.OperationalError as error:
        if error.args[0] in (1969, 3024):  # ER_STATEMENT_TIMEOUT, ER_QUERY_TIMEOUT
            raise Trouble(TOO_SLOW, host=place.host, seconds=int(asked.seconds)) from error
        raise Trouble(NO_ANSWER, host=place.host, port=place.port, detail=str(error.args[-1])) from error
    except pymysql.MySQLError as error:
        raise Trouble(REFUSED, host=place.host, detail=str(error.args[-1] if error.args else error), lasting=True) from error
    except OSError as error:
        raise Trouble(NO_ANSWER, host=place.host, port=place.port, detail=str(error)) from error


def _bound(cursor: Any, seconds: float) -> None:
    """The server itself stops the query: MariaDB counts in seconds, MySQL in milliseconds."""
    try:
        cursor.execute(f"SET SESSION max_statement_time = {seconds}")
    except pymysql.MySQLError:
        cursor.execute(f"SET SESSION max_execution_time = {int(seconds * 1000)}")


def _sqlite(path: str, query: str, asked: Asked) -> Table:
    if not asked.internal:
        raise Trouble(_("only an administrator of the site may use a file of the server"), lasting=True)
    deadline = time.monotonic() + asked.seconds
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=CONNECT_SECONDS)) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
            connection.set_authorizer(_only_reading)
            cursor = connection.execute(query)
            if cursor.description is None:
                raise Trouble(REFUSED, host=path, detail="the query gives no rows", lasting=True)
            return Table(tuple(column[0] for column in cursor.description), _collect(path, cursor, asked))
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise Trouble(TOO_SLOW, host=path, seconds=int(asked.seconds)) from error
        raise Trouble(REFUSED, host=path, detail=str(error)) from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise Trouble(REFUSED, host=path, detail=str(error), lasting=True) from error


_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def _only_reading(action: int, *_details: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _collect(host: str, rows: Iterable[Sequence[Any]], asked: Asked) -> list[list[str]]:
    deadline = time.monotonic() + asked.seconds
    found: list[list[str]] = []
    size = 0
    for row in rows:
        found.append(["" if cell is None else cell if isinstance(cell, str) else cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell) for cell in row])
        size += sum(map(len, found[-1]))
        if len(found) > ROWS or size > BYTES:
            raise Trouble(_("{host} gives more than {limit} rows or {size} MiB"), host=host, limit=ROWS, size=BYTES // 2**20, lasting=True)
        if not len(found) % 1000 and time.monotonic() > deadline:
            raise Trouble(TOO_SLOW, host=host, seconds=int(asked.seconds))
    return found
