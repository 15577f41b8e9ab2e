"""How a hot statement is run: bound by the server and prepared; parsing it anew cost as much as running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from django.db import OperationalError, connection

R = TypeVar("R")

SLICE = 500
"""Copies in a slice: claiming and settling cost the same few statements however many copies it has."""


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


def unlocked(change: Callable[[], R]) -> R:
    """``change`` in its own transaction, again when it met another in a deadlock (an outcome while somebody cancels)."""
    for _attempt in range(5):
        try:
            return change()
        except OperationalError as error:
            if connection.in_atomic_block or "deadlock" not in str(error):
                raise
    return change()
