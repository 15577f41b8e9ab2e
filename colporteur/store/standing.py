"""Standing of addresses and what was learnt about copies after they were made.

Events are kept as they came, each once; the standing is made from them (``domain.standing``). An address without a row is good.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from colporteur.domain.bounces import Event, Kind
from colporteur.domain.standing import Standing
from colporteur.store.copies.running import array, run
from colporteur.store.instances import Shape
from colporteur.store.memberships import PROBED, Membership, totals
from colporteur.store.people import Address

COUNTING = tuple(kind.value for kind in Kind if kind.counts)
"""Kinds of events that may count against an address."""
FAILING = (*COUNTING, Kind.OURS.value, Kind.UNKNOWN.value)
"""Kinds that say a copy did not arrive."""


class DeliveryEvent(models.Model):
    """Something learnt about one address after a copy was made. References are plain numbers: they outlive what they name."""

    key = models.TextField(unique=True)
    at = models.DateTimeField()
    address_id = models.BigIntegerField()
    mailing_id = models.BigIntegerField(null=True)
    list_id = models.BigIntegerField(null=True)
    kind = models.TextField()
    severity = models.TextField()
    fault = models.TextField()
    reason = models.TextField()  # domain.bounces.REASONS
    status = models.TextField(default="", blank=True)
    code = models.SmallIntegerField(default=0)
    text = models.TextField(default="", blank=True)
    origin = models.TextField()
    evidence = models.BigIntegerField(null=True)  # arrival with the raw report

    class Meta:
        db_table = "delivery_event"
        indexes = [
            models.Index(fields=["address_id", "-at"], name="delivery_event_of_address"),
            models.Index(fields=["mailing_id", "address_id"], name="delivery_event_of_mailing"),
            models.Index(fields=["list_id", "-id"], name="delivery_event_of_list", condition=Q(list_id__isnull=False)),
            models.Index(fields=["at"], name="delivery_event_at"),
        ]


class AddressStanding(models.Model):
    """How one address stands, and what is done about it."""

    address = models.OneToOneField(Address, models.CASCADE, primary_key=True, related_name="standing")
    state = models.SmallIntegerField(default=Standing.GOOD.value)
    since = models.DateTimeField()
    kind = models.TextField(default="", blank=True)  # of the events that made it so: domain.bounces.Kind
    reason = models.TextField(default="", blank=True)  # of the last of them: domain.bounces.REASONS
    failures = models.SmallIntegerField(default=0)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    score = models.SmallIntegerField(null=True)
    list_id = models.BigIntegerField(null=True)  # the last of them was about
    counts_from = models.DateTimeField(null=True)  # what happened earlier is forgiven
    review_at = models.DateTimeField(null=True)  # to be judged again: a message had reached nobody yet
    probes = models.SmallIntegerField(default=0)  # failed since the pause
    probe = models.BigIntegerField(null=True)  # mailing of the one under way
    probed_at = models.DateTimeField(null=True)
    next_probe = models.DateTimeField(null=True)

    class Meta:
        db_table = "standing"
        indexes = [
            models.Index(fields=["next_probe"], name="standing_to_probe", condition=Q(next_probe__isnull=False)),
            models.Index(fields=["probed_at"], name="standing_probed", condition=Q(probe__isnull=False)),
            models.Index(fields=["probe"], name="standing_of_probe", condition=Q(probe__isnull=False)),
            models.Index(fields=["review_at"], name="standing_to_review", condition=Q(review_at__isnull=False)),
            models.Index(fields=["address"], name="standing_in_trouble", condition=Q(state__gt=0)),
        ]

    @property
    def standing(self) -> Standing:
        """The state as the domain has it."""
        return Standing(self.state)


_ADDRESS = Shape(Address, "a", standing=Shape(AddressStanding, "s"))
_OF = f"SELECT {_ADDRESS.columns} FROM address a LEFT JOIN standing s ON s.address_id = a.id WHERE a.email = %s"


def address_of(email: str) -> Address | None:
    """An address, in normal form, with its standing."""
    return next(iter(_ADDRESS.read(_OF, [email])), None)


class StandingNews(models.Model):
    """A move of an address on a list, to be told to the list's owners with the others of the day."""

    at = models.DateTimeField()
    list_id = models.BigIntegerField()
    address_id = models.BigIntegerField()
    state = models.SmallIntegerField()
    kind = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)
    left = models.BooleanField(default=False)  # the membership ended by it

    class Meta:
        db_table = "standing_news"
        indexes = [models.Index(fields=["at"], name="standing_news_at")]


