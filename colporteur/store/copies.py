"""The hot SQL of delivery, named: each statement works on a range or a slice of copies, never on one copy.

Invariants the statements keep, and rely on:

* a copy that has been tried and is still open is DEFERRED and lives in a retry slice; so in a slice all open copies are
  due together;
* a slice's totals always equal the states of its copies, changed in the same statement or transaction; ``done`` is
  nothing but ``sent + failed + cancelled >= size``;
* rows are locked in the order mailing, slice, copy where more than one kind is locked for long; a deadlock between an
  outcome and a cancellation is possible and is answered by trying again (``flow.copies``).

Parameters are bound by the server and the statements are prepared: parsing them anew cost as much as running them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from django.db import connection

SLICE = 500
"""Copies in a slice: claiming and settling cost the same few statements however many copies it has."""


def _run(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
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


# --- planning ---------------------------------------------------------------------------------------------------

_PLAN_RANGE = """
-- The next addresses of the audience as it was at the moment of acceptance, in the order of their id, each once;
-- their copies and the slices these make, in one statement.
WITH audience AS (
    SELECT DISTINCT m.address_id
      FROM membership m
     WHERE m.list_id = %(list)s AND m.address_id > %(after)s
       AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s)
       AND m.delivery = 'each' AND NOT m.paused
       AND m.address_id <> ALL (%(excluded)s::bigint[])
       AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state = 2)
     ORDER BY m.address_id
     LIMIT %(limit)s
), numbered AS (
    SELECT address_id, %(first)s::int + ((row_number() OVER (ORDER BY address_id) - 1) / %(slice)s)::int AS slice FROM audience
), copies AS (
    INSERT INTO copy (mailing_id, address_id, slice, state, attempts, code)
    SELECT %(mailing)s, address_id, slice, 0, 0, 0 FROM numbered
), slices AS (
    INSERT INTO slice (mailing_id, number, done, due_at, priority, generation, size, sent, failed, deferred, cancelled)
    SELECT %(mailing)s, slice, false, %(due)s, %(priority)s, 0, count(*), 0, 0, 0, 0 FROM numbered GROUP BY slice
)
SELECT count(*), coalesce(max(address_id), 0) FROM numbered
"""


def plan_range(mailing: int, list_: int, after: int, moment: datetime, excluded: Sequence[int], earlier: Sequence[int], limit: int, first: int, due: datetime, priority: int) -> tuple[int, int]:
    """Write up to ``limit`` copies for addresses beyond the id ``after``; (how many, the last address id).

    ``first``: number of the first new slice. ``earlier``: mailings of the same post whose accepted copies count.
    """
    rows = _run(_PLAN_RANGE, {"mailing": mailing, "list": list_, "after": after, "moment": moment, "excluded": list(excluded), "earlier": list(earlier), "limit": limit, "first": first, "slice": SLICE, "due": due, "priority": priority})
    return rows[0][0], rows[0][1]


_NEXT_NUMBER = "SELECT coalesce(max(number), -1) + 1 FROM slice WHERE mailing_id = %(mailing)s"


def next_number(mailing: int) -> int:
    """First free slice number; the caller holds the mailing's row lock."""
    number: int = _run(_NEXT_NUMBER, {"mailing": mailing})[0][0]
    return number


_WRITE_FEW = """
-- A slice of a few given addresses: letters and messages passed on.
WITH copies AS (
    INSERT INTO copy (mailing_id, address_id, slice, state, attempts, code)
    SELECT %(mailing)s, a, 0, 0, 0, 0 FROM unnest(%(addresses)s::bigint[]) AS a
)
INSERT INTO slice (mailing_id, number, done, due_at, priority, generation, size, sent, failed, deferred, cancelled)
VALUES (%(mailing)s, 0, false, %(due)s, %(priority)s, 0, cardinality(%(addresses)s::bigint[]), 0, 0, 0, 0)
"""


def write_few(mailing: int, addresses: Sequence[int], due: datetime, priority: int) -> None:
    """The copies of a mailing to a handful of distinct addresses, as one slice."""
    _run(_WRITE_FEW, {"mailing": mailing, "addresses": list(addresses), "due": due, "priority": priority})


