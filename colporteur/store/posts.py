"""Posts and the findings of their verdict."""

from __future__ import annotations

import builtins
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models

from colporteur.domain.posts import PostState
from colporteur.store.arrivals import Arrival, Blob
from colporteur.store.instances import Shape
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address, Person
from colporteur.store.statements import execute, together

STATES = [(state.value, state.value) for state in PostState]


class Post(models.Model):
    """An arrival addressed to a list, with its state."""

    list = models.ForeignKey(List, models.CASCADE, related_name="posts", db_index=False)  # indexes below begin with it
    arrival = models.ForeignKey(Arrival, models.PROTECT)
    through = models.ForeignKey("self", models.SET_NULL, null=True, related_name="passed_on")  # the outermost list's post that brought it to this inner list
    state = models.TextField(choices=STATES, default=PostState.RECEIVED.value)
    message_id = models.TextField(default="", blank=True)
    content_key = models.BinaryField()  # SHA-256 without trace headers: an exact duplicate has the same
    size = models.BigIntegerField()
    # Filled by judging; empty until then.
    subject = models.TextField(default="", blank=True)
    sender = models.TextField(default="", blank=True)  # address in From, normal form; empty when it cannot be read unambiguously
    sender_name = models.TextField(default="", blank=True)
    address = models.ForeignKey(Address, models.SET_NULL, null=True)  # the sender, when we know that address
    defects = models.JSONField(default=builtins.list)  # "list" is the field above
    received_at = models.DateTimeField()
    judged_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, models.SET_NULL, null=True)
    decided_by_address = models.TextField(default="", blank=True)
    decision_reason = models.TextField(default="", blank=True)  # the moderator's words to the author
    expires_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)  # why it is quarantined
    unkept_at = models.DateTimeField(null=True)  # the archive was full when it came: when its text goes
    unkept = models.BooleanField(default=False, db_default=False)  # it went

    class Meta:
        db_table = "post"
        indexes = [
            models.Index(fields=["list", "-id"], name="post_of_list"),
            models.Index(fields=["list", "-id"], name="post_accepted", condition=models.Q(state="accepted")),
            models.Index(fields=["list", "content_key"], name="post_duplicate"),
            models.Index(fields=["id"], name="post_to_judge", condition=models.Q(state="received")),
            models.Index(fields=["list", "expires_at"], name="post_held", condition=models.Q(state="held")),
            models.Index(fields=["unkept_at"], name="post_unkept", condition=models.Q(unkept_at__isnull=False)),
        ]


class Finding(models.Model):
    """One reason of a verdict: the sentence is ``reason`` translated, then filled with ``values``."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="findings")
    position = models.SmallIntegerField()
    rule = models.TextField()
    action = models.TextField()  # accept, hold, reject, discard, or "none" for a remark
    reason = models.TextField()  # English sentence with {names}
    values = models.JSONField(default=dict)
    evidence = models.TextField(default="", blank=True)

    class Meta:
        db_table = "finding"
        ordering = ["post", "position"]


_BOOK = """
-- New posts to judge, as many as fit, or one that failed before; an attempt is booked for each.
WITH due AS MATERIALIZED (
    SELECT id, size, attempts > 0 AS failed FROM post
     WHERE state = 'received' AND (next_try IS NULL OR next_try <= %s) ORDER BY attempts > 0, id LIMIT %s FOR UPDATE SKIP LOCKED
), fitting AS (
    SELECT id FROM (SELECT id, failed, sum(size) OVER turn AS total, row_number() OVER turn AS nth FROM due WINDOW turn AS (ORDER BY failed, id)) d
     WHERE nth = 1 OR NOT failed AND total <= %s
)
UPDATE post p SET attempts = p.attempts + 1, next_try = %s WHERE p.id = ANY (ARRAY(SELECT id FROM fitting)) RETURNING p.id
"""


_WHOLE = Shape(Post, "p", list=Shape(List, "l", organisation=Shape(Organisation, "o"), domain=Shape(Domain, "d")), arrival=Shape(Arrival, "a", blob=Shape(Blob, "b")))
_READ = f"""
SELECT {_WHOLE.columns} FROM post p JOIN list l ON l.id = p.list_id JOIN organisation o ON o.id = l.organisation_id LEFT JOIN domain d ON d.id = l.domain_id
  JOIN arrival a ON a.id = p.arrival_id JOIN blob b ON b.sha256 = a.blob_id WHERE p.id = ANY (%s::bigint[]) ORDER BY p.id
