"""The audience of a campaign: several lists, some members of a list, without others, and one copy for each person.

Everybody who is looked at gets a reason why not, or a copy: the same statement counts before sending and writes when it is planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from colporteur.domain.campaigns import Skipped
from colporteur.store.copies.parking import PARKED
from colporteur.store.copies.planning import FAILED, IN_ORDER, KNOWN, NEW
from colporteur.store.copies.running import SLICE, array, filled, run

_HELD = datetime(9999, 1, 1, tzinfo=UTC)
"""When copies are due that wait for what becomes of a sample."""
_LATE = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a campaign is for. ``lists``: in the order in which a copy comes by one of them. ``some``: SQL about membership ``m`` that is
    true for who is meant of a list; a list without is meant whole. ``out``: SQL about address ``u.address_id`` and person
    ``a.person_id`` that is true for who is left out. ``bound``: what both are bound with. ``others``: addresses that receive by a
    role. ``same``: mailings whose recipients have the same newsletter already. ``around``: lists whose exclusions hold by whichever list
    a copy comes. ``inside``: (list, outer list) for each way by which a list is reached only as it stands inside another: who paused
    every one of these outer lists, or is left out of it, gets no copy by it."""

    lists: Sequence[int]
    some: Mapping[int, str] = field(default_factory=dict)
    out: str = ""
    bound: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[int] = ()
    same: Sequence[int] = ()
    around: Sequence[int] = ()
    inside: Sequence[tuple[int, int]] = ()


class Written(NamedTuple):
    """A range: how many addresses were looked at, the last one's id, how many copies were written, how many addresses are in trouble."""

    seen: int
    last: int
    copies: int
    in_trouble: int


_CHOSEN = {"": "", "failed": FAILED + KNOWN, "unknown": FAILED, "new": NEW}

_AUDIENCE = f"""
-- Addresses of the lists as they were at a moment, in the order of their id, each once, by the list where it receives; then why each
-- is left out: a copy comes to a person once, at the first address that receives.
WITH found AS (
    SELECT m.address_id, l.id AS through, l.place, m.quiet
      FROM unnest(%(lists)s::bigint[]) WITH ORDINALITY l (id, place)
     CROSS JOIN LATERAL (
        SELECT DISTINCT ON (m.address_id) m.address_id, m.paused OR m.delivery = 'none' {{inside}} AS quiet
          FROM membership m
         WHERE m.list_id = l.id AND m.address_id > %(after)s AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s)
               {{some}} {{chosen}}
         ORDER BY m.address_id LIMIT %(limit)s) m
    UNION ALL
    SELECT o.id, NULL, 1000000, false FROM unnest(%(others)s::bigint[]) o (id) WHERE o.id > %(after)s
), audience AS (
    SELECT DISTINCT ON (address_id) address_id, through, quiet FROM found ORDER BY address_id, quiet, place LIMIT %(limit)s
), judged AS MATERIALIZED (
    SELECT u.address_id, u.through, a.person_id,
           CASE WHEN EXISTS (SELECT 1 FROM exclusion e WHERE e.address_id = u.address_id AND (e.list_id = u.through OR e.list_id = ANY (%(around)s::bigint[])) OFFSET 0) {{out}} THEN {Skipped.LEFT_OUT.value}
                WHEN u.quiet OR a.paused_until > %(moment)s THEN {Skipped.PAUSED.value}
                {{same}}
                WHEN EXISTS (SELECT 1 FROM standing t WHERE t.address_id = u.address_id AND t.state >= 2 OFFSET 0) THEN {Skipped.IN_TROUBLE.value}
                ELSE 0 END AS why
      FROM audience u CROSS JOIN LATERAL (SELECT person_id, paused_until FROM address WHERE id = u.address_id OFFSET 0) a
), people AS (
    SELECT address_id, through,
           CASE WHEN why = 0 AND person_id IS NOT NULL AND (
                     row_number() OVER (PARTITION BY coalesce(person_id, -address_id), why = 0 ORDER BY address_id) > 1
                     OR EXISTS (SELECT 1 FROM address b JOIN copy_row c ON c.address_id = b.id WHERE b.person_id = judged.person_id AND c.mailing_id = %(mailing)s OFFSET 0))
                THEN {Skipped.OTHER_ADDRESS.value} ELSE why END AS why
      FROM judged
)"""

