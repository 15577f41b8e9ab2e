"""A mailing as a whole: its open copies, its totals, and which transports have something to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from colporteur.store.copies.claiming import FREE, OPEN_MAILINGS, RUNNING
from colporteur.store.copies.running import NONE, array, is_open, run, same

_CANCEL_OPEN = f"""
-- Open copies of the next open slices; many ranges, each a short transaction, instead of a million rows locked at once.
WITH range AS (
    SELECT number, open FROM slice WHERE mailing_id = %(mailing)s AND NOT done ORDER BY number LIMIT %(slices)s FOR UPDATE
), open AS (
    UPDATE copy_row c SET state = 4 FROM range r WHERE c.mailing_id = %(mailing)s AND c.slice = r.number AND {is_open('c', 'r.open')} RETURNING c.slice
), n AS (SELECT r.number, count(o.slice)::int AS n FROM range r LEFT JOIN open o ON o.slice = r.number GROUP BY r.number)
UPDATE slice s SET cancelled = s.cancelled + n.n, deferred = 0, done = true, lease_until = NULL, open = CASE WHEN s.open IS NOT NULL THEN {NONE} END
  FROM n WHERE {same("s.mailing_id, s.number", "%(mailing)s, n.number")}
RETURNING 1
"""

RANGE = 20
"""Slices that are cancelled in one transaction: 10,000 copies."""


def cancel_open(mailing: int) -> bool:
    """Cancel the next range of open copies; True when none is left. The caller holds the mailing's row, so that no
    slice comes meanwhile."""
    return len(run(_CANCEL_OPEN, {"mailing": mailing, "slices": RANGE})) < RANGE


_OPEN_SLICES = "SELECT EXISTS (SELECT 1 FROM slice WHERE mailing_id = %(mailing)s AND NOT done)"


def has_open_slices(mailing: int) -> bool:
    """Whether a slice of the mailing is not done."""
    return bool(run(_OPEN_SLICES, {"mailing": mailing})[0][0])


_SENT_OUT = """
SELECT m.id FROM mailing m WHERE m.state IN ('running', 'paused') AND m.planned
   AND NOT EXISTS (SELECT 1 FROM slice s WHERE s.mailing_id = m.id AND NOT s.done OFFSET 0)
"""


def sent_out() -> list[int]:
    """Mailings without open copies that nobody has marked done: whoever settled the last one was killed in between."""
    return [row[0] for row in run(_SENT_OUT, {})]


class Counts(NamedTuple):
    """Sums over the slices of a mailing. ``deferred``: open and tried at least once."""

    total: int = 0
    sent: int = 0
    failed: int = 0
    cancelled: int = 0
    deferred: int = 0


_COUNTS = """
SELECT mailing_id, sum(size)::int, sum(sent)::int, sum(failed)::int, sum(cancelled)::int, sum(deferred)::int
  FROM slice WHERE mailing_id = ANY (%(mailings)s::bigint[]) GROUP BY mailing_id
"""


def counts(mailings: Sequence[int]) -> dict[int, Counts]:
    """Totals per mailing, from its slices; mailings without slices are absent."""
    return {row[0]: Counts(*row[1:]) for row in run(_COUNTS, {"mailings": list(mailings)})}


_UNDER_WAY = "SELECT mailing_id, number, sent FROM slice WHERE transport_id = %(transport)s AND NOT done AND due_at IS NULL AND lease_until > clock_timestamp()"
_WENT_ON = f"""
SELECT EXISTS (SELECT 1 FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(sent)s::int[]) b (mailing_id, number, sent)
                 JOIN slice s ON {same('s.mailing_id, s.number', 'b.mailing_id, b.number')} AND s.sent > b.sent)
"""


def under_way(transport: int) -> dict[tuple[int, int], int]:
    """How many copies were accepted of each slice, (mailing, number), somebody holds on a transport."""
    return {(mailing, number): sent for mailing, number, sent in run(_UNDER_WAY, {"transport": transport})}


def went_on(before: Mapping[tuple[int, int], int]) -> bool:
    """Whether more of one of these slices was accepted since (``under_way``)."""
    return bool(run(_WENT_ON, {"mailings": array([key[0] for key in before]), "numbers": array([key[1] for key in before]), "sent": array(list(before.values()))})[0][0])


_TRANSPORTS_DUE = f"""
SELECT t.id, t.url_sealed, t.connections, t.by_destination FROM transport t
 WHERE t.enabled AND (t.next_try IS NULL OR t.next_try <= %(now)s)
   AND EXISTS (
    WITH RECURSIVE ready (priority, mailing_id) AS (
        (VALUES (-1, 0::bigint))
        UNION ALL
        SELECT n.priority::int, n.mailing_id FROM ready r CROSS JOIN LATERAL ({OPEN_MAILINGS.format(transport="t.id", priority="r.priority", mailing="r.mailing_id")}) n
    )
    SELECT 1 FROM ready r
     CROSS JOIN LATERAL (SELECT 1 FROM mailing m WHERE m.id = r.mailing_id AND {RUNNING} OFFSET 0) m
     CROSS JOIN LATERAL (SELECT 1 FROM slice s WHERE s.transport_id = t.id AND s.priority = r.priority AND s.mailing_id = r.mailing_id AND {FREE} LIMIT 1) s)
"""


def transports_due(now: datetime) -> list[tuple[int, str, int, bool | None]]:
    """(id, sealed URL, connections, whether by destination) of transports with copies to send now."""
    return [(row[0], row[1], row[2], row[3]) for row in run(_TRANSPORTS_DUE, {"now": now})]
