"""A worker owns slices by a lease, reads their copies, and gives slices back or renews the lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from colporteur.store.copies.running import SLICE, run


class Claimed(NamedTuple):
    """A slice a worker now owns until its lease ends."""

    mailing: int
    number: int
    generation: int


_CLAIM = """
-- Slices due for one transport, the most urgent first and round robin over mailings (slice 3 of a small mailing before
-- slice 4 of a large one). Together about one slice's worth of copies, so that many letters cost one statement.
WITH due AS (
    SELECT s.mailing_id, s.number, s.priority, s.due_at, s.size
      FROM slice s JOIN mailing m ON m.id = s.mailing_id
      LEFT JOIN list l ON l.id = m.list_id LEFT JOIN domain d ON d.id = l.domain_id
     WHERE NOT s.done AND s.due_at <= %(now)s AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
       AND m.state = 'running' AND m.transport_id = %(transport)s AND s.priority <= %(least)s
       AND (l.id IS NULL OR (l.state = 'active' AND coalesce(d.enabled, true)))
     ORDER BY s.priority, s.number, s.due_at, s.mailing_id
     LIMIT 50 FOR UPDATE OF s SKIP LOCKED
), fitting AS (
    SELECT mailing_id, number, sum(size) OVER (ORDER BY priority, number, due_at, mailing_id) - size AS before FROM due
)
UPDATE slice s SET generation = s.generation + 1, lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM fitting f WHERE s.mailing_id = f.mailing_id AND s.number = f.number AND f.before < %(copies)s
RETURNING s.mailing_id, s.number, s.generation
"""


def claim(transport: int, now: datetime, lease: float, least: int) -> list[Claimed]:
    """Own due slices of a transport for ``lease`` seconds of the database's clock. ``least``: the least priority taken."""
    return [Claimed(*row) for row in run(_CLAIM, {"transport": transport, "now": now, "lease": float(lease), "copies": SLICE, "least": least})]


class Due(NamedTuple):
    """An open copy of a claimed slice. ``here``: still a receiving member (always true for letters)."""

    mailing: int
    slice: int
    address: int
    email: str
    name: str
    here: bool


_COPIES_OF = """
-- Open copies of claimed slices with what rendering needs, and whether the member still receives.
SELECT c.mailing_id, c.slice, c.address_id, a.email, coalesce(nullif(p.name, ''), a.name),
       l.list_id IS NULL OR EXISTS (SELECT 1 FROM membership m WHERE m.list_id = l.list_id AND m.address_id = c.address_id
                                       AND m.until IS NULL AND m.delivery = 'each' AND NOT m.paused)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[]) AS s (mailing_id, number)
  JOIN copy c ON c.mailing_id = s.mailing_id AND c.slice = s.number AND c.state IN (0, 1)
  JOIN address a ON a.id = c.address_id
  LEFT JOIN person p ON p.id = a.person_id
  CROSS JOIN LATERAL (SELECT CASE WHEN kind = 'post' THEN list_id END AS list_id FROM mailing WHERE id = s.mailing_id) l
 ORDER BY c.mailing_id, c.slice, c.address_id
"""


def copies_of(slices: Sequence[Claimed]) -> list[Due]:
    """Open copies of the claimed slices."""
    return [Due._make(row) for row in run(_COPIES_OF, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices]})]


_CANCEL_ABSENT = """
-- Copies whose member left or paused since the audience was frozen.
WITH gone AS (
    UPDATE copy SET state = 4 WHERE mailing_id = %(mailing)s AND slice = %(number)s AND address_id = ANY (%(addresses)s) AND state IN (0, 1)
    RETURNING attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 0))::int AS tried FROM gone)
UPDATE slice SET cancelled = cancelled + n.n, deferred = deferred - n.tried, done = (sent + failed + cancelled + n.n >= size)
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
"""


def cancel_absent(mailing: int, number: int, addresses: Sequence[int]) -> None:
    """Cancel the copies of a claimed slice whose members receive no more."""
    run(_CANCEL_ABSENT, {"mailing": mailing, "number": number, "addresses": list(addresses)})


_RECOUNT = """
-- A slice without open copies that is not done: its totals are made from its copies again.
UPDATE slice s SET sent = n.sent, failed = n.failed, cancelled = n.cancelled, deferred = n.deferred, size = n.size,
       done = (n.sent + n.failed + n.cancelled >= n.size), lease_until = NULL
  FROM (SELECT count(*) AS size, count(*) FILTER (WHERE state = 2) AS sent, count(*) FILTER (WHERE state = 3) AS failed,
               count(*) FILTER (WHERE state = 4) AS cancelled, count(*) FILTER (WHERE state = 1) AS deferred
          FROM copy WHERE mailing_id = %(mailing)s AND slice = %(number)s) n
 WHERE s.mailing_id = %(mailing)s AND s.number = %(number)s
"""


def recount(mailing: int, number: int) -> None:
    """Totals of a slice from its copies."""
    run(_RECOUNT, {"mailing": mailing, "number": number})


_RELEASE = """
UPDATE slice s SET lease_until = NULL, due_at = coalesce(%(due)s, s.due_at)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
 WHERE s.mailing_id = r.mailing_id AND s.number = r.number AND s.generation = r.generation AND NOT s.done
"""


def release(slices: Sequence[Claimed], due: datetime | None = None) -> None:
    """Give leases back, what is unsent stays queued; ``due`` puts it off. Slices others claimed since are left alone."""
    run(_RELEASE, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices], "generations": [s.generation for s in slices], "due": due})


_RENEW = """
UPDATE slice s SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
  JOIN mailing m ON m.id = r.mailing_id
 WHERE s.mailing_id = r.mailing_id AND s.number = r.number AND s.generation = r.generation AND NOT s.done AND m.state = 'running'
RETURNING s.mailing_id, s.number, s.generation
"""


def renew(slices: Sequence[Claimed], lease: float) -> set[Claimed]:
    """Prolong leases; the slices that are still ours and whose mailing still runs."""
    rows = run(_RENEW, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices], "generations": [s.generation for s in slices], "lease": float(lease)})
    return {Claimed(*row) for row in rows}