"""


def book(now: datetime, again: datetime, *, posts: int, size: int) -> list[Post]:
    """Book an attempt for received posts that are due, at most so many of so many bytes together, or for one that failed before; these
    with their lists and bytes. ``again``: when somebody else looks at them unless they were judged."""
    ids = [row[0] for row in execute(_BOOK, [now, posts, size, again]).fetchall()]
    return _WHOLE.read(_READ, [ids]) if ids else []


_JUDGED = """
-- A verdict and its findings, written once: nothing when somebody else was first.
WITH judged AS (
    UPDATE post SET state = %(state)s, attempts = 0, subject = %(subject)s, sender = %(sender)s, sender_name = %(sender_name)s, defects = %(defects)s::jsonb, address_id = %(address)s,
           judged_at = %(now)s, expires_at = %(expires)s, next_try = NULL, error = '', unkept_at = %(unkept)s
     WHERE id = %(post)s AND state = 'received' RETURNING id
), before AS (
    DELETE FROM finding WHERE post_id = %(post)s AND EXISTS (SELECT 1 FROM judged)
), findings AS (
    INSERT INTO finding (post_id, position, rule, action, reason, "values", evidence)
    SELECT j.id, f.nth - 1, f.rule, f.action, f.reason, f.named::jsonb, f.evidence
      FROM judged j, unnest(%(rules)s::text[], %(actions)s::text[], %(reasons)s::text[], %(named)s::text[], %(evidence)s::text[]) WITH ORDINALITY AS f (rule, action, reason, named, evidence, nth)
)
SELECT count(*) FROM judged
"""


def judged(post: Post, findings: Sequence[Finding], now: datetime) -> bool:
    """Write what judging made of a received post, and the findings that say why; False when somebody else was first."""
    columns = [[one.rule for one in findings], [one.action for one in findings], [one.reason for one in findings], [json.dumps(one.values) for one in findings], [one.evidence for one in findings]]
    values = {
        "post": post.pk, "state": post.state, "subject": post.subject, "sender": post.sender, "sender_name": post.sender_name, "defects": json.dumps(post.defects), "address": post.address_id,
        "now": now, "expires": post.expires_at, "unkept": post.unkept_at, **dict(zip(("rules", "actions", "reasons", "named", "evidence"), columns, strict=True)),
    }  # fmt: skip
    return bool(execute(_JUDGED, values).fetchall()[0][0])


Identity = tuple[int, str, bytes]
"""(list, Message-ID, content key): what makes two posts the same message."""
DUPLICATE_DAYS = 7
_DUPLICATES = (
    "SELECT list_id, message_id, content_key, min(id) FROM post JOIN unnest(%s::bigint[], %s::text[], %s::bytea[]) AS new (l, m, k)"
    " ON list_id = l AND content_key = k AND message_id = m WHERE received_at > %s AND state NOT IN ('rejected', 'expired') GROUP BY 1, 2, 3"
)
_DATE = re.compile(rb"^date[ \t]*:", re.IGNORECASE | re.MULTILINE)


def dated(raw: bytes) -> bool:
    """Whether the header has a Date."""
    head = raw[: 256 * 1024]
    end = re.search(rb"\r?\n\r?\n", head)
    return _DATE.search(head, 0, end.start() if end else len(head)) is not None


def duplicates(identities: Sequence[Identity], now: datetime) -> dict[Identity, int]:
    """The posts that are there already, by identity, oldest first; until the end of the transaction nobody else can
    add one of these. Rejected and expired posts do not count: their authors may send again."""
    if not identities:
        return {}
    locks = sorted({int.from_bytes(hashlib.sha256(repr(identity).encode()).digest()[:8], "big", signed=True) for identity in identities})
    since = now - timedelta(days=DUPLICATE_DAYS)
    with together():
        execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [locks])
        found = execute(_DUPLICATES, [*(list(column) for column in zip(*identities, strict=True)), since]).fetchall()
    return {(list_, message_id, bytes(content_key)): post for list_, message_id, content_key, post in found}
