"""From ``im_<thing>`` into our own tables, set by set: people, oppositions, memberships, copies. Nothing here sends anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from colporteur.store import privacy
from colporteur.store.copies.running import SLICE
from colporteur.store.imports import OF_OTHERS
from colporteur.store.people import NAMED

BATCH = 10_000
OPPOSED = "whoever has this address does not want to be added"

_BEFORE = """
UPDATE im_person p SET before = true FROM imported i
 WHERE i.source = %(source)s AND i.kind = CASE WHEN p.opposed THEN 'opposition' ELSE 'person' END AND i.external = p.tbl || ' ' || p.ext AND p.why IS NULL
"""
_OPPOSE = "SELECT coalesce(md5, md5(email)) FROM im_person WHERE opposed AND why IS NULL AND NOT before AND (md5 IS NOT NULL OR email IS NOT NULL) ORDER BY 1"
_END = """
-- Who left over there since the last import leaves the lists they came to by an import, and no others.
UPDATE membership m SET until = %(now)s, left_by = 'member' FROM im_person p, address a, consent c
 WHERE p.opposed AND p.why IS NULL AND NOT p.before AND a.email = p.email AND m.address_id = a.id AND m.until IS NULL AND c.id = m.consent_id AND c.how = 'import'
   AND m.list_id IN (SELECT list_id FROM im_list)
RETURNING m.list_id
"""
_NOT_WANTED = f"UPDATE im_person p SET why = '{OPPOSED}' FROM im_opposed o WHERE o.email = p.email AND p.why IS NULL AND NOT p.opposed"
_ADDRESSES = """
INSERT INTO address (email, name, created)
SELECT email, coalesce(max(name), ''), %(now)s FROM im_person p WHERE why IS NULL AND NOT opposed GROUP BY email ORDER BY email
ON CONFLICT (email) DO UPDATE SET name = excluded.name WHERE address.name = '' AND excluded.name <> ''
"""
_FIND = "UPDATE im_person p SET address_id = a.id FROM address a WHERE a.email = p.email AND p.why IS NULL AND NOT p.opposed"
_NEW_PEOPLE = "SELECT count(DISTINCT email) FROM im_person p WHERE why IS NULL AND NOT opposed AND NOT before"
_REMEMBER = """
INSERT INTO imported (source, kind, external, ours)
SELECT %(source)s, CASE WHEN opposed THEN 'opposition' ELSE 'person' END, tbl || ' ' || ext, coalesce(address_id, 0) FROM im_person WHERE why IS NULL AND NOT before AND ext IS NOT NULL
 UNION SELECT %(source)s, 'token', tbl || ' ' || token, min(address_id) FROM im_person WHERE why IS NULL AND NOT opposed AND token <> '' GROUP BY 3
ON CONFLICT DO NOTHING
"""
_MEMBER_WHY = (
    """UPDATE im_member m SET why = 'the same subscription twice' FROM (SELECT ctid AS at, row_number() OVER (PARTITION BY list_ext, email ORDER BY array_position(ARRAY['left', 'member', 'pending'], state), nr) AS nth FROM im_member WHERE why IS NULL) o
        WHERE m.ctid = o.at AND o.nth > 1""",
    """UPDATE im_member m SET why = 'imported before, or on the list here already, or left it here' FROM im_list l, address a
        WHERE m.why IS NULL AND l.ext = m.list_ext AND a.email = m.email AND (EXISTS (SELECT 1 FROM membership o WHERE o.list_id = l.list_id AND o.address_id = a.id)
           OR m.state = 'pending' AND EXISTS (SELECT 1 FROM join_request o WHERE o.list_id = l.list_id AND o.address_id = a.id))""",
    """UPDATE im_member m SET why = 'an address of the list itself' FROM im_list l, list o WHERE m.why IS NULL AND l.ext = m.list_ext AND o.id = l.list_id AND m.email = o.address""",
)
_CONSENTS = (
    """UPDATE im_person p SET consent_id = nextval(pg_get_serial_sequence('consent', 'id')) WHERE p.why IS NULL AND NOT p.opposed
        AND EXISTS (SELECT 1 FROM im_member m WHERE m.email = p.email AND m.why IS NULL AND m.state <> 'pending')""",
    """INSERT INTO consent (id, at, how, by, wording, client, evidence)
       SELECT consent_id, coalesce(least(at AT TIME ZONE %(zone)s, %(now)s), %(now)s), 'import', %(by)s, '', '',
              CASE WHEN coalesce(consent, '') = '' THEN tbl || ' ' || ext ELSE left(consent, 20000) || E'\\nSHA-256 ' || encode(sha256(convert_to(consent, 'UTF8')), 'hex') END
         FROM im_person WHERE consent_id IS NOT NULL""",
)
_MEMBERS = f"""
INSERT INTO membership (list_id, address_id, source_id, consent_id, delivery, paused, since, until, left_by, email, called)
SELECT l.list_id, a.id, NULL, p.consent_id, 'each', false, t.since, CASE WHEN m.state = 'left' THEN greatest(t.since, coalesce(least(m.until AT TIME ZONE %(zone)s, %(now)s), t.since)) END,
       CASE WHEN m.state = 'left' THEN 'member' ELSE '' END, a.email, a.called
  FROM im_member m JOIN im_list l ON l.ext = m.list_ext JOIN ({NAMED}) a ON a.email = m.email
  JOIN (SELECT DISTINCT ON (email) email, consent_id FROM im_person WHERE consent_id IS NOT NULL ORDER BY email, nr) p ON p.email = m.email
 CROSS JOIN LATERAL (SELECT coalesce(least(m.since AT TIME ZONE %(zone)s, %(now)s), %(now)s) AS since) t
 WHERE m.why IS NULL AND m.state <> 'pending' ORDER BY l.list_id, a.id
