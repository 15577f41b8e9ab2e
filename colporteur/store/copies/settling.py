"""What became of the copies of a slice: accepted, failed, to be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from colporteur.store.copies.claiming import Claimed
from colporteur.store.copies.planning import next_number
from colporteur.store.copies.running import SLICE, array, is_open, places, run, same


class Standing(NamedTuple):
    """A slice after a change: how many copies changed, whether it is done, who owns it, the state of its mailing."""

    changed: int
    done: bool
    generation: int
    state: str


_THEN = """
UPDATE slice SET sent = sent + n.n, deferred = deferred - n.again, done = (sent + failed + cancelled + n.n >= size), {open}
       lease_until = CASE WHEN generation = %(generation)s THEN clock_timestamp() + make_interval(secs => %(lease)s) ELSE lease_until END
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
RETURNING n.n, done, generation, (SELECT state FROM mailing WHERE id = %(mailing)s)
"""
"""Totals follow; the owner's lease is renewed on the way."""

_ACCEPTED = f"""
-- Acceptances of one slice: recorded whoever owns the slice now. The slice is locked first, because its bits say which copies are open.
WITH s AS MATERIALIZED (
    SELECT open FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s FOR UPDATE
), accepted AS (
    UPDATE copy_row c SET state = 2, attempts = c.attempts + 1, code = 250 FROM s
     WHERE c.mailing_id = %(mailing)s AND c.address_id = ANY (%(addresses)s::bigint[]) AND c.slice + 0 = %(number)s AND {is_open("c", "s.open")}
    RETURNING c.attempts, c.place
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again, {places()} AS places FROM accepted)
{_THEN.format(open="open = open & ~n.places,")}"""

_ACCEPTED_ROWS = f"""
-- The same for copies without a place. "slice + 0" keeps the planner from reading the whole slice and searching the array for
-- each of its rows.
WITH accepted AS (
    UPDATE copy_row SET state = 2, attempts = attempts + 1, code = 250
     WHERE mailing_id = %(mailing)s AND address_id = ANY (%(settled)s::bigint[]) AND slice + 0 = %(number)s AND place IS NULL AND state IN (0, 1)
    RETURNING attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again FROM accepted)
{_THEN.format(open="")}"""

_ACCEPTED_PLACES = """
-- The same for copies with a place: all of them or none, one row changed however many they are.
UPDATE slice SET open = open & ~%(settled)s, sent = sent + bit_count(%(settled)s)::int, done = (sent + failed + cancelled + bit_count(%(settled)s)::int >= size),
       lease_until = CASE WHEN generation = %(generation)s THEN clock_timestamp() + make_interval(secs => %(lease)s) ELSE lease_until END
 WHERE mailing_id = %(mailing)s AND number = %(number)s AND open & %(settled)s = %(settled)s
RETURNING bit_count(%(settled)s)::int, done, generation, (SELECT state FROM mailing WHERE id = %(mailing)s)
"""


def _by_number(sql: str, settled: str) -> str:
    for name, number in {"mailing": "$1::bigint", "number": "$2::int", "generation": "$3::int", "settled": settled, "lease": "$5::float8"}.items():
        sql = sql.replace(f"%({name})s", number)
    return sql


ACCEPTED_ROWS, ACCEPTED_PLACES = _by_number(_ACCEPTED_ROWS, "$4"), _by_number(_ACCEPTED_PLACES, f"$4::bit({SLICE})")
"""With parameters by number, for the ledger of a worker: mailing, slice, generation, addresses as an array or places as bits,
lease in seconds. What is answered is a ``Standing``; nothing when not all places were open."""


def accepted(slice_: Claimed, addresses: Sequence[int], lease: float) -> Standing:
    """Record that copies of a slice were accepted. Fewer ``changed`` than given: see ``accepted_late``. Of a slice that is gone with its list: done."""
    rows = run(_ACCEPTED, {"mailing": slice_.mailing, "number": slice_.number, "generation": slice_.generation, "addresses": array(addresses), "lease": float(lease)})
    return Standing(*rows[0]) if rows else Standing(0, done=True, generation=0, state="")


