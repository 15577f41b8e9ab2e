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
         WHERE s.transport_id = %(transport)s AND {same("s.priority, s.mailing_id", "r.priority, r.mailing_id")} AND {FREE}
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
