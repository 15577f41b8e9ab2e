"""Sources of a list: what is set, how it goes, whom each names, and the set-based comparison with the list itself.

What a source answered is staged in a table of the transaction (``stage``); ``look`` counts what would change, ``apply_members``
and ``apply_roles`` change it. 100,000 who stay as they are cost one comparison and no write.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

from colporteur.domain.sources import Change, Entry, Feeds
from colporteur.store.lists import List
from colporteur.store.people import NAMED, Address
from colporteur.store.privacy import Consent
from colporteur.store.statements import execute


class Source(models.Model):
    """An outside origin of members. ``kind`` "manual" is the hand of an owner, the others are those of ``domain.sources``."""

    list = models.ForeignKey(List, models.CASCADE, related_name="sources")
    kind = models.TextField(default="manual")
    name = models.TextField(default="", blank=True)
    feeds = models.TextField(default=Feeds.MEMBER.value)
    url_sealed = models.TextField(default="", blank=True)
    secret_sealed = models.TextField(default="", blank=True)
    options = models.JSONField(default=dict)
    mapping = models.JSONField(default=dict)
    of = models.ForeignKey(List, models.SET_NULL, null=True, related_name="feeding")  # of kind list: the one whose members are taken
    every = models.IntegerField(default=3600)  # seconds
    refresh = models.BooleanField(default=False)  # asked again before each message is sent
    internal = models.BooleanField(default=False)  # may lie inside our network or on the server; administrators of the site only
    created = models.DateTimeField(auto_now_add=True)
    # Health.
    next_run = models.DateTimeField(null=True)
    running_until = models.DateTimeField(null=True)  # lease of the run at work
    run = models.BigIntegerField(default=0)  # number of the newest run: a late one changes nothing
    last_run = models.DateTimeField(null=True)  # begun
    last_good = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)  # in a row
    error = models.TextField(default="", blank=True)
    told_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)  # of the last good run: added, removed, unchanged, away, and lines refused
    waiting = models.JSONField(null=True)  # the change that waits for an owner
    approved = models.IntegerField(default=0)  # removals an owner agreed to

    class Meta:
        db_table = "source"
        indexes = [models.Index(fields=["next_run"], name="source_due", condition=~models.Q(kind="manual"))]

    def __str__(self) -> str:
        return self.name or f"{self.kind} {self.pk}"


class SourceEntry(models.Model):
    """Somebody a source named when it was last well, with what it tells of them. Written only while its source is locked, so the
    database need not look it up again for each row; a row whose address went says nothing and goes with the next run."""

    source = models.ForeignKey(Source, models.CASCADE, related_name="entries", db_index=False, db_constraint=False)
    address = models.ForeignKey(Address, models.CASCADE, related_name="+", db_constraint=False)
    attributes = models.JSONField(default=dict)

    class Meta:
        db_table = "source_entry"
        constraints = [models.UniqueConstraint(fields=["source", "address"], name="source_entry_once")]


SHOWN = 20
"""So many of those who would be added or removed are named."""

_STAGE = """
DROP TABLE IF EXISTS source_in;
CREATE TEMPORARY TABLE source_in (email text NOT NULL, name text NOT NULL, attributes jsonb NOT NULL) ON COMMIT DROP;
SET LOCAL enable_seqscan = on
"""

_OF_LIST = """
INSERT INTO source_in
SELECT address.email, address.name, coalesce(details.values, '{}') FROM membership JOIN address ON address.id = membership.address_id
  LEFT JOIN details ON details.list_id = membership.list_id AND details.address_id = membership.address_id
 WHERE membership.list_id = %(of)s AND membership.until IS NULL AND address.email <> ALL (%(own)s)
"""

# "away": the last membership ended by the member's or an owner's will, or because mail does not arrive.
_MATCH_MEMBERS = """
DROP TABLE IF EXISTS source_stage;
CREATE TEMPORARY TABLE source_stage ON COMMIT DROP AS
SELECT i.email, i.name, i.attributes, a.id AS address_id, m.id IS NOT NULL AS there,
       coalesce((SELECT p.left_by FROM membership p WHERE m.id IS NULL AND p.list_id = %(list)s AND p.address_id = a.id
                  ORDER BY p.until DESC, p.id DESC LIMIT 1), '') NOT IN ('', 'source') AS away
  FROM source_in i LEFT JOIN address a USING (email)
  LEFT JOIN membership m ON m.list_id = %(list)s AND m.address_id = a.id AND m.until IS NULL;
