"""Copies and slices are written: a range of an audience, or a few given addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colporteur.store.copies.running import SLICE, array, run

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
    INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled)
    SELECT %(mailing)s, slice, (%(turns)s::bigint[])[1 + ((hashint8(%(mailing)s::bigint) & 65535) + slice) %% cardinality(%(turns)s::bigint[])],
           false, %(priority)s, 0, count(*), 0, 0, 0, 0
      FROM numbered GROUP BY slice
)
SELECT count(*), coalesce(max(address_id), 0) FROM numbered
"""


def plan_range(
    mailing: int, list_: int, after: int, moment: datetime, *, excluded: Sequence[int], earlier: Sequence[int], limit: int, first: int, turns: Sequence[int], priority: int
) -> tuple[int, int]:
    """Write up to ``limit`` copies for addresses beyond the id ``after``; (how many, the last address id).

    ``first``: number of the first new slice. ``earlier``: mailings of the same post whose accepted copies count. ``turns``:
    transports the slices take in turn by their number; none: they wait until there is one.
    """
    values = {"mailing": mailing, "list": list_, "after": after, "moment": moment, "limit": limit, "first": first, "slice": SLICE, "priority": priority}
    rows = run(_PLAN_RANGE, {**values, "excluded": array(excluded), "earlier": array(earlier), "turns": array(turns) if turns else "{NULL}"})
    return rows[0][0], rows[0][1]


_NEXT_NUMBER = "SELECT coalesce(max(number), -1) + 1 FROM slice WHERE mailing_id = %(mailing)s"


def next_number(mailing: int) -> int:
    """First free slice number; the caller holds the mailing's row lock."""
    number: int = run(_NEXT_NUMBER, {"mailing": mailing})[0][0]
    return number


_WRITE_FEW = """
-- A slice of a few given addresses: letters and messages passed on.
WITH copies AS (
    INSERT INTO copy (mailing_id, address_id, slice, state, attempts, code)
    SELECT %(mailing)s, a, 0, 0, 0, 0 FROM unnest(%(addresses)s::bigint[]) AS a
)
INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled)
VALUES (%(mailing)s, 0, %(transport)s, false, %(priority)s, 0, cardinality(%(addresses)s::bigint[]), 0, 0, 0, 0)
"""


def write_few(mailing: int, addresses: Sequence[int], transport: int | None, priority: int) -> None:
    """The copies of a mailing to a handful of distinct addresses, as one slice."""
    run(_WRITE_FEW, {"mailing": mailing, "addresses": array(addresses), "transport": transport, "priority": priority})