"""
_MADE = "SELECT l.list_id, count(*) FILTER (WHERE m.state = 'member'), count(*) FROM im_member m JOIN im_list l ON l.ext = m.list_ext WHERE m.why IS NULL AND m.state <> 'pending' GROUP BY 1"
_PENDING = """
INSERT INTO join_request (list_id, address_id, name, state, door, asked_at, decided_by, reason)
SELECT l.list_id, a.id, left(a.name, 100), 'asked', 'import', coalesce(least(m.since AT TIME ZONE %(zone)s, %(now)s), %(now)s), '', ''
  FROM im_member m JOIN im_list l ON l.ext = m.list_ext JOIN address a ON a.email = m.email WHERE m.why IS NULL AND m.state = 'pending' ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
_KEYS = """
SELECT DISTINCT l.list_id, k FROM im_member m JOIN im_list l ON l.ext = m.list_ext JOIN im_person p ON p.email = m.email AND p.why IS NULL, jsonb_object_keys(p.extra) k
 WHERE m.why IS NULL AND m.state <> 'pending' AND jsonb_typeof(p.extra) = 'object' ORDER BY 1, 2
"""
_DETAILS = """
INSERT INTO details (list_id, address_id, values)
SELECT DISTINCT ON (l.list_id, p.address_id) l.list_id, p.address_id, x.kept
  FROM im_member m JOIN im_list l ON l.ext = m.list_ext JOIN im_person p ON p.email = m.email AND p.why IS NULL AND NOT p.opposed
 CROSS JOIN LATERAL (SELECT jsonb_object_agg(b.key, left(e.value, 500)) AS kept FROM jsonb_each_text(p.extra) e JOIN attribute b ON b.list_id = l.list_id AND b.key = e.key AND b.kind = 'text') x
 WHERE m.why IS NULL AND m.state <> 'pending' AND jsonb_typeof(p.extra) = 'object' AND x.kept IS NOT NULL ORDER BY l.list_id, p.address_id, p.nr
ON CONFLICT DO NOTHING
"""
_COPY_WHY = (
    f"UPDATE im_copy c SET why = '{OPPOSED}: counted in the totals' FROM im_opposed o WHERE o.email = c.email AND c.why IS NULL",
    """UPDATE im_copy c SET why = 'the same address twice in one sending' FROM (
         SELECT ctid AS at FROM (SELECT ctid, row_number() OVER (PARTITION BY mailing, email ORDER BY state, nr) AS nth FROM im_copy WHERE why IS NULL) n WHERE nth > 1) o WHERE c.ctid = o.at""",
)
_COPY_ADDRESSES = """
INSERT INTO address (email, name, created) SELECT DISTINCT c.email, '', %(now)s::timestamptz FROM im_copy c
 WHERE c.why IS NULL AND NOT EXISTS (SELECT 1 FROM address a WHERE a.email = c.email) ORDER BY 1 ON CONFLICT DO NOTHING
"""
_COPIES = f"""
INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code)
SELECT c.mailing, a.id, (row_number() OVER (PARTITION BY c.mailing ORDER BY a.id) - 1) / {SLICE}, c.state, c.attempts, 0 FROM im_copy c JOIN address a ON a.email = c.email WHERE c.why IS NULL ORDER BY 1, 2
"""
_REFUSALS = """
INSERT INTO refusal (mailing_id, address_id, at, code, text)
SELECT c.mailing, a.id, coalesce(least(c.at AT TIME ZONE %(zone)s, %(now)s), %(now)s), 0, 'failed before it was imported; the reason was not kept' FROM im_copy c JOIN address a ON a.email = c.email WHERE c.why IS NULL AND c.state = 3
"""
_SLICES = """
INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open)
SELECT mailing_id, slice, NULL, true, %(priority)s, 0, count(*), count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3), 0, count(*) FILTER (WHERE state = 4), NULL
  FROM copy_row WHERE mailing_id = ANY (%(mailings)s::bigint[]) GROUP BY mailing_id, slice
"""
_REST = """
-- Copies whose recipients are not known any more: they count in the totals.
INSERT INTO slice (mailing_id, number, transport_id, done, priority, generation, size, sent, failed, deferred, cancelled, open)
SELECT id, first, NULL, true, %(priority)s, 0, sent + failed + cancelled, sent, failed, 0, cancelled, NULL FROM (
  SELECT t.id, coalesce(s.n, 0) AS first, greatest(0, t.sent - coalesce(s.sent, 0)) AS sent, greatest(0, t.failed - coalesce(s.failed, 0)) AS failed, greatest(0, t.cancelled - coalesce(s.cancelled, 0)) AS cancelled
    FROM unnest(%(mailings)s::bigint[], %(sent)s::int[], %(failed)s::int[], %(cancelled)s::int[]) AS t (id, sent, failed, cancelled)
    LEFT JOIN (SELECT mailing_id, max(number) + 1 AS n, sum(sent)::int AS sent, sum(failed)::int AS failed, sum(cancelled)::int AS cancelled FROM slice WHERE mailing_id = ANY (%(mailings)s::bigint[]) GROUP BY 1) s ON s.mailing_id = t.id) r
 WHERE sent + failed + cancelled > 0
"""


