"""Posts and the findings of their verdict."""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import models

from colporteur.domain.posts import PostState
from colporteur.store.arrivals import Arrival
from colporteur.store.lists import List
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


def book(now: datetime, again: datetime, *, posts: int, size: int) -> list[int]:
    """Book an attempt for received posts that are due, at most so many of so many bytes together, or for one that failed before; their
    ids. ``again``: when somebody else looks at them unless they were judged."""
    return sorted(row[0] for row in execute(_BOOK, [now, posts, size, again]).fetchall())


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
