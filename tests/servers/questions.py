"""The statements that are asked: Django's own count leaves out those that go to the driver directly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import psycopg


@contextlib.contextmanager
def asked() -> Iterator[list[str]]:
    """Every statement of this process inside the block, in order."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: psycopg.Cursor[Any], query: Any, *values: Any, **options: Any) -> psycopg.Cursor[Any]:
        statements.append(str(query))
        return execute(cursor, query, *values, **options)

    with patch.object(psycopg.Cursor, "execute", noted):
        yield statements
