"""A worker owns slices by a lease, reads their copies, and gives slices back or renews the lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from colporteur.store.copies.running import SLICE, array, is_open, places, run, same


class Claimed(NamedTuple):
    """A slice a worker now owns until its lease ends."""

    mailing: int
    number: int
    generation: int


_RIPE = """
-- Slices whose time has come join those that may be claimed at once. By their place: a join with the whole table is never right.
UPDATE slice SET due_at = NULL
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM slice WHERE NOT done AND due_at IS NOT NULL AND due_at <= %(now)s ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED))
"""


def ripen(now: datetime) -> None:
    """What was put off until ``now`` is due. Costs nothing while nothing is; everybody who claims does it."""
    run(_RIPE, {"now": now})


OPEN_MAILINGS = """
    SELECT priority, mailing_id FROM slice
     WHERE transport_id = {transport} AND NOT done AND due_at IS NULL AND (priority, mailing_id) > ({priority}, {mailing})
     ORDER BY priority, mailing_id LIMIT 1
"""
"""The next mailing with slices due on a transport: one step in the index slice_ready, however many slices each has."""

RUNNING = """
    m.state = 'running' AND (m.list_id IS NULL OR EXISTS (
        SELECT 1 FROM list l LEFT JOIN domain d ON d.id = l.domain_id WHERE l.id = m.list_id AND l.state = 'active' AND coalesce(d.enabled, true) OFFSET 0))
"""
"""Whether the copies of mailing ``m`` may leave now. OFFSET 0 keeps the planner, whose figures are old when a mailing was just
planned, from reading whole tables instead of a row by its key."""

FREE = "NOT s.done AND s.due_at IS NULL AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())"
"""Whether slice ``s`` may be claimed."""

_CLAIM = f"""
-- Slices due for one transport, one of each mailing, as many as there is room for. Walks mailing by mailing, not slice by
-- slice: one that is paused, leased or has thousands of slices costs one look at the index. Lists with the fewest copies in
-- the worker's memory come first; of a crowded priority only those it holds nothing of, so that none waits behind another.
-- Pairs are compared as wholes because only slice_ready answers that: a plan kept from when the table was empty took another
-- index, and read every slice that was put off.
WITH RECURSIVE ready (priority, mailing_id) AS (
    (VALUES (-1, 0::bigint))
    UNION ALL
    SELECT n.priority::int, n.mailing_id FROM ready r CROSS JOIN LATERAL ({OPEN_MAILINGS.format(transport="%(transport)s", priority="r.priority", mailing="r.mailing_id")}) n
), offered AS (
    SELECT r.priority, r.mailing_id, coalesce(h.copies, 0) AS held, m.list, m.personal, s.number, s.size
      FROM ready r
     CROSS JOIN LATERAL (SELECT coalesce(m.list_id, 0) AS list, m.campaign_id IS NOT NULL AS personal FROM mailing m WHERE m.id = r.mailing_id AND {RUNNING} OFFSET 0) m
      LEFT JOIN unnest(%(priorities)s::int[], %(lists)s::bigint[], %(held)s::int[]) AS h (priority, list, copies)
        ON h.priority = r.priority AND h.list = m.list
     CROSS JOIN LATERAL (
        SELECT number, size FROM slice s
         WHERE s.transport_id = %(transport)s AND (s.priority, s.mailing_id) >= (r.priority, r.mailing_id) AND (s.priority, s.mailing_id) <= (r.priority, r.mailing_id) AND {FREE}
           AND (s.size <= %(few)s OR r.priority <> ALL (%(full)s::int[]))
         ORDER BY priority, mailing_id, number LIMIT 1 FOR UPDATE SKIP LOCKED) s
     WHERE r.priority <> ALL (%(closed)s::int[]) AND (r.priority <> ALL (%(crowded)s::int[]) OR h.copies IS NULL)
       AND coalesce(h.copies, 0) < %(enough)s
       AND EXISTS (SELECT 1 FROM transport t WHERE t.id = %(transport)s AND t.enabled AND (t.next_try IS NULL OR t.next_try <= %(now)s))
     LIMIT 200
), fitting AS (
    SELECT *, sum(size) OVER turn - size AS before, row_number() OVER turn AS nth FROM offered WINDOW turn AS (ORDER BY priority, held, number, mailing_id)
)
UPDATE slice s SET generation = s.generation + 1, lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM fitting f WHERE {same("s.mailing_id, s.number", "f.mailing_id, f.number")} AND f.before < %(copies)s AND f.nth <= 50
RETURNING s.mailing_id, s.number, s.generation, s.priority, f.list, f.personal
"""


class Offer(NamedTuple):
    """A slice just claimed, and what decides whose turn it is. ``list``: 0 for none. ``personal``: of a campaign, whose copies have
    fields of their readers in them."""

    claimed: Claimed
    priority: int
    list: int
    personal: bool


FEW = 100
"""Copies of a slice that is small enough for a worker that holds much already: its list must not wait."""


class Room(NamedTuple):
    """What a worker has room for. ``copies``: about so many. ``held``: copies it holds, by (priority, list); of one with
    ``enough`` of them nothing more is claimed, of ``crowded`` priorities only lists it holds nothing of, of ``full`` ones only
    small slices, of ``closed`` ones nothing."""

    copies: int = SLICE
    enough: int = SLICE
    held: Mapping[tuple[int, int], int] = {}
    crowded: Sequence[int] = ()
    full: Sequence[int] = ()
    closed: Sequence[int] = ()


def claim(transport: int, now: datetime, lease: float, room: Room) -> list[Offer]:
    """Own due slices of a transport for ``lease`` seconds of the database's clock, the most urgent first."""
    values = {"transport": transport, "now": now, "lease": float(lease), "copies": room.copies, "enough": room.enough, "few": FEW}
    values |= {"crowded": array(room.crowded), "full": array(room.full), "closed": array(room.closed)}
    held = {"priorities": array([key[0] for key in room.held]), "lists": array([key[1] for key in room.held]), "held": array(list(room.held.values()))}
    rows = run(_CLAIM, {**values, **held})
    return sorted((Offer(Claimed(*row[:3]), *row[3:]) for row in rows), key=lambda offer: (offer.priority, offer.claimed.number))


