"""What a worker reads of the slices it has claimed: their open copies with what rendering needs, and who of them still receives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

from colporteur.store.copies.claiming import Claimed
from colporteur.store.copies.running import array, is_open, run


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
-- until a date is told by the row of the address, which is read anyway; whom mail does not reach, or the list leaves out, is left out. A copy that comes by an inner list needs a member of that one. "ORDER BY since" means an
-- index of list and address: while there were few members, one of the list alone seemed as good.
SELECT c.mailing_id, c.slice, c.address_id, a.email, coalesce(nullif(p.name, ''), a.name),
       l.list_id IS NULL OR NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = l.list_id AND e.address_id = c.address_id OFFSET 0) AND ((a.paused_until IS NULL OR a.paused_until <= %(now)s) AND NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = c.address_id AND t.state >= 2 OFFSET 0) AND EXISTS (SELECT 1 FROM membership m WHERE m.list_id = via.list_id AND m.address_id = c.address_id
                                       AND m.until IS NULL AND m.delivery <> 'none' AND NOT m.paused ORDER BY m.since OFFSET 0)
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
_OF_LONG = f"""
-- The same of a long slice of one list's members, in one row of arrays: its open copies and their places by address, then the addresses there are, by id, with
-- what rendering needs and who still receives. Neighbours of an index are read together, from the first address to the last, which costs a third of asking
-- for each by its key. What would be too long is cut off, and what is not found in it then, or all, asked by key: also because a planner with old figures would
-- take whole tables. Nothing is joined, for the same reason.
WITH open AS MATERIALIZED (
    SELECT c.address_id, coalesce(c.place, -1) AS place
      FROM slice s CROSS JOIN LATERAL (SELECT * FROM copy_row r WHERE r.mailing_id = s.mailing_id AND r.slice = s.number AND {is_open('r', 's.open')} OFFSET 0) c
     WHERE s.mailing_id = %(mailing)s AND s.number = %(number)s
), span AS MATERIALIZED (
    SELECT array_agg(address_id ORDER BY address_id) AS addresses, array_agg(place ORDER BY address_id) AS places, min(address_id) AS low, max(address_id) AS high, 2 * count(*) AS most FROM open
), members AS MATERIALIZED (
    SELECT address_id FROM membership
     WHERE list_id = %(list)s AND address_id >= (SELECT low FROM span) AND address_id <= (SELECT high FROM span) AND until IS NULL AND delivery <> 'none' AND NOT paused
     ORDER BY address_id LIMIT (SELECT most FROM span)
), troubled AS MATERIALIZED (
    SELECT address_id, state FROM standing WHERE address_id >= (SELECT low FROM span) AND address_id <= (SELECT high FROM span) AND state > 0
     ORDER BY address_id LIMIT (SELECT most FROM span)
), excluded AS MATERIALIZED (
    SELECT address_id FROM exclusion WHERE list_id = %(list)s AND address_id >= (SELECT low FROM span) AND address_id <= (SELECT high FROM span)
     ORDER BY address_id LIMIT (SELECT most FROM span)
), readers AS (
    SELECT a.id, a.email, coalesce(nullif(p.name, ''), a.name) AS name, (a.paused_until IS NULL OR a.paused_until <= %(now)s)
       AND (a.id IN (SELECT address_id FROM members)
            OR EXISTS (SELECT 1 FROM membership m WHERE m.list_id = %(list)s AND m.address_id = a.id AND m.until IS NULL AND m.delivery <> 'none' AND NOT m.paused ORDER BY m.since OFFSET 0))
       AND CASE WHEN (SELECT count(*) FROM troubled) < (SELECT most FROM span) THEN a.id NOT IN (SELECT address_id FROM troubled WHERE state >= 2)
                ELSE NOT EXISTS (SELECT 1 FROM standing t WHERE t.address_id = a.id AND t.state >= 2 OFFSET 0) END
       AND CASE WHEN (SELECT count(*) FROM excluded) < (SELECT most FROM span) THEN a.id NOT IN (SELECT address_id FROM excluded)
                ELSE NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = %(list)s AND e.address_id = a.id OFFSET 0) END AS here
      FROM address a LEFT JOIN LATERAL (SELECT name FROM person WHERE id = a.person_id OFFSET 0) p ON true
     WHERE a.id = ANY ((SELECT addresses FROM span)::bigint[]) ORDER BY a.id
)
SELECT (SELECT addresses FROM span), (SELECT places FROM span), array_agg(id), array_agg(email), array_agg(name), array_agg(here) FROM readers
"""


def _of_long(mailing: int, number: int, list_: int, now: datetime) -> Iterable[Due]:
    """The same of one long slice."""
    (addresses, places, found, emails, names, here), = run(_OF_LONG, {"mailing": mailing, "number": number, "list": list_, "now": now})
    if found != addresses:  # an address is gone meanwhile, with its copies
        place_of = dict(zip(addresses or [], places or [], strict=True))
        places = [place_of[address] for address in found or []]
    return map(Due._make, zip(repeat(mailing), repeat(number), found or [], emails or [], names or [], here or [], places or []))


def copies_of(slices: Sequence[Claimed], now: datetime) -> list[Due]:
    """Open copies of the claimed slices, slice by slice."""
    keys = {"mailings": array([s.mailing for s in slices]), "numbers": array([s.number for s in slices])}
    long = {(mailing, number): list_ for mailing, number, list_ in run(_LONG_SLICES, {**keys, "many": _MANY})}
    dues = [due for (mailing, number), list_ in sorted(long.items()) for due in _of_long(mailing, number, list_, now)]
    if others := [s for s in slices if s[:2] not in long]:
        keys = {"mailings": array([s.mailing for s in others]), "numbers": array([s.number for s in others])}
        dues += [Due._make(row) for row in run(_COPIES_OF, {**keys, "now": now})]
    return dues