def do(statement: str, values: dict[str, Any] | None = None) -> int:
    """Run one statement; how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def rows(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """All rows of a question."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def stream(statement: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a question that are large, some at a time; within a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while some := cursor.fetchmany(20):
            yield from some


def oppose(source: str, now: datetime) -> tuple[int, list[int]]:
    """Who left over there is kept as a hash, and leaves what an earlier import brought them to; (how many, the lists they left)."""
    do(_BEFORE, {"source": source})
    made = 0
    for some in _pieces(_OPPOSE):
        made += privacy.oppose_md5(some, "imported", now)
    return made, [row[0] for row in rows(_END, {"now": now})]


def leave_out_opposed(table: str) -> None:
    """Write down which addresses of ``im_person`` or ``im_copy`` nobody may add."""
    for some in _pieces(f"SELECT DISTINCT email FROM {table} WHERE why IS NULL AND email IS NOT NULL"):
        found = sorted(privacy.opposed(some))
        do("INSERT INTO im_opposed SELECT unnest(%(found)s::text[]) ON CONFLICT DO NOTHING", {"found": found})
    do("ANALYZE im_opposed")
    if table == "im_person":
        do(_NOT_WANTED)


def people(source: str, now: datetime) -> int:
    """Addresses of those who are taken; how many were not imported before."""
    do(_ADDRESSES, {"now": now})
    do(_FIND)
    number = int(rows(_NEW_PEOPLE)[0][0])
    do(_REMEMBER, {"source": source})
    do("ANALYZE im_person")
    return number


def members(source: str, now: datetime) -> tuple[list[tuple[int, int, int]], int]:
    """Memberships and requests that wait; (of each list: members, memberships with those that ended; how many wait)."""
    values = {"now": now, "zone": settings.TIME_ZONE, "by": f"{OF_OTHERS} {source}"}
    do("ANALYZE im_member")
    for statement in _MEMBER_WHY:
        do(statement)
    do(_CONSENTS[0])
    do(_CONSENTS[1], values)
    do(_MEMBERS, values)
    return [(row[0], row[1], row[2]) for row in rows(_MADE)], do(_PENDING, values)


def attribute_keys() -> list[tuple[int, str]]:
    """(list, column) of everything known of those who became members."""
    return [(row[0], row[1]) for row in rows(_KEYS)]


def details() -> int:
    """What is known of the new members, as far as their lists have attributes for it."""
    return do(_DETAILS)


def copies(totals: dict[int, tuple[int, int, int]], priority: int, now: datetime) -> int:
    """Copies of the imported mailings, every one in a state that ends it; how many. ``totals``: sent, failed and cancelled of each mailing."""
    do("ANALYZE im_copy")
    leave_out_opposed("im_copy")
    for statement in _COPY_WHY:
        do(statement)
    values: dict[str, Any] = {"now": now, "zone": settings.TIME_ZONE, "priority": priority, "mailings": list(totals)}
    do(_COPY_ADDRESSES, values)
    made = do(_COPIES)
    do(_REFUSALS, values)
    do(_SLICES, values)
    sent, failed, cancelled = (list(column) for column in zip(*totals.values(), strict=True)) if totals else ([], [], [])
    do(_REST, {**values, "sent": sent, "failed": failed, "cancelled": cancelled})
    return made


def _pieces(question: str) -> Iterator[list[str]]:
    """The one column of a question, some values at a time, without keeping them all."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE im_asked AS SELECT row_number() OVER () AS n, one FROM ({question}) q (one)")
        cursor.execute("CREATE INDEX ON im_asked (n)")
        after = 0
        while True:
            cursor.execute("SELECT one FROM im_asked WHERE n > %s AND n <= %s ORDER BY n", [after, after + BATCH])
            found = [row[0] for row in cursor.fetchall()]
            if not found:
                break
            yield found
            after += BATCH
        cursor.execute("DROP TABLE im_asked")