_KEEP = """
-- New events of addresses that are there, each key once; a copy has at most so many.
INSERT INTO delivery_event (key, at, address_id, mailing_id, list_id, kind, severity, fault, reason, status, code, text, origin, evidence)
SELECT n.key, n.at, n.address_id, n.mailing_id, n.list_id, n.kind, n.severity, n.fault, n.reason, n.status, n.code, n.text, n.origin, n.evidence
  FROM (SELECT u.*, row_number() OVER (PARTITION BY u.mailing_id, u.address_id) AS nth FROM unnest(%(key)s::text[], %(at)s::timestamptz[], %(address)s::bigint[], %(mailing)s::bigint[], %(list)s::bigint[], %(kind)s::text[], %(severity)s::text[],
                       %(fault)s::text[], %(reason)s::text[], %(status)s::text[], %(code)s::smallint[], %(text)s::text[], %(origin)s::text[], %(evidence)s::bigint[])
       AS u (key, at, address_id, mailing_id, list_id, kind, severity, fault, reason, status, code, text, origin, evidence)
         WHERE NOT EXISTS (SELECT 1 FROM delivery_event o WHERE o.key = u.key)) n
 WHERE EXISTS (SELECT 1 FROM address a WHERE a.id = n.address_id)
   AND (n.mailing_id IS NULL OR (SELECT count(*) FROM delivery_event e WHERE e.mailing_id = n.mailing_id AND e.address_id = n.address_id) + n.nth <= %(most)s)
ON CONFLICT (key) DO NOTHING
RETURNING key
"""


def keep(events: Sequence[Event], most: int) -> set[str]:
    """Write events down; the keys of those that were new. ``most``: about one copy."""
    columns: dict[str, list[object]] = {
        "key": [one.key for one in events], "at": [one.at for one in events], "address": [one.address_id for one in events], "mailing": [one.mailing_id for one in events],
        "list": [one.list_id for one in events], "kind": [one.verdict.kind.value for one in events], "severity": [one.verdict.severity.value for one in events],
        "fault": [one.verdict.fault.value for one in events], "reason": [one.verdict.reason for one in events], "status": [_clean(one.status) for one in events],
        "code": [one.code if 0 <= one.code < 1000 else 0 for one in events], "text": [_clean(one.text) for one in events], "origin": [one.origin.value for one in events], "evidence": [one.evidence for one in events],
    }  # fmt: skip
    return {row[0] for row in run(_KEEP, {**columns, "most": most})}


def _clean(text: str) -> str:
    return text.replace("\x00", "")[:1000]


def forget(before: datetime) -> int:
    """Delete events older than that, some at a time; how many."""
    return len(run("DELETE FROM delivery_event WHERE id IN (SELECT id FROM delivery_event WHERE at < %(before)s ORDER BY at LIMIT 5000) RETURNING 1", {"before": before}))


def lock(addresses: Collection[int]) -> None:
    """Nobody else moves these addresses until the transaction ends."""
    run("SELECT id FROM address WHERE id = ANY (%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE", {"ids": array(sorted(addresses))})


_REACHED = """
-- How many copies of each mailing were accepted, without those that came back later.
SELECT m.id, coalesce((SELECT sum(s.sent) FROM slice s WHERE s.mailing_id = m.id), 0)
           - (SELECT count(DISTINCT e.address_id) FROM delivery_event e JOIN copy c ON c.mailing_id = e.mailing_id AND c.address_id = e.address_id
               WHERE e.mailing_id = m.id AND e.kind = ANY (%(failing)s) AND c.state = 2)
  FROM unnest(%(mailings)s::bigint[]) m (id)
"""


def nobody_reached(mailings: Collection[int]) -> set[int]:
    """Mailings whose copies all failed, or none of which has left."""
    return {row[0] for row in run(_REACHED, {"mailings": array(sorted(mailings)), "failing": list(FAILING)}) if row[1] <= 0}


_CAME_BACK = """
SELECT count(DISTINCT e.address_id) FROM delivery_event e JOIN copy c ON c.mailing_id = e.mailing_id AND c.address_id = e.address_id
 WHERE e.mailing_id = %(mailing)s AND e.kind = ANY (%(failing)s) AND c.state = 2
"""


def came_back(mailing: int) -> int:
    """How many copies of a mailing were accepted and came back later."""
    return int(run(_CAME_BACK, {"mailing": mailing, "failing": list(FAILING)})[0][0])


class Trace(NamedTuple):
    """A mailing as one address took it. ``kind``: of the worst event, "" without any. ``state``: of the copy, None when it is gone."""

    address: int
    mailing: int
    at: datetime
    kind: str
    reason: str
    state: int | None
    list: int | None
    campaign: bool = False


