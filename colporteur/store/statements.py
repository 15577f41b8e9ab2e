"""Hot statements on Django's own connection: prepared once a connection, values apart from the text, bytes as they are.

Django writes values into the text of each statement, which is then read and planned anew every time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What is executed inside leaves in one go; an error is raised where a result is fetched, at the latest here."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def execute(query: str, values: Sequence[object] | Mapping[str, object]) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run a statement that is prepared the first time. Raises ``django.db.Error``."""
    connection.ensure_connection()
    wire: psycopg.Connection[tuple[Any, ...]] = connection.connection
    if wire.prepare_threshold is None:  # Django's choice, for its own statements: those are never the same twice
        wire.prepare_threshold = 5
    with connection.wrap_database_errors:
        return psycopg.Cursor(wire).execute(query, values, prepare=True)