# --- claiming ---------------------------------------------------------------------------------------------------


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
    return [Claimed(*row) for row in _run(_CLAIM, {"transport": transport, "now": now, "lease": float(lease), "copies": SLICE, "least": least})]


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
    return [Due._make(row) for row in _run(_COPIES_OF, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices]})]


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
    _run(_CANCEL_ABSENT, {"mailing": mailing, "number": number, "addresses": list(addresses)})


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
    _run(_RECOUNT, {"mailing": mailing, "number": number})


# --- settling ---------------------------------------------------------------------------------------------------


class Standing(NamedTuple):
    """A slice after a change: how many copies changed, whether it is done, who owns it, the state of its mailing."""

    changed: int
    done: bool
    generation: int
    state: str


_ACCEPTED = """
-- Acceptances of one slice: recorded whoever owns the slice now. The owner's lease is renewed on the way. "slice + 0" keeps
-- the planner from reading the whole slice and searching the array for each of its rows.
WITH accepted AS (
    UPDATE copy SET state = 2, attempts = attempts + 1, code = 250
     WHERE mailing_id = %(mailing)s AND address_id = ANY (%(addresses)s::bigint[]) AND slice + 0 = %(number)s AND state IN (0, 1)
    RETURNING attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again FROM accepted)
UPDATE slice SET sent = sent + n.n, deferred = deferred - n.again, done = (sent + failed + cancelled + n.n >= size),
       lease_until = CASE WHEN generation = %(generation)s THEN clock_timestamp() + make_interval(secs => %(lease)s) ELSE lease_until END
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
RETURNING n.n, done, generation, (SELECT state FROM mailing WHERE id = %(mailing)s)
"""


ACCEPTED_BY_NUMBER = (
    _ACCEPTED.replace("%(mailing)s", "$1::bigint").replace("%(number)s", "$2::int").replace("%(generation)s", "$3::int").replace("%(addresses)s", "$4").replace("%(lease)s", "$5::float8")
)
"""The same with parameters by number, for the ledger of a worker: mailing, slice, generation, addresses as an array, lease in seconds."""


def accepted(slice_: Claimed, addresses: Sequence[int], lease: float) -> Standing:
    """Record that copies of a slice were accepted. Fewer ``changed`` than given: see ``accepted_late``."""
    rows = _run(_ACCEPTED, {"mailing": slice_.mailing, "number": slice_.number, "generation": slice_.generation, "addresses": array(addresses), "lease": float(lease)})
    return Standing(*rows[0])


_ACCEPTED_LATE = """
-- Acceptances that came after the copy was cancelled, given up or moved to another slice: what is true is recorded.
WITH old AS (
    SELECT address_id, slice, state FROM copy
     WHERE mailing_id = %(mailing)s AND address_id = ANY (%(addresses)s::bigint[]) AND state <> 2 FOR UPDATE
), changed AS (
    UPDATE copy c SET state = 2, attempts = c.attempts + 1, code = 250 FROM old
     WHERE c.mailing_id = %(mailing)s AND c.address_id = old.address_id RETURNING old.slice, old.state
), n AS (
    SELECT slice, count(*)::int AS n, (count(*) FILTER (WHERE state = 3))::int AS failed, (count(*) FILTER (WHERE state = 4))::int AS cancelled,
           (count(*) FILTER (WHERE state = 1))::int AS deferred
      FROM changed GROUP BY slice
)
UPDATE slice s SET sent = s.sent + n.n, failed = s.failed - n.failed, cancelled = s.cancelled - n.cancelled, deferred = s.deferred - n.deferred,
       done = (s.sent + n.n + s.failed - n.failed + s.cancelled - n.cancelled >= s.size)
  FROM n WHERE s.mailing_id = %(mailing)s AND s.number = n.slice
"""


def accepted_late(mailing: int, addresses: Sequence[int]) -> None:
    """Record acceptances of copies that are no longer open where they were."""
    _run(_ACCEPTED_LATE, {"mailing": mailing, "addresses": list(addresses)})


_OWNED = "SELECT generation = %(generation)s AND NOT done FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s FOR UPDATE"


def owned(slice_: Claimed) -> bool:
    """Whether nobody else has claimed the slice since; locks it until the transaction ends."""
    rows = _run(_OWNED, slice_._asdict())
    return bool(rows and rows[0][0])