_ACCEPTED_LATE = f"""
-- Acceptances that came after the copy was cancelled, given up or moved to another slice: what is true is recorded.
WITH old AS (
    SELECT address_id, slice, state FROM copy_row
     WHERE mailing_id = %(mailing)s AND address_id = ANY (%(addresses)s::bigint[]) AND state <> 2 AND NOT (state = 0 AND place IS NOT NULL) FOR UPDATE
), changed AS (
    UPDATE copy_row SET state = 2, attempts = attempts + 1, code = 250 WHERE mailing_id = %(mailing)s AND address_id = ANY (ARRAY(SELECT address_id FROM old))
), n AS (
    SELECT slice, count(*)::int AS n, (count(*) FILTER (WHERE state = 3))::int AS failed, (count(*) FILTER (WHERE state = 4))::int AS cancelled,
           (count(*) FILTER (WHERE state = 1))::int AS deferred
      FROM old GROUP BY slice
)
UPDATE slice s SET sent = s.sent + n.n, failed = s.failed - n.failed, cancelled = s.cancelled - n.cancelled, deferred = s.deferred - n.deferred,
       done = (s.sent + n.n + s.failed - n.failed + s.cancelled - n.cancelled >= s.size)
  FROM n WHERE {same("s.mailing_id, s.number", "%(mailing)s, n.slice")}
"""


def accepted_late(mailing: int, addresses: Sequence[int]) -> None:
    """Record acceptances of copies that are no longer open where they were. The caller holds the mailing's row."""
    run(_ACCEPTED_LATE, {"mailing": mailing, "addresses": array(addresses)})


_OWNED = "SELECT generation = %(generation)s AND NOT done FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s FOR UPDATE"


def owned(slice_: Claimed) -> bool:
    """Whether nobody else has claimed the slice since; locks it until the transaction ends."""
    rows = run(_OWNED, slice_._asdict())
    return bool(rows and rows[0][0])


_SLICE_BITS = "(SELECT open FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s)"  # of a slice whose row is locked: they stay as they are
_OPEN_NOW = is_open("c", _SLICE_BITS)

_TRIED = f"""
SELECT address_id, attempts, code FROM copy_row c
 WHERE mailing_id = %(mailing)s AND slice = %(number)s AND address_id = ANY (%(addresses)s::bigint[]) AND {_OPEN_NOW}
"""