ANALYZE source_stage;
DROP TABLE IF EXISTS source_gone;
CREATE TEMPORARY TABLE source_gone ON COMMIT DROP AS
SELECT m.id, m.address_id, (SELECT min(e.source_id) FROM source_entry e JOIN source o ON o.id = e.source_id
                             WHERE e.address_id = m.address_id AND o.list_id = %(list)s AND o.id <> %(source)s AND o.feeds = 'member') AS other
  FROM membership m LEFT JOIN source_stage s ON s.address_id = m.address_id
 WHERE m.list_id = %(list)s AND m.source_id = %(source)s AND m.until IS NULL AND s.address_id IS NULL
"""

# Whoever the source named before and who has the role no more lost it by somebody's hand.
_MATCH_ROLES = """
DROP TABLE IF EXISTS source_stage;
CREATE TEMPORARY TABLE source_stage ON COMMIT DROP AS
SELECT i.email, i.name, i.attributes, a.id AS address_id, held.there, NOT held.there AND e.id IS NOT NULL AS away
  FROM source_in i LEFT JOIN address a USING (email)
  LEFT JOIN source_entry e ON e.source_id = %(source)s AND e.address_id = a.id
  CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT 1 FROM role r LEFT JOIN address h ON h.id = r.address_id WHERE r.list_id = %(list)s AND r.kind = %(feeds)s
       AND (r.address_id = a.id OR r.person_id = a.person_id OR h.person_id = a.person_id)) AS there) held;
ANALYZE source_stage;
DROP TABLE IF EXISTS source_gone;
CREATE TEMPORARY TABLE source_gone ON COMMIT DROP AS
SELECT r.id, r.address_id, (SELECT min(e.source_id) FROM source_entry e JOIN source o ON o.id = e.source_id
                             WHERE e.address_id = r.address_id AND o.list_id = %(list)s AND o.id <> %(source)s AND o.feeds = %(feeds)s) AS other
  FROM role r LEFT JOIN source_stage s ON s.address_id = r.address_id
 WHERE r.list_id = %(list)s AND r.source_id = %(source)s AND s.address_id IS NULL
"""

_COUNTS = """
SELECT count(*) FILTER (WHERE NOT there AND NOT away), count(*) FILTER (WHERE there), count(*) FILTER (WHERE NOT there AND away),
       (SELECT count(*) FROM source_gone WHERE other IS NULL)
  FROM source_stage
"""

_ADDRESSES = """
INSERT INTO address (email, name, created) SELECT email, name, %(now)s FROM source_stage WHERE address_id IS NULL ORDER BY email ON CONFLICT DO NOTHING;
UPDATE source_stage SET address_id = address.id FROM address WHERE source_stage.address_id IS NULL AND address.email = source_stage.email;
UPDATE address SET name = source_stage.name FROM source_stage WHERE address.id = source_stage.address_id AND address.name = '' AND source_stage.name <> ''
"""

_JOIN = f"""
INSERT INTO membership (list_id, address_id, source_id, consent_id, delivery, paused, since, left_by, email, called)
SELECT %(list)s, address_id, %(source)s, %(consent)s, %(delivery)s, false, %(now)s, '', a.email, a.called FROM source_stage JOIN ({NAMED}) a ON a.id = address_id WHERE NOT there AND NOT away ORDER BY address_id
ON CONFLICT DO NOTHING RETURNING address_id
"""

_END = """
UPDATE membership SET until = %(now)s, left_by = 'source' FROM source_gone WHERE membership.id = source_gone.id AND source_gone.other IS NULL AND membership.until IS NULL
RETURNING membership.address_id
"""

# To a source that is still there when it is written.
_HAND_ON = """UPDATE {table} SET source_id = (SELECT id FROM source WHERE id = source_gone.other FOR KEY SHARE) FROM source_gone
 WHERE {table}.id = source_gone.id AND source_gone.other IS NOT NULL"""

_GIVE = """
INSERT INTO role (list_id, kind, address_id, source_id, domain, created) SELECT %(list)s, %(feeds)s, address_id, %(source)s, '', %(now)s
  FROM source_stage WHERE NOT there AND NOT away ORDER BY address_id ON CONFLICT DO NOTHING RETURNING address_id
