"""Memberships and where they come from. A membership is never deleted: it has a beginning and, later, an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection, models
from django.db.models import Q

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.standing import Standing
from colporteur.store import nesting
from colporteur.store.copies.running import array, run
from colporteur.store.lists import List
from colporteur.store.people import Address
from colporteur.store.privacy import Consent
from colporteur.store.sources import Source

HOST = models.Func(models.F("email"), models.Value("@"), models.Value(2), function="split_part", output_field=models.TextField(db_collation="C"))
"""Domain of a member's address, as its index has it."""


class Posting(models.TextChoices):
    """What becomes of a member's own messages."""

    LIST = ""  # as the list says
    FREE = "free"  # goes out without waiting
    MODERATED = "moderated"  # always waits
    NEVER = "never"  # is refused


class Membership(models.Model):
    """An address on a list, from ``since`` until ``until`` (null: still)."""

    list = models.ForeignKey(List, models.CASCADE, related_name="memberships", db_index=False)  # an index in no order would be preferred to that of the audience
    address = models.ForeignKey(Address, models.PROTECT, related_name="memberships", db_index=False)
    # Without a constraint: whoever writes it locks the source, and a lookup for each of 100,000 rows takes longer than to write them.
    source = models.ForeignKey(Source, models.SET_NULL, null=True, db_index=False, db_constraint=False)  # null: by hand
    delivery = models.TextField(choices=[(mode.value, mode.value) for mode in DeliveryMode], default=DeliveryMode.EACH.value)
    delivery_since = models.DateTimeField(null=True)  # null: from the beginning; the ways before are kept as ``FormerDelivery``
    paused = models.BooleanField(default=False)
    pause_from = models.DateTimeField(null=True)  # then it begins by itself
    pause_until = models.DateTimeField(null=True)  # then it ends by itself
    posting = models.TextField(choices=Posting.choices, default=Posting.LIST, db_default=Posting.LIST, blank=True)
    own_copy = models.BooleanField(null=True)  # of own messages; null: as the list says
    hidden = models.BooleanField(default=False, db_default=False)  # from the other members
    note = models.TextField(default="", db_default="", blank=True)  # of owners and moderators
    consent = models.ForeignKey(Consent, models.SET_NULL, null=True, related_name="memberships", db_index=False, db_constraint=False)  # how it began; written in the same transaction
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    left_by = models.TextField(default="", blank=True)  # "member", "owner", "source", "bounce": a member's own leaving survives imports
    # A page of a million members is read in order from one index. Kept true by the database (migrations members_sql, scale_sql); a statement
    # that adds many writes both itself (``store.people.NAMED``), as asking for each row anew takes longer than all the rest.
    email = models.TextField(db_default="", default="", editable=False, db_collation="C")
    called = models.TextField(db_default="", default="", editable=False, db_collation="C")  # folded name of person or address, else the address

    class Meta:
        db_table = "membership"
        constraints = [models.UniqueConstraint(fields=["list", "address"], condition=Q(until__isnull=True), name="membership_once")]
        indexes = [
            models.Index(fields=["list", "address", "since"], name="membership_audience"),
            models.Index(fields=["address"], name="membership_of_address"),
            models.Index(fields=["list", "email"], name="membership_by_email", condition=Q(until__isnull=True)),
            models.Index(fields=["list", "called", "email"], name="membership_by_name", condition=Q(until__isnull=True)),
            models.Index(models.F("list"), HOST, models.F("email"), name="membership_by_host", condition=Q(until__isnull=True)),
            # Not one index for both: few who read elsewhere would be looked for among a hundred thousand who are paused.
            models.Index(fields=["list", "email"], name="membership_paused", condition=Q(until__isnull=True, paused=True)),
            models.Index(fields=["list", "called", "email"], name="membership_paused_by_name", condition=Q(until__isnull=True, paused=True)),
            models.Index(fields=["list", "delivery", "email"], name="membership_otherwise", condition=Q(until__isnull=True) & ~Q(delivery="each")),
            models.Index(fields=["list", "delivery", "called", "email"], name="membership_otherwise_by_name", condition=Q(until__isnull=True) & ~Q(delivery="each")),
            models.Index(fields=["list", "delivery", "address"], name="membership_of_digest", condition=Q(until__isnull=True) & ~Q(delivery__in=["each", "none"])),
            models.Index(fields=["pause_from"], name="membership_pause_begins", condition=Q(pause_from__isnull=False)),
            models.Index(fields=["pause_until"], name="membership_pause_ends", condition=Q(pause_until__isnull=False)),
            models.Index(fields=["source"], name="membership_of_source", condition=Q(source__isnull=False)),
            models.Index(fields=["source", "email"], name="membership_by_source", condition=Q(until__isnull=True, source__isnull=False)),
        ]


