"""Copies and slices are written: a range of an audience, or a few given addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from colporteur.domain.digests import DeliveryMode
from colporteur.store.copies.running import SLICE, array, filled, run

_MEMBERS = """
      FROM membership m
     WHERE m.list_id = %(list)s AND m.address_id > %(after)s
       AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s) AND NOT m.paused
       AND (m.delivery = '{mode}' AND coalesce(m.delivery_since, m.since) <= %(begins)s AND coalesce(m.delivery_since, m.since) > %(begins_after)s::timestamptz AND %(ends)s::timestamptz = 'infinity'
            OR m.delivery_since > %(ends_after)s AND m.delivery <> 'none' AND EXISTS (
                 SELECT 1 FROM former_delivery f WHERE f.membership_id = m.id AND f.delivery = '{mode}'
                    AND f.since <= %(begins)s AND f.since > %(begins_after)s::timestamptz AND f.until > %(ends_after)s AND f.until <= %(ends)s::timestamptz OFFSET 0))
       AND m.address_id <> ALL (%(excluded)s::bigint[])
       AND NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = m.address_id AND t.state >= 2 OFFSET 0)
       {has_it}
"""
_HAS_IT = "AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state = 2 OFFSET 0)"
_ASKED = {True: _HAS_IT, False: ""}
"""By whether there is an earlier mailing: asking costs as much for each member when there is none."""
_NOT_ON_ITS_WAY = """
       AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state IN (0, 1))
       AND NOT EXISTS (SELECT 1 FROM address a JOIN address b ON b.person_id = a.person_id JOIN copy c ON c.address_id = b.id
                        WHERE a.id = m.address_id AND c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.state IN (0, 1, 2))
"""
FAILED = """
       AND EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state = 3)
"""
KNOWN = """
       AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state = 3 AND c.code = 0)
       AND NOT EXISTS (SELECT 1 FROM refusal r WHERE r.mailing_id = ANY (%(earlier)s::bigint[]) AND r.address_id = m.address_id AND r.code = 0)
"""
NEW = """
       AND m.since > %(since)s
       AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[]) AND c.address_id = m.address_id AND c.state = 3)