_FAILED = """
-- What came back about each address since it counts, one row a mailing: a dead mailbox before a full one, these before what does not count.
-- Each looked up by its key: a plan that is kept read all that ever came back.
SELECT DISTINCT ON (e.address_id, e.mailing_id) e.address_id, e.mailing_id, coalesce(g.started, e.at), e.kind, e.reason, NULL::smallint, e.list_id, coalesce(g.kind = 'campaign', false)
  FROM unnest(%(addresses)s::bigint[]) a (id)
  LEFT JOIN LATERAL (SELECT counts_from FROM standing WHERE address_id = a.id OFFSET 0) s ON true
 CROSS JOIN LATERAL (SELECT * FROM delivery_event WHERE address_id = a.id AND at > %(since)s AND mailing_id IS NOT NULL AND kind = ANY (%(kinds)s) OFFSET 0) e
  LEFT JOIN LATERAL (SELECT started, kind FROM mailing WHERE id = e.mailing_id OFFSET 0) g ON true
 WHERE s.counts_from IS NULL OR e.at > s.counts_from
 ORDER BY e.address_id, e.mailing_id, array_position(%(kinds)s::text[], e.kind), e.at
"""
_SENT = """
-- Of the lists each address is, or was lately, on, or something came back of (a newsletter may reach it by another list): its accepted copies among the last mailings since its first failure.
WITH wanted AS (SELECT * FROM unnest(%(addresses)s::bigint[], %(firsts)s::timestamptz[]) w (id, first)),
     places AS (SELECT DISTINCT w.id, w.first, m.list_id FROM wanted w JOIN membership m ON m.address_id = w.id AND (m.until IS NULL OR m.until > w.first)
                UNION SELECT w.id, w.first, e.list_id FROM wanted w JOIN delivery_event e ON e.address_id = w.id AND e.list_id IS NOT NULL AND e.at >= w.first),
     recent AS (SELECT l.list_id, r.* FROM (SELECT list_id, min(first) AS first FROM places GROUP BY list_id) l
                 CROSS JOIN LATERAL (SELECT g.id, g.started FROM mailing g WHERE g.list_id = l.list_id AND g.kind <> 'letter' AND g.started > l.first ORDER BY g.id DESC LIMIT %(most)s) r)
SELECT p.id, r.id, r.started, '', '', c.state, p.list_id
  FROM places p JOIN recent r ON r.list_id = p.list_id AND r.started > p.first
 CROSS JOIN LATERAL (SELECT state FROM copy c WHERE c.mailing_id = r.id AND c.address_id = p.id OFFSET 0) c
 WHERE c.state = 2
"""


def failed(addresses: Collection[int], since: datetime) -> list[Trace]:
    """Mailings something came back of, for each of these addresses."""
    kinds = [*COUNTING, *(kind for kind in FAILING if kind not in COUNTING), Kind.TEMPORARY.value, Kind.COMPLAINT.value]
    return [Trace(*row) for row in run(_FAILED, {"addresses": array(sorted(addresses)), "since": since, "kinds": kinds})]


def sent(firsts: dict[int, datetime], most: int) -> list[Trace]:
    """Accepted copies of each address since a moment of its own, among the last mailings of its lists."""
    return [Trace(*row) for row in run(_SENT, {"addresses": list(firsts), "firsts": list(firsts.values()), "most": most})] if firsts else []


_STOPPED = """
SELECT count(*) FROM standing s WHERE s.state >= 2 AND EXISTS (
    SELECT 1 FROM membership m WHERE m.list_id = ANY (%(lists)s::bigint[]) AND m.address_id = s.address_id AND m.until IS NULL AND m.delivery = 'each' AND NOT m.paused OFFSET 0)
"""
_STOPPED_OF_FEW = """
-- The same from the side of the members, each looked up by key: a list of ten does not read every address in trouble.
SELECT count(DISTINCT m.address_id) FROM unnest(%(lists)s::bigint[]) l (id)
 CROSS JOIN LATERAL (SELECT address_id FROM membership WHERE list_id = l.id AND until IS NULL AND delivery = 'each' AND NOT paused OFFSET 0) m
 WHERE EXISTS (SELECT 1 FROM standing s WHERE s.address_id = m.address_id AND s.state >= 2 OFFSET 0)
"""


def stopped(lists: Collection[int]) -> int:
    """Members of these lists that are left out because mail does not reach them."""
    few = sum(totals(lists).values()) <= PROBED
    return int(run(_STOPPED_OF_FEW if few else _STOPPED, {"lists": array(sorted(lists))})[0][0])


def of_list(list_: int) -> QuerySet[AddressStanding]:
    """Addresses in trouble that are on a list, or were until it was because of that trouble that they left it."""
    places = Membership.objects.filter(list=list_, address=OuterRef("pk")).filter(Q(until__isnull=True) | Q(left_by__in=("bounce", "complaint"), until__gte=OuterRef("since")))
    return AddressStanding.objects.filter(Exists(places), state__gt=Standing.GOOD.value)


def counts_of(list_: int) -> dict[Standing, int]:
    """Members of a list whose address is in trouble, by its standing."""
    here = Membership.objects.filter(list=list_, address=OuterRef("pk"), until__isnull=True)
    found = AddressStanding.objects.filter(Exists(here), state__gt=Standing.GOOD.value).values_list("state").annotate(Count("pk")).order_by()
    return {Standing(state): number for state, number in found}