_TRIED = """
SELECT address_id, attempts, code FROM copy
 WHERE mailing_id = %(mailing)s AND slice = %(number)s AND address_id = ANY (%(addresses)s::bigint[]) AND state IN (0, 1)
"""


def tried(slice_: Claimed, addresses: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Attempts so far and last reply code of open copies, by address."""
    return {address: (attempts, code) for address, attempts, code in _run(_TRIED, {"mailing": slice_.mailing, "number": slice_.number, "addresses": list(addresses)})}


_FAILED = """
WITH failed AS (
    UPDATE copy c SET state = 3, attempts = c.attempts + 1, code = f.code
      FROM unnest(%(addresses)s::bigint[], %(codes)s::smallint[]) AS f (address_id, code)
     WHERE c.mailing_id = %(mailing)s AND c.slice = %(number)s AND c.address_id = f.address_id AND c.state IN (0, 1)
    RETURNING c.attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again FROM failed)
UPDATE slice SET failed = failed + n.n, deferred = deferred - n.again, done = (sent + failed + cancelled + n.n >= size)
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
"""


def failed(slice_: Claimed, replies: dict[int, int]) -> None:
    """Copies that failed for good: {address: reply code}."""
    _run(_FAILED, {"mailing": slice_.mailing, "number": slice_.number, "addresses": list(replies), "codes": list(replies.values())})


_RETRY_SLICE = """
-- A slice of the mailing that nobody owns, is due within a minute of the wish and has room: retries are gathered.
SELECT number FROM slice
 WHERE mailing_id = %(mailing)s AND NOT done AND lease_until IS NULL AND due_at BETWEEN %(due)s - interval '1 minute' AND %(due)s + interval '1 minute'
   AND due_at > %(now)s AND number <> %(number)s AND size - cancelled < %(slice)s
 ORDER BY number DESC LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_NEW_SLICE = """
INSERT INTO slice (mailing_id, number, done, due_at, priority, generation, size, sent, failed, deferred, cancelled)
SELECT %(mailing)s, %(new)s, false, %(due)s, priority, 0, 0, 0, 0, 0, 0 FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s
"""
_LOCK_MAILING = "SELECT state, planned FROM mailing WHERE id = %(mailing)s FOR UPDATE"
_DEFER = """
-- Move tried copies to the slice where they are due again; both slices' totals follow.
WITH moved AS (
    UPDATE copy c SET state = 1, attempts = c.attempts + 1, code = d.code, slice = %(new)s
      FROM unnest(%(addresses)s::bigint[], %(codes)s::smallint[]) AS d (address_id, code)
     WHERE c.mailing_id = %(mailing)s AND c.slice = %(number)s AND c.address_id = d.address_id AND c.state IN (0, 1)
    RETURNING c.attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again FROM moved)
UPDATE slice SET size = size + CASE WHEN number = %(new)s THEN n.n ELSE -n.n END,
       deferred = deferred + CASE WHEN number = %(new)s THEN n.n ELSE -n.again END,
       done = CASE WHEN number = %(new)s THEN false ELSE sent + failed + cancelled >= size - n.n END
  FROM n WHERE mailing_id = %(mailing)s AND number IN (%(new)s, %(number)s)
"""


def defer(slice_: Claimed, replies: dict[int, int], due: datetime, now: datetime) -> None:
    """Copies to be tried again at ``due``: {address: reply code, 0 when there was none}. The caller holds the mailing's row."""
    values = {"mailing": slice_.mailing, "number": slice_.number, "due": due, "now": now, "slice": SLICE}
    found = _run(_RETRY_SLICE, values)
    if found:
        new = found[0][0]
    else:
        new = next_number(slice_.mailing)
        _run(_NEW_SLICE, {**values, "new": new})
    _run(_DEFER, {**values, "new": new, "addresses": list(replies), "codes": list(replies.values())})


def lock_mailing(mailing: int) -> tuple[str, bool]:
    """(state, planned) of a mailing whose row is locked until the transaction ends."""
    rows = _run(_LOCK_MAILING, {"mailing": mailing})
    return (rows[0][0], rows[0][1]) if rows else ("cancelled", True)


_REFUSALS = """
INSERT INTO refusal (mailing_id, address_id, at, code, text)
SELECT %(mailing)s, r.address_id, %(at)s, r.code, r.text FROM unnest(%(addresses)s::bigint[], %(codes)s::smallint[], %(texts)s::text[]) AS r (address_id, code, text)
"""


def write_refusals(mailing: int, at: datetime, replies: Sequence[tuple[int, int, str]]) -> None:
    """Keep the replies: (address, code, text)."""
    _run(_REFUSALS, {"mailing": mailing, "at": at, "addresses": [r[0] for r in replies], "codes": [r[1] for r in replies], "texts": [r[2] for r in replies]})


# --- giving back, renewing --------------------------------------------------------------------------------------

_RELEASE = """
UPDATE slice s SET lease_until = NULL, due_at = coalesce(%(due)s, s.due_at)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
 WHERE s.mailing_id = r.mailing_id AND s.number = r.number AND s.generation = r.generation AND NOT s.done
"""


def release(slices: Sequence[Claimed], due: datetime | None = None) -> None:
    """Give leases back, what is unsent stays queued; ``due`` puts it off. Slices others claimed since are left alone."""
    _run(_RELEASE, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices], "generations": [s.generation for s in slices], "due": due})