"""
_CHOSEN = {"": "", "failed": FAILED + KNOWN + _NOT_ON_ITS_WAY, "unknown": FAILED + _NOT_ON_ITS_WAY, "new": NEW + _NOT_ON_ITS_WAY}
"""Whom a mailing is for: everybody, or of those without an accepted copy of the post: those whose copies failed (a copy whose
outcome nobody knows may have arrived, and counts only when asked for), or those who joined since."""

_PLAN_RANGE = f"""
-- The next addresses of the audience as it was at the moment of acceptance, in the order of their id, each once;
-- their copies and the slices these make, in one statement.
WITH audience AS (
    SELECT DISTINCT m.address_id {{members}}
     ORDER BY m.address_id
     LIMIT %(limit)s
), numbered AS (
    SELECT address_id, %(first)s::int + (nth / %(slice)s)::int AS slice, nth %% %(slice)s AS place
      FROM (SELECT address_id, row_number() OVER (ORDER BY address_id) - 1 AS nth FROM audience) a
), copies AS (
    INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code, place)
    SELECT %(mailing)s, address_id, slice, 0, 0, 0, place FROM numbered
), slices AS (
    INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open)
    SELECT %(mailing)s, slice, (%(turns)s::bigint[])[1 + ((hashint8(%(mailing)s::bigint) & 65535) + slice) %% cardinality(%(turns)s::bigint[])],
           false, %(priority)s, 0, count(*), 0, 0, 0, 0, {filled('count(*)')}
      FROM numbered GROUP BY slice
)
SELECT count(*), coalesce(max(address_id), 0) FROM numbered
"""
_PLAN = {
    (mode, chosen, again): _PLAN_RANGE.replace("{members}", (_MEMBERS + more).replace("{mode}", mode).replace("{has_it}", asked))
    for mode in DeliveryMode
    for chosen, more in _CHOSEN.items()
    for again, asked in _ASKED.items()
}

_NESTED = """
-- The same for a list with lists inside it or people left out: of each list the next addresses in the order of their id, then
-- of these the first ones, each once by the nearest list. ``others``: receivers by a role. What comes not by the list itself is kept.
WITH audience AS (
    SELECT DISTINCT ON (x.address_id) x.address_id, x.through, x.place
      FROM (SELECT found.address_id, l.id AS through, l.place
              FROM unnest(%(lists)s::bigint[]) WITH ORDINALITY l (id, place)
             CROSS JOIN LATERAL (SELECT DISTINCT m.address_id {members}
                     AND NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id IN (%(list)s, m.list_id) AND e.address_id = m.address_id)
                     AND (m.list_id = %(list)s OR NOT EXISTS (
                            SELECT 1 FROM membership o WHERE o.list_id = %(list)s AND o.address_id = m.address_id AND o.until IS NULL AND (o.paused OR o.delivery <> '{mode}')))
                     AND (m.list_id = %(list)s OR '{mode}' = 'each' OR NOT EXISTS (
                            SELECT 1 FROM membership q WHERE q.list_id = ANY (%(lists)s::bigint[]) AND q.address_id = m.address_id AND q.until IS NULL AND NOT q.paused
                               AND q.delivery = ANY (%(quicker)s::text[])))
                     AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(siblings)s::bigint[]) AND c.address_id = m.address_id AND c.state <> 4)
                   ORDER BY m.address_id LIMIT %(limit)s) found
            UNION ALL
            SELECT o.id, NULL, 1000000 FROM unnest(%(others)s::bigint[]) o (id)
             WHERE o.id > %(after)s AND o.id <> ALL (%(excluded)s::bigint[])
               AND NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = o.id AND t.state >= 2 OFFSET 0)
               AND NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = %(list)s AND e.address_id = o.id)
               AND NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(earlier)s::bigint[] || %(siblings)s::bigint[]) AND c.address_id = o.id AND c.state <> 4)) x
     ORDER BY x.address_id, x.place
     LIMIT %(limit)s
), passages AS (
    INSERT INTO passage (mailing, address, through)
    SELECT %(mailing)s, address_id, through FROM audience WHERE through IS DISTINCT FROM %(list)s
), numbered AS ("""
_PLAN_NESTED = {
    (mode, chosen, again): (_NESTED.replace("{members}", _MEMBERS.replace("m.list_id = %(list)s", "m.list_id = l.id") + more) + _PLAN_RANGE.partition("), numbered AS (")[2])
    .replace("{mode}", mode)
    .replace("{has_it}", asked)
    for mode in DeliveryMode
    for chosen, more in _CHOSEN.items()
    for again, asked in _ASKED.items()
}


class Window(NamedTuple):
    """Whom a mailing is for, by the span of time in which somebody received by its mode: it began after ``begins_after`` and by
    ``begins``, and ended after ``ends_after`` and by ``ends`` (infinity: not at all). So each message comes once, whenever
    somebody changes: by the way that was theirs when it was accepted. Moments, or infinities as PostgreSQL writes them."""

    begins: datetime | str
    ends_after: datetime | str
    begins_after: datetime | str = "-infinity"
    ends: datetime | str = "infinity"


IN_ORDER = "SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_sort']) AS name"
"""Until the transaction ends. The audience is walked in the order of its index up to the limit; a planner that takes a list that
was just imported for short would read and sort a million members for every range."""


class Nested(NamedTuple):
    """``lists``: the list and those inside it, nearest first; ``others``: addresses that receive by a role; ``siblings``: mailings of
    the same message by an outer list, whose copies count."""

    lists: Sequence[int]
    others: Sequence[int] = ()
    siblings: Sequence[int] = ()


def plan_range(
    mailing: int, list_: int, after: int, moment: datetime, *, excluded: Sequence[int], earlier: Sequence[int], limit: int, first: int, turns: Sequence[int], priority: int,
    chosen: str = "", since: datetime | None = None, nested: Nested | None = None, mode: DeliveryMode = DeliveryMode.EACH, window: Window | None = None,
) -> tuple[int, int]:  # fmt: skip
    """Write up to ``limit`` copies for addresses beyond the id ``after``; (how many, the last address id).

    ``first``: number of the first new slice. ``earlier``: mailings of the same post whose accepted copies count. ``turns``:
    transports the slices take in turn by their number; none: they wait until there is one. ``chosen``: of "failed",
    "unknown" and "new", the last with ``since`` when. ``nested``: what else is reached than the list's own members. ``mode``: for members who receive so;
    ``window``: in which span, without one those who did at the moment.
    """
    values = {"mailing": mailing, "list": list_, "after": after, "moment": moment, "limit": limit, "first": first, "slice": SLICE, "priority": priority, "since": since}
    run(IN_ORDER, {})
    if nested:
        values |= {"lists": array(nested.lists), "others": array(nested.others), "siblings": array(nested.siblings), "quicker": [one.value for one in mode.quicker]}
    values |= (window or Window(moment, moment))._asdict()
    rows = run((_PLAN_NESTED if nested else _PLAN)[mode, chosen, bool(earlier)], {**values, "excluded": array(excluded), "earlier": array(earlier), "turns": array(turns) if turns else "{NULL}"})
    return rows[0][0], rows[0][1]


_WHOM = {chosen: "SELECT DISTINCT m.address_id" + _MEMBERS.replace("{mode}", DeliveryMode.EACH).replace("{has_it}", _HAS_IT) + more for chosen, more in _CHOSEN.items()}


_ALL = 2**31 - 1
_WHOM_NESTED = {
    chosen: _NESTED.partition(", passages AS (")[0].replace("{members}", _MEMBERS.replace("m.list_id = %(list)s", "m.list_id = l.id") + more).replace("{mode}", DeliveryMode.EACH).replace("{has_it}", _HAS_IT)
    for chosen, more in _CHOSEN.items()
}


def whom(list_: int, moment: datetime, *, excluded: Sequence[int], earlier: Sequence[int], chosen: str, since: datetime, nested: Nested | None = None) -> tuple[int, list[int]]:
    """How many addresses a mailing planned at this moment would have, and the first twenty; see ``plan_range``."""
    if nested:
        return _whom_nested({"list": list_, "moment": moment, "excluded": array(excluded), "earlier": array(earlier), "since": since, **Window(moment, moment)._asdict()}, chosen, nested)
    values = {"list": list_, "after": 0, "moment": moment, "excluded": array(excluded), "earlier": array(earlier), "since": since, **Window(moment, moment)._asdict()}
    counted: int = run(f"SELECT count(*) FROM ({_WHOM[chosen]}) w", values)[0][0]
    return counted, [row[0] for row in run(f"{_WHOM[chosen]} ORDER BY 1 LIMIT 20", values)]


def _whom_nested(values: dict[str, Any], chosen: str, nested: Nested) -> tuple[int, list[int]]:
    values |= {"after": 0, "limit": _ALL, "lists": array(nested.lists), "others": array(nested.others), "siblings": array(nested.siblings), "quicker": [one.value for one in DeliveryMode.EACH.quicker]}
    counted: int = run(f"{_WHOM_NESTED[chosen]} SELECT count(*) FROM audience", values)[0][0]
    return counted, [row[0] for row in run(f"{_WHOM_NESTED[chosen]} SELECT address_id FROM audience ORDER BY 1 LIMIT 20", values)]


_NEXT_NUMBER = "SELECT coalesce((SELECT number FROM slice WHERE mailing_id = %(mailing)s ORDER BY number DESC LIMIT 1), -1) + 1"


def next_number(mailing: int) -> int:
    """First free slice number; the caller holds the mailing's row lock."""
    number: int = run(_NEXT_NUMBER, {"mailing": mailing})[0][0]
    return number


_WRITE_FEW = f"""
-- A slice of a few given addresses: letters and messages passed on.
WITH copies AS (
    INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code, place)
    SELECT %(mailing)s, a, 0, 0, 0, 0, CASE WHEN nth <= {SLICE} THEN nth - 1 END FROM unnest(%(addresses)s::bigint[]) WITH ORDINALITY AS a (a, nth)
)
INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open)
VALUES (%(mailing)s, 0, %(transport)s, false, %(priority)s, 0, cardinality(%(addresses)s::bigint[]), 0, 0, 0, 0, {filled('cardinality(%(addresses)s::bigint[])')})
"""


def write_few(mailing: int, addresses: Sequence[int], transport: int | None, priority: int) -> None:
    """The copies of a mailing to a handful of distinct addresses, as one slice."""
    run(_WRITE_FEW, {"mailing": mailing, "addresses": array(addresses), "transport": transport, "priority": priority})
