"""How a hot statement is run: bound by the server and prepared; parsing it anew cost as much as running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from django.db import OperationalError, connection

R = TypeVar("R")

SLICE = 500
"""Copies in a slice: claiming and settling cost the same few statements however many copies it has."""


_NONE = b"0" * SLICE
NONE = f"repeat('0', {SLICE})::bit({SLICE})"
"""No place of a slice, as bits."""


def filled(number: str) -> str:
    """SQL for the bits of a slice with so many copies, all open."""
    return f"rpad(repeat('1', ({number})::int), {SLICE}, '0')::bit({SLICE})"


def is_open(copy: str, bits: str) -> str:
    """SQL: whether a copy's row, under a name, is open, given the bits of its slice. A place counts only while the row says queued."""
    return f"({copy}.state = 1 OR {copy}.state = 0 AND ({copy}.place IS NULL OR get_bit({bits}, {copy}.place) = 1))"


def same(some: str, others: str) -> str:
    """SQL: whether some columns equal others one by one, asked as wholes: only an index that begins with them answers this at once, and no other join
    is possible, whatever the planner believes a table to hold. With "=" and a plan kept from when it had few rows all of them may be read."""
    return f"({some}) >= ({others}) AND ({some}) <= ({others})"


def places(column: str = "place") -> str:
    """SQL, an aggregate: the bits of these places."""
    return f"coalesce(bit_or(set_bit({NONE}, {column}, 1)), {NONE})"


def run(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Rows of one statement on Django's connection (and in its transaction), bound and prepared by the server."""
    connection.ensure_connection()
    if connection.connection.prepare_threshold is None:
        connection.connection.prepare_threshold = 3  # Django switches it off; its own cursors bind on our side and are not concerned
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def array(numbers: Sequence[int]) -> str:
    """A list of numbers as PostgreSQL writes arrays: the driver's own way costs more than the statement."""
    return "{" + ",".join(map(str, numbers)) + "}"


def bits(places: Sequence[int]) -> str:
    """Places of a slice as PostgreSQL writes bits."""
    written = bytearray(_NONE)
    for place in places:
        written[place] = 49
    return written.decode("ascii")


def unlocked(change: Callable[[], R]) -> R:
    """``change`` in its own transaction, again when it met another in a deadlock (an outcome while somebody cancels)."""
    for _attempt in range(5):
        try:
            return change()
        except OperationalError as error:
            if connection.in_atomic_block or "deadlock" not in str(error):
                raise
    return change()