_RENEW = """
UPDATE slice s SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
  JOIN mailing m ON m.id = r.mailing_id
 WHERE s.mailing_id = r.mailing_id AND s.number = r.number AND s.generation = r.generation AND NOT s.done AND m.state = 'running'
RETURNING s.mailing_id, s.number, s.generation
"""


def renew(slices: Sequence[Claimed], lease: float) -> set[Claimed]:
    """Prolong leases; the slices that are still ours and whose mailing still runs."""
    rows = _run(_RENEW, {"mailings": [s.mailing for s in slices], "numbers": [s.number for s in slices], "generations": [s.generation for s in slices], "lease": float(lease)})
    return {Claimed(*row) for row in rows}


# --- the whole mailing ------------------------------------------------------------------------------------------

_CANCEL_OPEN = """
WITH open AS (
    UPDATE copy SET state = 4 WHERE mailing_id = %(mailing)s AND state IN (0, 1) RETURNING slice
), n AS (SELECT slice, count(*)::int AS n FROM open GROUP BY slice)
UPDATE slice s SET cancelled = s.cancelled + n.n, deferred = 0, done = true, lease_until = NULL
  FROM n WHERE s.mailing_id = %(mailing)s AND s.number = n.slice
"""


def cancel_open(mailing: int) -> None:
    """Cancel every open copy of a mailing; the caller holds the mailing's row."""
    _run(_CANCEL_OPEN, {"mailing": mailing})


_OPEN_SLICES = "SELECT EXISTS (SELECT 1 FROM slice WHERE mailing_id = %(mailing)s AND NOT done)"


def has_open_slices(mailing: int) -> bool:
    """Whether a slice of the mailing is not done."""
    return bool(_run(_OPEN_SLICES, {"mailing": mailing})[0][0])


_SENT_OUT = """
SELECT m.id FROM mailing m WHERE m.state IN ('running', 'paused') AND m.planned
   AND NOT EXISTS (SELECT 1 FROM slice s WHERE s.mailing_id = m.id AND NOT s.done)
"""


def sent_out() -> list[int]:
    """Mailings without open copies that nobody has marked done: whoever settled the last one was killed in between."""
    return [row[0] for row in _run(_SENT_OUT, {})]


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
    return {row[0]: Counts(*row[1:]) for row in _run(_COUNTS, {"mailings": list(mailings)})}


_TRANSPORTS_DUE = """
SELECT t.id, t.url_sealed, t.connections FROM transport t
 WHERE t.enabled AND (t.next_try IS NULL OR t.next_try <= %(now)s)
   AND EXISTS (SELECT 1 FROM slice s JOIN mailing m ON m.id = s.mailing_id
                WHERE m.transport_id = t.id AND m.state = 'running' AND NOT s.done AND s.due_at <= %(now)s
                  AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp()))
"""


def transports_due(now: datetime) -> list[tuple[int, str, int]]:
    """(id, sealed URL, connections) of transports with copies to send now."""
    return [(row[0], row[1], row[2]) for row in _run(_TRANSPORTS_DUE, {"now": now})]
