"""Questions about newsletters that were sent: who got them, why others did not, how a list grew. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from colporteur.store.copies.running import array, run

# A copy that was accepted may come back later: what says so has a severity, and is neither a complaint nor an automatic reply.
_BACK = "e.kind IN ('dead', 'mailbox_state', 'ours', 'unknown', 'temporary') AND e.severity <> 'none'"
_BACK_OF = f"SELECT DISTINCT e.mailing_id, e.address_id FROM delivery_event e WHERE e.mailing_id = ANY (%(mailings)s::bigint[]) AND {_BACK}"


class Fates(NamedTuple):
    """People a newsletter was for, each once, by what became of it: ``received`` and not come back, ``failed``, ``waiting``; the rest got none."""

    total: int = 0
    received: int = 0
    failed: int = 0
    waiting: int = 0


_OF_ONE = f"""
WITH s AS (SELECT coalesce(sum(size), 0)::int AS total, coalesce(sum(sent), 0)::int AS sent, coalesce(sum(failed), 0)::int AS failed, coalesce(sum(size - sent - failed - cancelled), 0)::int AS waiting
             FROM slice WHERE mailing_id = ANY (%(mailings)s::bigint[])),
     b AS (SELECT count(*)::int AS n FROM ({_BACK_OF}) e JOIN copy c USING (mailing_id, address_id) WHERE c.state = 2)
SELECT s.total, s.sent - b.n, s.failed + b.n, s.waiting FROM s, b
"""
_OF_SEVERAL = f"""
SELECT count(*)::int, count(*) FILTER (WHERE got)::int, count(*) FILTER (WHERE NOT got AND lost AND NOT waits)::int, count(*) FILTER (WHERE NOT got AND waits)::int
  FROM (SELECT c.address_id, bool_or(c.state = 2 AND e.address_id IS NULL) AS got, bool_or(c.state = 3 OR e.address_id IS NOT NULL) AS lost, bool_or(c.state IN (0, 1)) AS waits
          FROM copy c LEFT JOIN ({_BACK_OF}) e USING (mailing_id, address_id) WHERE c.mailing_id = ANY (%(mailings)s::bigint[]) GROUP BY c.address_id) one
"""
_CAUSES = f"""
-- The last reason known of everybody who did not get it; '' where a server said nothing we keep.
SELECT reason, count(*)::int FROM (
    SELECT f.address_id, coalesce((SELECT e.reason FROM delivery_event e WHERE e.mailing_id = ANY (%(mailings)s::bigint[]) AND e.address_id = f.address_id AND {_BACK} ORDER BY e.at DESC LIMIT 1), '') AS reason
      FROM (SELECT c.address_id FROM copy_row c WHERE c.mailing_id = ANY (%(mailings)s::bigint[]) AND c.state = 3 UNION SELECT address_id FROM ({_BACK_OF}) b) f
     WHERE NOT EXISTS (SELECT 1 FROM copy c WHERE c.mailing_id = ANY (%(mailings)s::bigint[]) AND c.address_id = f.address_id AND c.state = 2
                          AND NOT EXISTS (SELECT 1 FROM delivery_event e WHERE e.mailing_id = c.mailing_id AND e.address_id = c.address_id AND {_BACK}))
) one GROUP BY reason ORDER BY 2 DESC, 1
"""
_DESTINATIONS = f"""
SELECT domain, count(*)::int, count(*) FILTER (WHERE got)::int, count(*) FILTER (WHERE NOT got AND lost)::int
  FROM (SELECT split_part(a.email, '@', 2) AS domain, bool_or(c.state = 2 AND e.address_id IS NULL) AS got, bool_or(c.state = 3 OR e.address_id IS NOT NULL) AS lost
          FROM copy c JOIN address a ON a.id = c.address_id LEFT JOIN ({_BACK_OF}) e USING (mailing_id, address_id)
         WHERE c.mailing_id = ANY (%(mailings)s::bigint[]) GROUP BY a.id) one
 GROUP BY domain ORDER BY 2 DESC, 1
"""
_COMPLAINTS = "SELECT count(DISTINCT address_id)::int FROM delivery_event WHERE mailing_id = ANY (%(mailings)s::bigint[]) AND kind = 'complaint'"
_BACK_EACH = f"SELECT e.mailing_id, count(*)::int FROM ({_BACK_OF}) e JOIN copy c USING (mailing_id, address_id) WHERE c.state = 2 GROUP BY 1"
_GROWTH = """
-- How many more came than went before each moment, and since the moment before; one reading of the list's memberships.
WITH m AS (SELECT since, until FROM membership WHERE list_id = %(list)s)
SELECT place, sum(n)::int FROM (
    SELECT width_bucket(since, %(moments)s::timestamptz[]) AS place, count(*) AS n FROM m GROUP BY 1
    UNION ALL SELECT width_bucket(until, %(moments)s::timestamptz[]), -count(*) FROM m WHERE until IS NOT NULL GROUP BY 1) moved
 GROUP BY place
"""


def fates(mailings: Sequence[int]) -> Fates:
    """What became of it for everybody. From totals when there is one mailing; several are compared person by person."""
    found = run(_OF_ONE if len(mailings) < 2 else _OF_SEVERAL, {"mailings": array(mailings)})
    return Fates(*found[0])


def causes(mailings: Sequence[int]) -> list[tuple[str, int]]:
    """How many did not get it for which reason (``domain.bounces.REASONS``), the most frequent first."""
    return [(row[0], row[1]) for row in run(_CAUSES, {"mailings": array(mailings)})]


def destinations(mailings: Sequence[int]) -> list[tuple[str, int, int, int]]:
    """(domain, people, received, failed), the largest first. Reads every copy."""
    return [(row[0], row[1], row[2], row[3]) for row in run(_DESTINATIONS, {"mailings": array(mailings)})]


def complaints(mailings: Sequence[int]) -> int:
    """People who reported it as spam."""
    return int(run(_COMPLAINTS, {"mailings": array(mailings)})[0][0])


def came_back(mailings: Sequence[int]) -> dict[int, int]:
    """Copies of each mailing that were accepted and came back."""
    return {row[0]: row[1] for row in run(_BACK_EACH, {"mailings": array(mailings)})}


def growth(list_: int, moments: Sequence[datetime]) -> list[tuple[datetime, int]]:
    """Members of a list just before some moments, given in order."""
    moved: dict[int, int] = {row[0]: row[1] for row in run(_GROWTH, {"list": list_, "moments": list(moments)})}
    return list(zip(moments, accumulate(moved.get(place, 0) for place in range(len(moments))), strict=True))


_HITS = "SELECT campaign_id, what, who, sum(n)::int FROM campaign_hits WHERE campaign_id = ANY (%(campaigns)s::bigint[]) GROUP BY 1, 2, 3"


def hits_of(campaigns: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """(campaign, what, who, how often) of several campaigns."""
    return [(row[0], row[1], row[2], row[3]) for row in run(_HITS, {"campaigns": array(campaigns)})]