_SAME = f"""WHEN EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(same)s::bigint[]) AND c.address_id = u.address_id AND c.state IN (0, 1, 2) OFFSET 0)
                  OR EXISTS (SELECT 1 FROM address b JOIN copy c ON c.address_id = b.id WHERE b.person_id = a.person_id AND c.mailing_id = ANY (%(same)s::bigint[]) AND c.state IN (0, 1, 2) OFFSET 0)
                     THEN {Skipped.HAS_IT.value}"""
"""Asked only where there is such a mailing: it is looked up twice for everybody."""

_INSIDE = """OR l.id = ANY (%(inner)s::bigint[]) AND NOT EXISTS (
                    SELECT 1 FROM unnest(%(inner)s::bigint[], %(outer)s::bigint[]) e (inside, around)
                     WHERE e.inside = l.id AND NOT EXISTS (SELECT 1 FROM membership q WHERE q.list_id = e.around AND q.address_id = m.address_id AND q.until IS NULL AND (q.paused OR q.delivery = 'none') OFFSET 0)
                       AND NOT EXISTS (SELECT 1 FROM exclusion x WHERE x.list_id = e.around AND x.address_id = m.address_id OFFSET 0))"""
"""As messages to the outer list do."""

_COUNT = """
SELECT why, count(*) FROM people GROUP BY why
"""

_FIRST = """
SELECT address_id FROM people WHERE why = 0 ORDER BY address_id LIMIT 20
"""

_WRITE = f"""
, numbered AS (
    SELECT address_id, through, %(first)s::int + (nth / %(slice)s)::int AS slice, nth %% %(slice)s AS place, NULL::timestamptz AS due
      FROM (SELECT address_id, through, row_number() OVER (ORDER BY address_id) - 1 AS nth FROM people WHERE why = 0) a
), copies AS (
    INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code, place)
    SELECT %(mailing)s, address_id, slice, 0, 0, 0, place FROM numbered
), passages AS (
    INSERT INTO passage (mailing, address, through)
    SELECT %(mailing)s, address_id, through FROM numbered WHERE through IS DISTINCT FROM %(list)s
), slices AS (
    INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open, due_at)
    SELECT %(mailing)s, slice, (%(turns)s::bigint[])[1 + ((hashint8(%(mailing)s::bigint) & 65535) + slice) %% cardinality(%(turns)s::bigint[])],
           false, %(priority)s, 0, count(*), 0, 0, 0, 0, {filled('count(*)')}, min(due)
      FROM numbered GROUP BY slice
)
SELECT (SELECT count(*) FROM audience), (SELECT coalesce(max(address_id), 0) FROM audience), (SELECT count(*) FROM numbered), (SELECT count(*) FROM people WHERE why = {Skipped.IN_TROUBLE.value})
"""

_LOT = "hashint8extended(address_id, %(mailing)s::bigint)"
"""What decides whether an address is of the sample: as good as by chance, the same whenever it is asked."""
_WRITE_SAMPLE = f"""
-- The sample in slices of its own, which leave at once; the others are held.
, numbered AS (
    SELECT address_id, through, %(first)s::int + (nth / %(slice)s + CASE WHEN held THEN (sampled + %(slice)s - 1) / %(slice)s ELSE 0 END)::int AS slice, nth %% %(slice)s AS place,
           CASE WHEN held THEN %(held)s::timestamptz END AS due
      FROM (SELECT address_id, through, held, row_number() OVER (PARTITION BY held ORDER BY address_id) - 1 AS nth, count(*) FILTER (WHERE NOT held) OVER () AS sampled
              FROM (SELECT address_id, through, {_LOT} > %(lot)s AS held FROM people WHERE why = 0) p) a
{_WRITE[_WRITE.index("), copies AS ("):]}"""
_DRAW = f"""
SELECT max(lot) FROM (SELECT {_LOT} AS lot FROM people WHERE why = 0 ORDER BY 1 LIMIT %(sample)s) drawn
"""

