"""Digests: the messages that wait for one, the numbers given, what each one holds, and who reads which messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import models

from colporteur.domain.digests import Cadence, DeliveryMode
from colporteur.store.copies.running import array, run
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from colporteur.store.statements import execute

CADENCES = [(cadence.value, cadence.value) for cadence in Cadence]


class DigestSeries(models.Model):
    """The digests of a list that come so often: the last number, and up to which moment of the timetable they were made."""

    list = models.ForeignKey(List, models.CASCADE, related_name="digest_series", db_index=False)
    cadence = models.TextField(choices=CADENCES)
    volume = models.IntegerField(default=0)  # 0: none yet
    issue = models.IntegerField(default=0)
    year = models.IntegerField(default=0)
    upto = models.DateTimeField(null=True)  # the moment of the timetable the last regular one was made for
    looked_at = models.DateTimeField(null=True)  # null: at once
    error = models.TextField(default="", blank=True)  # why the last one could not be made

    class Meta:
        db_table = "digest_series"
        constraints = [models.UniqueConstraint(fields=["list", "cadence"], name="digest_series_once")]
        indexes = [models.Index(models.F("looked_at").asc(nulls_first=True), name="digest_series_to_look")]


class DigestWaiting(models.Model):
    """A message that goes into the next digest. Taken away by the transaction that makes the digest: never in two, never in none."""

    list = models.ForeignKey(List, models.CASCADE, related_name="+", db_index=False)
    cadence = models.TextField(choices=CADENCES)
    post = models.ForeignKey(Post, models.CASCADE, related_name="+")
    moment = models.DateTimeField()  # of acceptance: who received digests then finds it there
    size = models.BigIntegerField()  # what it adds

    class Meta:
        db_table = "digest_waiting"
        constraints = [models.UniqueConstraint(fields=["list", "cadence", "post"], name="digest_waiting_once")]


class DigestEntry(models.Model):
    """A message of a digest, for its page."""

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="digest_entries", db_index=False)
    post = models.ForeignKey(Post, models.CASCADE, related_name="+")
    position = models.IntegerField()  # from 1

    class Meta:
        db_table = "digest_entry"
        constraints = [models.UniqueConstraint(fields=["mailing", "position"], name="digest_entry_once")]


_READ_BY = """
SELECT delivery FROM membership_tally WHERE list_id = ANY (%s::bigint[]) AND delivery NOT IN ('each', 'none') GROUP BY delivery HAVING sum(n) <> 0
UNION
SELECT delivery FROM former_delivery WHERE list_id = ANY (%s::bigint[]) AND until > %s AND delivery NOT IN ('each', 'none')
"""


def read_by(lists: Sequence[int], moment: datetime) -> set[DeliveryMode]:
    """By which ways but message by message somebody on one of the lists receives, or did at that moment."""
    return {DeliveryMode(row[0]) for row in execute(_READ_BY, [list(lists), list(lists), moment]).fetchall()}


class Group(NamedTuple):
    """Readers of the same messages of a digest: from the one numbered ``first`` to ``last``, from 0."""

    first: int
    last: int


_GROUPS = """
-- Which runs of these messages somebody reads: by when each reader began to receive so, and when it ended.
SELECT DISTINCT first, last FROM (
    SELECT width_bucket(s.since - interval '1 microsecond', p.moments) AS first, width_bucket(s.until - interval '1 microsecond', p.moments) - 1 AS last
      FROM (SELECT %(moments)s::timestamptz[] AS moments) p
     CROSS JOIN LATERAL (
        SELECT coalesce(m.delivery_since, m.since) AS since, 'infinity'::timestamptz AS until
          FROM membership m WHERE m.list_id = ANY (%(lists)s::bigint[]) AND m.delivery = '{mode}' AND m.until IS NULL AND NOT m.paused
        UNION ALL
        SELECT f.since, f.until
          FROM former_delivery f JOIN membership m ON m.id = f.membership_id
         WHERE f.list_id = ANY (%(lists)s::bigint[]) AND f.delivery = '{mode}' AND f.until > p.moments[1] AND m.until IS NULL AND m.delivery <> 'none' AND NOT m.paused) s
) g WHERE first <= last ORDER BY first, last
"""


def groups(lists: Sequence[int], mode: DeliveryMode, moments: Sequence[datetime]) -> list[Group]:
    """The runs of messages (their moments in order) that readers of one mode have to find in a digest; none when nobody reads."""
    return [Group(*row) for row in run(_GROUPS.replace("{mode}", mode.value), {"lists": array(lists), "moments": list(moments)})]
