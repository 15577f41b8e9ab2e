"""How much of each table a step reads, as PostgreSQL counts it for the transaction that is open."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import connection

MOST = 250
"""Rows of one table that one step may read. Every table that grows has eight times as many (``crowd``)."""

MOST_PAGES = 12
"""Pages of one index: a whole one of 4,000 rows has more. That a walk past all of them gives few rows says nothing."""

_COUNTED = """
SELECT t.relname, sum(pg_stat_get_xact_tuples_returned(r.oid)) FROM pg_class t
 CROSS JOIN LATERAL (SELECT t.oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = t.oid) r (oid)
 WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace GROUP BY 1
UNION ALL
SELECT 'index ' || r.relname, pg_stat_get_xact_blocks_fetched(r.oid) - 3 * pg_stat_get_xact_numscans(r.oid)
       - 4 * (pg_stat_get_xact_tuples_inserted(i.indrelid) + pg_stat_get_xact_tuples_updated(i.indrelid) + pg_stat_get_xact_tuples_deleted(i.indrelid))
  FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid WHERE r.relnamespace = 'public'::regnamespace AND r.relpages > 12
"""
"""Of tables the rows that were read whole, and the entries their indexes gave; of indexes the pages beside those of a descent for each scan
and each change."""


class Reading:
    """What steps read. ``much``: too many rows of one table, or pages of one index, by "step: name". ``known``: pairs of step and name
    that may be more."""

    def __init__(self, known: Collection[tuple[str, str]] = ()) -> None:
        self.much: dict[str, int] = {}
        self._known = known

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What happens within is one step, which begins with the settings of a worker: elsewhere it is a transaction of its own."""
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_sort; RESET enable_bitmapscan; SET enable_seqscan = off")
        before = counted()
        yield
        for what, number in counted().items():
            most = MOST_PAGES if what.startswith("index ") else MOST
            if number - before[what] > most and (name, what) not in self._known:
                self.much[f"{name}: {what}"] = number - before[what]


def counted() -> dict[str, int]:
    """So far: rows by table, pages by "index name"."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED)
        return {name: int(number) for name, number in cursor.fetchall()}