class Due(NamedTuple):
    """An open copy of a claimed slice. ``here``: still a receiving member (always true for letters). ``place``: in its slice, -1 for none."""

    mailing: int
    slice: int
    address: int
    email: str
    name: str
    here: bool
    place: int = -1


_COPIES_OF = f"""
-- Open copies of claimed slices with what rendering needs, and whether the member still receives. Whoever paused everything
-- until a date is told by the row of the address, which is read anyway; whom mail does not reach, or the list leaves out, is left out. A copy that comes by an inner list needs a member of that one.
SELECT c.mailing_id, c.slice, c.address_id, a.email, coalesce(nullif(p.name, ''), a.name),
       l.list_id IS NULL OR NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = l.list_id AND e.address_id = c.address_id OFFSET 0) AND ((a.paused_until IS NULL OR a.paused_until <= %(now)s) AND NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = c.address_id AND t.state >= 2 OFFSET 0) AND EXISTS (SELECT 1 FROM membership m WHERE {same("m.list_id, m.address_id", "via.list_id, c.address_id")}
                                       AND m.until IS NULL AND m.delivery <> 'none' AND NOT m.paused ORDER BY m.list_id, m.address_id OFFSET 0)
       OR l.nested AND (a.paused_until IS NULL OR a.paused_until <= %(now)s) AND NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = c.address_id AND t.state >= 2 OFFSET 0) AND EXISTS (SELECT 1 FROM passage g WHERE g.mailing = c.mailing_id AND g.address = c.address_id AND g.through IS NULL)), coalesce(c.place, -1)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[]) AS s (mailing_id, number)
  CROSS JOIN LATERAL (SELECT open FROM slice WHERE mailing_id = s.mailing_id AND number = s.number OFFSET 0) o
  CROSS JOIN LATERAL (SELECT * FROM copy_row r WHERE mailing_id = s.mailing_id AND slice = s.number AND {is_open('r', 'o.open')} OFFSET 0) c
  CROSS JOIN LATERAL (SELECT * FROM address WHERE id = c.address_id OFFSET 0) a
  LEFT JOIN LATERAL (SELECT * FROM person WHERE id = a.person_id OFFSET 0) p ON true
  CROSS JOIN LATERAL (SELECT CASE WHEN kind <> 'letter' THEN list_id END AS list_id, nested <> '{{}}'::jsonb AS nested FROM mailing WHERE id = s.mailing_id) l
  CROSS JOIN LATERAL (SELECT CASE WHEN l.nested THEN coalesce((SELECT g.through FROM passage g WHERE g.mailing = c.mailing_id AND g.address = c.address_id), l.list_id) ELSE l.list_id END AS list_id OFFSET 0) via
 ORDER BY c.mailing_id, c.slice, c.address_id
"""