def tried(slice_: Claimed, addresses: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Attempts so far and last reply code of open copies, by address."""
    return {address: (attempts, code) for address, attempts, code in run(_TRIED, {"mailing": slice_.mailing, "number": slice_.number, "addresses": array(addresses)})}


_CODE = "(%(codes)s::smallint[])[array_position(%(addresses)s::bigint[], c.address_id)]"
"""Rows are looked for by an array of addresses, never joined with one: a plan kept from when there were few copies read all of the mailing for each."""
_FAILED = f"""
WITH failed AS (
    UPDATE copy_row c SET state = 3, attempts = c.attempts + 1, code = {_CODE}
     WHERE c.mailing_id = %(mailing)s AND c.slice = %(number)s AND c.address_id = ANY (%(addresses)s::bigint[]) AND {_OPEN_NOW}
    RETURNING c.attempts, c.place
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again, {places()} AS places FROM failed)
UPDATE slice SET failed = failed + n.n, open = open & ~n.places, deferred = deferred - n.again, done = (sent + failed + cancelled + n.n >= size)
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
"""


def failed(slice_: Claimed, replies: dict[int, int]) -> None:
    """Copies that failed for good: {address: reply code}."""
    run(_FAILED, {"mailing": slice_.mailing, "number": slice_.number, "addresses": array(list(replies)), "codes": array(list(replies.values()))})


_RETRY_SLICE = """
-- A slice of the mailing that nobody owns, is due within a minute of the wish and has room: retries are gathered.
SELECT number FROM slice
 WHERE mailing_id = %(mailing)s AND NOT done AND lease_until IS NULL AND due_at BETWEEN %(due)s - interval '1 minute' AND %(due)s + interval '1 minute'
   AND due_at > %(now)s AND number <> %(number)s AND size - cancelled < %(slice)s
   AND transport_id IS NOT DISTINCT FROM (SELECT transport_id FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s)
 ORDER BY number DESC LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_NEW_SLICE = """
INSERT INTO slice (mailing_id, number, transport_id, done, due_at, priority, generation, size, sent, failed, deferred, cancelled)
SELECT %(mailing)s, %(new)s, transport_id, false, %(due)s, priority, 0, 0, 0, 0, 0, 0 FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s
"""
_LOCK_MAILING = "SELECT state, planned FROM mailing WHERE id = %(mailing)s FOR UPDATE"
_BOTH = f"""unnest(ARRAY[%(new)s, %(number)s]) AS one (nth) WHERE {same("mailing_id, number", "%(mailing)s, one.nth")}"""
_DEFER = f"""
-- Move tried copies to the slice where they are due again, where they have no place; both slices' totals follow.
WITH old AS (
    SELECT address_id, place FROM copy_row c
     WHERE mailing_id = %(mailing)s AND slice = %(number)s AND address_id = ANY (%(addresses)s::bigint[]) AND {_OPEN_NOW} FOR UPDATE
), moved AS (
    UPDATE copy_row c SET state = 1, attempts = c.attempts + 1, code = {_CODE}, slice = %(new)s, place = NULL
     WHERE c.mailing_id = %(mailing)s AND c.address_id = ANY (ARRAY(SELECT address_id FROM old))
    RETURNING c.attempts
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 1))::int AS again, (SELECT {places()} FROM old) AS places FROM moved)
UPDATE slice SET size = size + CASE WHEN number = %(new)s THEN n.n ELSE -n.n END,
       deferred = deferred + CASE WHEN number = %(new)s THEN n.n ELSE -n.again END,
       open = CASE WHEN number = %(new)s THEN open ELSE open & ~n.places END,
       done = (sent + failed + cancelled >= size + CASE WHEN number = %(new)s THEN n.n ELSE -n.n END)
  FROM n, {_BOTH}
"""


def defer(slice_: Claimed, replies: dict[int, int], due: datetime, now: datetime) -> None:
    """Copies to be tried again at ``due``: {address: reply code, 0 when there was none}. The caller holds the mailing's row."""
    values = {"mailing": slice_.mailing, "number": slice_.number, "due": due, "now": now, "slice": SLICE}
    found = run(_RETRY_SLICE, values)
    if found:
        new = found[0][0]
    else:
        new = next_number(slice_.mailing)
        run(_NEW_SLICE, {**values, "new": new})
    run(_DEFER, {**values, "new": new, "addresses": array(list(replies)), "codes": array(list(replies.values()))})


_OFF_SLICE = """
SELECT number FROM slice
 WHERE mailing_id = %(mailing)s AND NOT done AND lease_until IS NULL AND due_at = %(due)s AND number <> %(number)s AND size - cancelled < %(slice)s
   AND transport_id IS NOT DISTINCT FROM (SELECT transport_id FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s)
 ORDER BY number DESC LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_OFF = f"""
-- Move open copies that may not leave yet to the slice where they are due; nothing about them changes, both slices' totals follow.
WITH old AS (
    SELECT address_id, place FROM copy_row c
     WHERE mailing_id = %(mailing)s AND slice = %(number)s AND address_id = ANY (%(addresses)s::bigint[]) AND {_OPEN_NOW} FOR UPDATE
), moved AS (
    UPDATE copy_row c SET slice = %(new)s, place = NULL WHERE c.mailing_id = %(mailing)s AND c.address_id = ANY (ARRAY(SELECT address_id FROM old))
    RETURNING c.state
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE state = 1))::int AS tried, (SELECT {places()} FROM old) AS places FROM moved)
UPDATE slice SET size = size + CASE WHEN number = %(new)s THEN n.n ELSE -n.n END,
       deferred = deferred + CASE WHEN number = %(new)s THEN n.tried ELSE -n.tried END,
       open = CASE WHEN number = %(new)s THEN open ELSE open & ~n.places END,
       done = (sent + failed + cancelled >= size + CASE WHEN number = %(new)s THEN n.n ELSE -n.n END)
  FROM n, {_BOTH}
"""


def put_off(slice_: Claimed, addresses: Sequence[int], due: datetime) -> None:
    """Copies of a claimed slice that come due at exactly ``due``. The caller holds the mailing's row."""
    values = {"mailing": slice_.mailing, "number": slice_.number, "due": due, "slice": SLICE}
    found = run(_OFF_SLICE, values)
    new = found[0][0] if found else next_number(slice_.mailing)
    if not found:
        run(_NEW_SLICE, {**values, "new": new})
    run(_OFF, {**values, "new": new, "addresses": array(addresses)})


def lock_mailing(mailing: int) -> tuple[str, bool]:
    """(state, planned) of a mailing whose row is locked until the transaction ends."""
    rows = run(_LOCK_MAILING, {"mailing": mailing})
    return (rows[0][0], rows[0][1]) if rows else ("cancelled", True)


_REFUSALS = """
INSERT INTO refusal (mailing_id, address_id, at, code, text)
SELECT %(mailing)s, r.address_id, %(at)s, r.code, r.text FROM unnest(%(addresses)s::bigint[], %(codes)s::smallint[], %(texts)s::text[]) AS r (address_id, code, text)
"""


def write_refusals(mailing: int, at: datetime, replies: Sequence[tuple[int, int, str]]) -> None:
    """Keep the replies: (address, code, text)."""
    run(_REFUSALS, {"mailing": mailing, "at": at, "addresses": [r[0] for r in replies], "codes": [r[1] for r in replies], "texts": [r[2] for r in replies]})