class FormerDelivery(models.Model):
    """How a member received before, from ``since`` until ``until``: what was accepted then still comes that way. Written by the
    database when the delivery changes (migration digests_sql)."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="former_deliveries")
    list_id = models.BigIntegerField()
    delivery = models.TextField()
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        db_table = "former_delivery"
        indexes = [models.Index(fields=["list_id", "until"], name="former_delivery_of_list"), models.Index(fields=["until"], name="former_delivery_until")]


class Tally(models.Model):
    """How many members of a kind came (or, negative, went) in one statement; sums are the counts of now. Written by the database."""

    list_id = models.BigIntegerField()  # no foreign key: what the end of a list takes away is written here too
    source_id = models.BigIntegerField(null=True)
    paused = models.BooleanField()
    delivery = models.TextField()
    n = models.IntegerField()

    class Meta:
        db_table = "membership_tally"
        indexes = [models.Index(fields=["list_id"], name="membership_tally_of")]


class Counted(NamedTuple):
    """So many members of a list are alike."""

    source_id: int | None
    paused: bool
    delivery: str
    n: int


_ADD_UP = """
WITH gone AS (DELETE FROM membership_tally WHERE list_id = %(list)s RETURNING source_id, paused, delivery, n)
INSERT INTO membership_tally (list_id, source_id, paused, delivery, n)
SELECT %(list)s, source_id, paused, delivery, sum(n) FROM gone GROUP BY source_id, paused, delivery HAVING sum(n) <> 0
"""
_TALLIES = 100


def counted(list_: int) -> list[Counted]:
    """Members of a list by source, pause and delivery, without walking them."""
    rows = list(Tally.objects.filter(list_id=list_).values_list("source_id", "paused", "delivery", "n"))
    if len(rows) > _TALLIES:  # written one by one for a while: add up what is there
        with connection.cursor() as cursor:
            cursor.execute(_ADD_UP, {"list": list_})
    sums: dict[tuple[int | None, bool, str], int] = {}
    for source, paused, delivery, n in rows:
        sums[source, paused, delivery] = sums.get((source, paused, delivery), 0) + n
    return [Counted(*kind, n) for kind, n in sums.items() if n]


def totals(lists: Iterable[int]) -> dict[int, int]:
    """Members of each list that has any."""
    found = Tally.objects.filter(list_id__in=list(lists)).values_list("list_id").annotate(total=models.Sum("n"))
    return {list_: total for list_, total in found if total}


PROBED = 10_000
"""So many members of small lists are looked up one by one: in the largest list, and among the addresses in trouble."""

_REACHED = """
-- Members of lists whom a message reaches, each once and looked up by keys: a list of ten does not read every address in trouble.
SELECT DISTINCT m.address_id FROM unnest(%(lists)s::bigint[]) l (id)
 CROSS JOIN LATERAL (SELECT address_id FROM membership WHERE list_id = l.id AND until IS NULL AND delivery <> 'none' AND NOT paused OFFSET 0) m
 WHERE NOT EXISTS (SELECT 1 FROM standing s WHERE s.address_id = m.address_id AND s.state >= 2 OFFSET 0)
   AND NOT EXISTS (SELECT 1 FROM exclusion e WHERE e.list_id = %(of)s AND e.address_id = m.address_id OFFSET 0)
"""


def audience_count(list_: List) -> int:
    """How many would receive a post accepted now, at once or in a digest: each member, also of the lists inside it, once, without
    who reads elsewhere, paused, is left out or is not reached by mail."""
    lists = [list_.pk, *nesting.inside(list_.pk).paths]
    receiving = Membership.objects.filter(until__isnull=True, paused=False).exclude(delivery=DeliveryMode.NONE)
    counts: dict[int, int] = dict(Tally.objects.filter(list_id__in=lists, paused=False).exclude(delivery=DeliveryMode.NONE).values_list("list_id").annotate(total=models.Sum("n")))
    if sum(counts.values()) <= PROBED:
        return len(_reached(lists, list_))
    largest = max(lists, key=lambda one: counts.get(one, 0))
    troubled = Address.objects.filter(standing__state__gte=Standing.PAUSED.value).values("pk")
    excluded = Address.objects.filter(exclusions__list=list_).values("pk")
    others = [one for one in lists if one != largest and counts.get(one)]
    if sum(counts[one] for one in others) > PROBED:  # sets: each list is read once, whatever the planner knows of their sizes
        return receiving.filter(list__in=lists).values("address").difference(troubled, excluded).count()
    reached: int = counts.get(largest, 0) - receiving.filter(list=largest, address__in=troubled.union(excluded, all=True)).count()  # those not reached are few: read from their side
    if others:  # the largest is not read: who is on the others is looked up in it
        elsewhere = _reached(others, list_)
        reached += len(elsewhere) - receiving.filter(list=largest, address__in=elsewhere).count()
    return reached


def _reached(lists: Sequence[int], of: List) -> list[int]:
    return [row[0] for row in run(_REACHED, {"lists": array(lists), "of": of.pk})]