_LONG_SLICES = """
-- Of the claimed slices those with many copies whose audience is the members of one list, and that list. "SELECT" around the arrays keeps the
-- planner from counting them, so that the statement is planned once and not each time.
SELECT s.mailing_id, s.number, m.list_id
  FROM unnest((SELECT %(mailings)s::bigint[]), (SELECT %(numbers)s::int[])) AS c (mailing_id, number)
 CROSS JOIN LATERAL (SELECT * FROM slice WHERE mailing_id = c.mailing_id AND number = c.number OFFSET 0) s
 CROSS JOIN LATERAL (SELECT * FROM mailing WHERE id = c.mailing_id OFFSET 0) m
 WHERE s.size >= %(many)s AND m.kind <> 'letter' AND m.list_id IS NOT NULL AND m.nested = '{}'::jsonb
"""
_MANY = 50
"""Copies of a slice whose addresses are cheaper to read together: neighbours in an index are found by one descent, not by one each."""
_OPEN = f"""
SELECT c.address_id, coalesce(c.place, -1)
  FROM slice s CROSS JOIN LATERAL (SELECT * FROM copy_row r WHERE r.mailing_id = s.mailing_id AND r.slice = s.number AND {is_open('r', 's.open')} OFFSET 0) c
 WHERE s.mailing_id = %(mailing)s AND s.number = %(number)s ORDER BY c.address_id
"""
_READERS = """
SELECT a.id, a.email, coalesce(nullif(p.name, ''), a.name), a.paused_until IS NULL OR a.paused_until <= %(now)s
  FROM address a LEFT JOIN LATERAL (SELECT name FROM person WHERE id = a.person_id OFFSET 0) p ON true WHERE a.id = ANY (%(addresses)s::bigint[])
"""
_UNREACHED = f"""
-- Neighbours of an index are read together, from the first address to the last, which costs a third of asking for each by its key. What would be
-- too long is cut off, and what is not found in it then, or all, asked by key: also because a planner with old figures would take whole tables.
WITH members AS MATERIALIZED (
    SELECT address_id, delivery <> 'none' AND NOT paused AS receives FROM membership
     WHERE list_id = %(list)s AND address_id BETWEEN %(low)s AND %(high)s AND until IS NULL ORDER BY address_id LIMIT %(most)s
), troubled AS MATERIALIZED (
    SELECT address_id, state FROM standing WHERE address_id BETWEEN %(low)s AND %(high)s AND state > 0 ORDER BY address_id LIMIT %(most)s
), excluded AS MATERIALIZED (
    SELECT address_id FROM exclusion WHERE list_id = %(list)s AND address_id BETWEEN %(low)s AND %(high)s ORDER BY address_id LIMIT %(most)s
)
SELECT r.id FROM unnest(%(addresses)s::bigint[]) r (id)
 WHERE r.id NOT IN (SELECT address_id FROM members WHERE receives)
       AND NOT EXISTS (SELECT 1 FROM membership m WHERE {same("m.list_id, m.address_id", "%(list)s, r.id")} AND m.until IS NULL AND m.delivery <> 'none' AND NOT m.paused ORDER BY m.list_id, m.address_id OFFSET 0)
    OR CASE WHEN (SELECT count(*) < %(most)s FROM troubled) THEN r.id IN (SELECT address_id FROM troubled WHERE state >= 2)
            ELSE EXISTS (SELECT 1 FROM standing t WHERE t.address_id = r.id AND t.state >= 2 OFFSET 0) END
    OR CASE WHEN (SELECT count(*) < %(most)s FROM excluded) THEN r.id IN (SELECT address_id FROM excluded)
            ELSE EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = %(list)s AND e.address_id = r.id OFFSET 0) END
"""


def copies_of(slices: Sequence[Claimed], now: datetime) -> list[Due]:
    """Open copies of the claimed slices."""
    keys = {"mailings": array([s.mailing for s in slices]), "numbers": array([s.number for s in slices])}
    long = {(mailing, number): list_ for mailing, number, list_ in run(_LONG_SLICES, {**keys, "many": _MANY})}
    dues = [due for (mailing, number), list_ in sorted(long.items()) for due in _of_long(mailing, number, list_, now)]
    if others := [s for s in slices if s[:2] not in long]:
        keys = {"mailings": array([s.mailing for s in others]), "numbers": array([s.number for s in others])}
        dues += [Due._make(row) for row in run(_COPIES_OF, {**keys, "now": now})]
    return dues