_ALL = 2**31 - 1


def draw(mailing: int, moment: datetime, reach: Reach, sample: int) -> int | None:
    """Up to which lot addresses are of a sample of so many; None: nobody gets a copy. Looks at everybody once."""
    lot: int | None = run(_said(reach, "") + _DRAW, {**_values(mailing, 0, moment, reach, _ALL, "", (), None), "sample": sample})[0][0]
    return lot


def plan_audience(
    mailing: int, list_: int, after: int, moment: datetime, reach: Reach, *, limit: int, first: int, turns: Sequence[int], priority: int,
    chosen: str = "", earlier: Sequence[int] = (), since: datetime | None = None, lot: int | None = None,
) -> Written:  # fmt: skip
    """Write the copies of up to ``limit`` addresses beyond the id ``after``; see ``plan_range`` of the planning. ``lot``: those of the
    sample (``draw``) may leave, the others are held."""
    run(IN_ORDER, {})
    values = _values(mailing, after, moment, reach, limit, chosen, earlier, since) | {"list": list_, "first": first, "slice": SLICE, "turns": array(turns) if turns else "{NULL}", "priority": priority}
    rows = run(_said(reach, chosen) + (_WRITE if lot is None else _WRITE_SAMPLE), values | ({} if lot is None else {"lot": lot, "held": _HELD}))
    return Written(*rows[0])


def count_audience(moment: datetime, reach: Reach, *, chosen: str = "", earlier: Sequence[int] = (), since: datetime | None = None) -> dict[int, int]:
    """How many would get a copy (0), and how many not, by ``Skipped``."""
    return dict(run(_said(reach, chosen) + _COUNT, _values(0, 0, moment, reach, _ALL, chosen, earlier, since)))


def first_of_audience(moment: datetime, reach: Reach, *, chosen: str = "", earlier: Sequence[int] = (), since: datetime | None = None) -> list[int]:
    """The first twenty addresses that would get a copy."""
    return [row[0] for row in run(_said(reach, chosen) + _FIRST, _values(0, 0, moment, reach, _ALL, chosen, earlier, since))]


def pick(mailing: int, moment: datetime, list_: int, rule: str, bound: Mapping[str, Any], *, left_out: bool) -> None:
    """Keep whom a rule (SQL about membership ``m``) means of a list at this moment."""
    run(
        f"INSERT INTO campaign_picked (mailing, left_out, address, list) SELECT DISTINCT %(mailing)s, %(left_out)s, m.address_id, m.list_id FROM membership m"
        f" WHERE m.list_id = %(list)s AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s) AND ({rule}) ON CONFLICT DO NOTHING",
        {**bound, "mailing": mailing, "left_out": left_out, "list": list_, "moment": moment},
    )


PICKED = "EXISTS (SELECT 1 FROM campaign_picked k WHERE k.mailing = %(mailing)s AND NOT k.left_out AND k.address = m.address_id AND k.list = m.list_id OFFSET 0)"
"""Of a list: who was picked."""
PICKED_OUT = """(EXISTS (SELECT 1 FROM campaign_picked k WHERE k.mailing = %(mailing)s AND k.left_out AND k.address = u.address_id OFFSET 0)
                 OR EXISTS (SELECT 1 FROM address b JOIN campaign_picked k ON k.address = b.id WHERE b.person_id = a.person_id AND k.mailing = %(mailing)s AND k.left_out OFFSET 0))"""
"""Who was picked to be left out, at this address or another of the same person."""


def forget_picked(mailing: int) -> None:
    """All copies are written."""
    run("DELETE FROM campaign_picked WHERE mailing = %(mailing)s", {"mailing": mailing})


_ENDED = """
-- Which of the mailings that picked somebody write no more copies: from one to the next by the index, however many each picked.
WITH RECURSIVE picking (mailing) AS (
    (SELECT mailing FROM campaign_picked ORDER BY mailing LIMIT 1)
    UNION ALL
    SELECT n.mailing FROM picking p CROSS JOIN LATERAL (SELECT mailing FROM campaign_picked k WHERE k.mailing > p.mailing ORDER BY mailing LIMIT 1) n
)
SELECT mailing FROM picking p WHERE NOT EXISTS (SELECT 1 FROM mailing m WHERE m.id = p.mailing AND NOT m.planned OFFSET 0)
"""