"""

_TAKE = "DELETE FROM role USING source_gone WHERE role.id = source_gone.id AND source_gone.other IS NULL RETURNING role.address_id"

_REMEMBER = """
DELETE FROM source_entry e WHERE e.source_id = %(source)s AND NOT EXISTS (SELECT 1 FROM source_stage s WHERE s.address_id = e.address_id);
UPDATE source_entry e SET attributes = s.attributes FROM source_stage s WHERE e.source_id = %(source)s AND s.address_id = e.address_id AND e.attributes <> s.attributes;
INSERT INTO source_entry (source_id, address_id, attributes)
SELECT %(source)s, s.address_id, s.attributes FROM source_stage s
 WHERE NOT EXISTS (SELECT 1 FROM source_entry e WHERE e.source_id = %(source)s AND e.address_id = s.address_id) ORDER BY s.address_id
"""


def stage(source: Source, entries: Iterable[Entry]) -> None:
    """Put those a source names beside the list, within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("COPY source_in (email, name, attributes) FROM STDIN") as copy:
            # Names and attributes are one line each without tabs; only the backslash has a meaning in COPY's text.
            rows = (f"{entry.email}\t{entry.name}\t{json.dumps(entry.attributes) if entry.attributes else '{}'}\n".replace("\\", "\\\\") for entry in entries)
            while some := "".join(itertools.islice(rows, 5_000)):
                copy.write(some)
        _match(cursor, source)


def stage_list(source: Source, of: int, own: Sequence[str]) -> int:
    """Put the members of another list beside this one; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute(_OF_LIST, {"of": of, "own": list(own)})
        staged = int(cursor.rowcount)
        _match(cursor, source)
    return staged


def _match(cursor: Any, source: Source) -> None:
    cursor.execute("ANALYZE source_in")
    cursor.execute(_MATCH_MEMBERS if source.feeds == Feeds.MEMBER else _MATCH_ROLES, {"list": source.list_id, "source": source.pk, "feeds": source.feeds})


def newcomers() -> list[str]:
    """Staged addresses that would be added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM source_stage WHERE NOT there AND NOT away")
        return [row[0] for row in cursor.fetchall()]


def leave_out(emails: Iterable[str]) -> None:
    """As if the source did not name them: nothing of them is kept."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM source_stage WHERE email = ANY(%s)", [sorted(emails)])


def fed(source: Source) -> int:
    """How many memberships or roles come from the source."""
    table, still = ("membership", " AND until IS NULL") if source.feeds == Feeds.MEMBER else ("role", "")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE list_id = %s AND source_id = %s{still}", [source.list_id, source.pk])
        return int(cursor.fetchone()[0])


def look(source: Source) -> Change:
    """What the staged answer would change."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        added, unchanged, away, removed = cursor.fetchone()
        some = []
        for which in ("source_stage WHERE NOT there AND NOT away", "source_gone JOIN address ON address.id = address_id WHERE other IS NULL", "source_stage WHERE NOT there AND away"):
            cursor.execute(f"SELECT email FROM {which} ORDER BY email LIMIT %s", [SHOWN])
            some.append([row[0] for row in cursor.fetchall()])
    return Change(added, removed, unchanged, away, fed(source), *some)


def apply_members(source: Source, now: datetime, delivery: str) -> tuple[list[int], list[int]]:
    """Make the staged change of members, with one entry in the consent ledger; the ids of the addresses that joined and that left.
    ``delivery``: how those receive who join."""
    values: dict[str, Any] = {"list": source.list_id, "source": source.pk, "now": now, "delivery": delivery}
    with connection.cursor() as cursor:
        cursor.execute(_ADDRESSES, values)
        joined: list[int] = []
        cursor.execute("SELECT EXISTS (SELECT FROM source_stage WHERE NOT there AND NOT away)")
        if cursor.fetchone()[0]:
            consent = Consent.objects.create(at=now, how="source", by=str(source), evidence=f"source {source.pk}, run {source.run}")
            cursor.execute(_JOIN, {**values, "consent": consent.pk})
            joined = [row[0] for row in cursor.fetchall()]
        cursor.execute(_HAND_ON.format(table="membership"))
        cursor.execute(_END, values)
        ended = [row[0] for row in cursor.fetchall()]
        cursor.execute(_REMEMBER, values)
    return joined, ended