def _of_long(mailing: int, number: int, list_: int, now: datetime) -> list[Due]:
    """The same of one slice, set by set."""
    rows = run(_OPEN, {"mailing": mailing, "number": number})
    if not rows:
        return []
    addresses = array([address for address, _place in rows])
    readers = {reader[0]: reader for reader in run(_READERS, {"addresses": addresses, "now": now})}
    span = {"low": rows[0][0], "high": rows[-1][0], "most": 2 * len(rows)}
    unreached = {row[0] for row in run(_UNREACHED, {"addresses": addresses, "list": list_, **span})}
    found = [(readers[address], place) for address, place in rows if address in readers]
    return [Due(mailing, number, address, email, name, reads and address not in unreached, place) for (address, email, name, reads), place in found]


_CANCEL_ABSENT = f"""
-- Copies whose member left or paused since the audience was frozen.
WITH gone AS (
    UPDATE copy_row c SET state = 4 FROM (SELECT open FROM slice WHERE mailing_id = %(mailing)s AND number = %(number)s FOR UPDATE) s
     WHERE c.mailing_id = %(mailing)s AND c.slice = %(number)s AND c.address_id = ANY (%(addresses)s::bigint[]) AND {is_open('c', 's.open')}
    RETURNING c.attempts, c.place
), n AS (SELECT count(*)::int AS n, (count(*) FILTER (WHERE attempts > 0))::int AS tried, {places()} AS places FROM gone)
UPDATE slice SET cancelled = cancelled + n.n, deferred = deferred - n.tried, open = open & ~n.places, done = (sent + failed + cancelled + n.n >= size)
  FROM n WHERE mailing_id = %(mailing)s AND number = %(number)s
"""


def cancel_absent(mailing: int, number: int, addresses: Sequence[int]) -> None:
    """Cancel the copies of a claimed slice whose members receive no more."""
    run(_CANCEL_ABSENT, {"mailing": mailing, "number": number, "addresses": array(addresses)})


STEERED = "colporteur_steered"
"""Where workers listen. Without words: something was paused, cancelled or switched off; else ids of addresses, as ``gone`` says them."""


def gone(addresses: Sequence[int]) -> None:
    """Tell workers, when the transaction ends, that these receive no more: slices with copies for them are given back and claimed anew."""
    run("SELECT pg_notify(%(channel)s, %(words)s)", {"channel": STEERED, "words": ",".join(map(str, addresses))})


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


_STILL = f"""{same("s.mailing_id, s.number, s.generation", "r.mailing_id, r.number, r.generation")} AND s.done::int = 0"""
"""Whether slice ``s`` is not done and of the generation it was claimed in. "NOT done" would let an index that holds all open slices be read from end to end."""

_RELEASE = f"""
UPDATE slice s SET lease_until = NULL, due_at = coalesce(%(due)s, s.due_at)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
 WHERE {_STILL}
"""


def release(slices: Sequence[Claimed], due: datetime | None = None) -> None:
    """Give leases back, what is unsent stays queued; ``due`` puts it off. Slices others claimed since are left alone."""
    run(_RELEASE, {"mailings": array([s.mailing for s in slices]), "numbers": array([s.number for s in slices]), "generations": array([s.generation for s in slices]), "due": due})


_RENEW = f"""
UPDATE slice s SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM unnest(%(mailings)s::bigint[], %(numbers)s::int[], %(generations)s::int[]) AS r (mailing_id, number, generation)
  JOIN mailing m ON m.id = r.mailing_id
 WHERE {_STILL} AND {RUNNING}
   AND EXISTS (SELECT 1 FROM transport t WHERE t.id = s.transport_id AND t.enabled)
RETURNING s.mailing_id, s.number, s.generation
"""


def renew(slices: Sequence[Claimed], lease: float) -> set[Claimed]:
    """Prolong leases; the slices that are still ours and whose mailing, list and transport still go."""
    rows = run(_RENEW, {"mailings": array([s.mailing for s in slices]), "numbers": array([s.number for s in slices]), "generations": array([s.generation for s in slices]), "lease": float(lease)})
    return {Claimed(*row) for row in rows}
