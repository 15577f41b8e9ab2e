"""A mailing as a whole: its open copies, its totals, and which transports have something to send."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from colporteur.store.copies.running import run

_CANCEL_OPEN = """
WITH open AS (
    UPDATE copy SET state = 4 WHERE mailing_id = %(mailing)s AND state IN (0, 1) RETURNING slice
), n AS (SELECT slice, count(*)::int AS n FROM open GROUP BY slice)
UPDATE slice s SET cancelled = s.cancelled + n.n, deferred = 0, done = true, lease_until = NULL
  FROM n WHERE s.mailing_id = %(mailing)s AND s.number = n.slice
"""


def cancel_open(mailing: int) -> None:
    """Cancel every open copy of a mailing; the caller holds the mailing's row."""
    run(_CANCEL_OPEN, {"mailing": mailing})


_OPEN_SLICES = "SELECT EXISTS (SELECT 1 FROM slice WHERE mailing_id = %(mailing)s AND NOT done)"


def has_open_slices(mailing: int) -> bool:
    """Whether a slice of the mailing is not done."""
    return bool(run(_OPEN_SLICES, {"mailing": mailing})[0][0])


_SENT_OUT = """
SELECT m.id FROM mailing m WHERE m.state IN ('running', 'paused') AND m.planned
   AND NOT EXISTS (SELECT 1 FROM slice s WHERE s.mailing_id = m.id AND NOT s.done)
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


_TRANSPORTS_DUE = """
SELECT t.id, t.url_sealed, t.connections FROM transport t
 WHERE t.enabled AND (t.next_try IS NULL OR t.next_try <= %(now)s)
   AND EXISTS (SELECT 1 FROM slice s JOIN mailing m ON m.id = s.mailing_id
                WHERE m.transport_id = t.id AND m.state = 'running' AND NOT s.done AND s.due_at <= %(now)s
                  AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp()))
"""


def transports_due(now: datetime) -> list[tuple[int, str, int]]:
    """(id, sealed URL, connections) of transports with copies to send now."""
    return [(row[0], row[1], row[2]) for row in run(_TRANSPORTS_DUE, {"now": now})]