_TOLD = """
SELECT s.email, s.attributes, d.values FROM source_stage s JOIN membership m ON m.list_id = %(list)s AND m.address_id = s.address_id AND m.until IS NULL
  LEFT JOIN details d ON d.list_id = m.list_id AND d.address_id = m.address_id WHERE s.attributes <> '{}'
"""


def told(source: Source) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What the staged answer tells of members, after it was applied: address, what the source says, what the list knows."""
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, {"list": source.list_id})
        while some := cursor.fetchmany(5_000):
            for email, said, known in some:
                yield email, json.loads(said), json.loads(known or "{}")


def apply_roles(source: Source, now: datetime) -> tuple[list[int], list[int]]:
    """Make the staged change of roles; the ids of the addresses that were given one and that lost it."""
    values: dict[str, Any] = {"list": source.list_id, "source": source.pk, "feeds": source.feeds, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_ADDRESSES, values)
        cursor.execute(_GIVE, values)
        given = [row[0] for row in cursor.fetchall()]
        cursor.execute(_HAND_ON.format(table="role"))
        cursor.execute(_TAKE)
        taken = [row[0] for row in cursor.fetchall()]
        cursor.execute(_REMEMBER, values)
    return given, taken


def let_go(source: Source, now: datetime, *, keep: bool) -> int:
    """What the source fed stays by hand (``keep``) or ends, before the source is removed; how many are concerned. Whoever another
    source names too stays with that one."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        _match(cursor, source)
        if source.feeds == Feeds.MEMBER:
            cursor.execute(_HAND_ON.format(table="membership"))
            statement = "UPDATE membership SET source_id = NULL FROM source_gone WHERE membership.id = source_gone.id AND source_gone.other IS NULL" if keep else _END
        else:
            cursor.execute(_HAND_ON.format(table="role"))
            statement = "UPDATE role SET source_id = NULL FROM source_gone WHERE role.id = source_gone.id AND source_gone.other IS NULL" if keep else _TAKE
        cursor.execute(statement, {"now": now})
        return int(cursor.rowcount)


_ASKED_FIRST = "SELECT last_run, running_until, last_good FROM source WHERE list_id = %s AND refresh AND kind <> 'manual'"


def asked_first(list_: int) -> list[tuple[datetime | None, datetime | None, datetime | None]]:
    """Last run, until when one is under way, and last good one of each source of a list that is asked before a message is sent."""
    return [(row[0], row[1], row[2]) for row in execute(_ASKED_FIRST, [list_]).fetchall()]


_DUE = """
-- Two questions, each of an index that holds what is due: one with "or" reads every source there is.
WITH due AS MATERIALIZED (
    SELECT id FROM source WHERE kind <> 'manual' AND next_run <= %(now)s
    UNION
    SELECT s.id FROM mailing m CROSS JOIN LATERAL (SELECT * FROM source WHERE list_id = m.list_id OFFSET 0) s
     WHERE NOT m.planned AND m.planned_to = 0 AND (m.post_id IS NOT NULL OR m.kind = 'campaign')
       AND s.kind <> 'manual' AND s.refresh AND (s.last_run IS NULL OR m.created > s.last_run)
)
SELECT s.id FROM due CROSS JOIN LATERAL (SELECT * FROM source WHERE id = due.id OFFSET 0) s
 WHERE (s.running_until IS NULL OR s.running_until < %(now)s) AND EXISTS (SELECT 1 FROM list l WHERE l.id = s.list_id AND l.state = 'active' OFFSET 0)
   AND NOT EXISTS (SELECT 1 FROM source o WHERE o.list_id = s.list_id AND o.running_until >= %(now)s OFFSET 0)
 ORDER BY s.next_run NULLS FIRST, s.id LIMIT 20
"""


def due(now: datetime) -> list[int]:
    """Sources to be asked now: their time has come, or a message waits for them. One of a list that none is asked of."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        return [row[0] for row in cursor.fetchall()]