def forget_ended() -> None:
    """Mailings that were abandoned before their copies were written."""
    for (mailing,) in run(_ENDED, {}):
        forget_picked(mailing)


_OUT = """EXISTS (SELECT 1 FROM membership m WHERE m.list_id = {list} AND m.address_id = u.address_id AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s) AND ({rule}) OFFSET 0)
                 OR EXISTS (SELECT 1 FROM address b JOIN membership m ON b.id = m.address_id WHERE b.person_id = a.person_id AND m.list_id = {list} AND m.since <= %(moment)s AND (m.until IS NULL OR m.until > %(moment)s) AND ({rule}) OFFSET 0)"""


def out_of(list_: int, rule: str = "true") -> str:
    """SQL for ``Reach.out``: members of a list, or those of them a rule means, at this address or another of the same person."""
    return f"({_OUT.format(list=int(list_), rule=rule)})"


def _said(reach: Reach, chosen: str) -> str:
    some = "AND " + " AND ".join(f"(m.list_id <> {int(list_)} OR {rule})" for list_, rule in reach.some.items()) if reach.some else ""
    return _AUDIENCE.replace("{some}", some).replace("{inside}", _INSIDE if reach.inside else "").replace("{out}", f"OR {reach.out}" if reach.out else "").replace("{same}", _SAME if reach.same else "").replace("{chosen}", _CHOSEN[chosen])


def _values(mailing: int, after: int, moment: datetime, reach: Reach, limit: int, chosen: str, earlier: Sequence[int], since: datetime | None) -> dict[str, Any]:
    values = {**reach.bound, "mailing": mailing, "after": after, "moment": moment, "limit": limit, "lists": array(reach.lists), "others": array(reach.others), "around": array(reach.around)}
    values |= {"same": array(reach.same)} if reach.same else {}
    values |= {"inner": array([inner for inner, _outer in reach.inside]), "outer": array([outer for _inner, outer in reach.inside])} if reach.inside else {}
    return {**values, "earlier": array(earlier), "since": since} if chosen else values


_RELEASE = "UPDATE slice SET due_at = NULL WHERE mailing_id = %(mailing)s AND NOT done AND due_at > %(late)s RETURNING 1"


def release_held(mailing: int) -> int:
    """The rest of a mailing may leave, its sample went well; how many slices."""
    return len(run(_RELEASE, {"mailing": mailing, "late": _LATE}))


_SAMPLE_OPEN = "SELECT EXISTS (SELECT 1 FROM slice WHERE mailing_id = %(mailing)s AND NOT done AND (due_at IS NULL OR due_at <= %(late)s OR due_at = %(parked)s) AND sent + failed + cancelled + deferred < size)"


def sample_waits(mailing: int) -> bool:
    """Whether a copy of the sample was not tried yet."""
    return bool(run(_SAMPLE_OPEN, {"mailing": mailing, "late": _LATE, "parked": PARKED})[0][0])


class Recipient(NamedTuple):
    """Somebody who would get a copy: address, who that is, and the list it comes by (None: by a role)."""

    address: int
    email: str
    name: str
    through: int | None


_PAGE = """
SELECT (SELECT max(address_id) FROM audience), p.address_id, b.email, coalesce(nullif(o.name, ''), b.name, ''), p.through
  FROM (SELECT 1) one LEFT JOIN people p ON p.why = 0 LEFT JOIN address b ON b.id = p.address_id LEFT JOIN person o ON o.id = b.person_id ORDER BY 2
"""


def recipients(moment: datetime, reach: Reach, *, after: int, limit: int) -> tuple[int | None, list[Recipient]]:
    """Who of the next ``limit`` addresses beyond the id ``after`` would get a copy, and the last one looked at, None when there are no more."""
    rows = run(_said(reach, "") + _PAGE, _values(0, after, moment, reach, limit, "", (), None))
    return rows[0][0] if rows else None, [Recipient(*row[1:]) for row in rows if row[1] is not None]
