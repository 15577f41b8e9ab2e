"""Limits as rows, shared by all workers: what may leave when. The arithmetic is ``domain.pacing``; here rows are locked in
one order, read with the database's clock, and written back, each in one statement for all buckets of a worker's request.

A bucket has a clock of its own, in seconds, which follows the database's but never goes back and never jumps ahead further
than a worker that saw the bucket before knows that time has passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Least

from colporteur.domain.pacing import Bucket, Rate
from colporteur.store.copies.running import array, run

TRANSPORT, ACCOUNT, ORGANISATION, LIST, GROUP, MAILING = "transport", "account", "organisation", "list", "group", "mailing"


class BucketRow(models.Model):
    """One limit of one thing, and what was used of it."""

    kind = models.TextField()  # transport, account, organisation, list, group, mailing
    key = models.TextField()  # id of the thing; of an account user@host
    number = models.IntegerField()  # recipients in any window
    seconds = models.IntegerField()  # length of the window
    profile = models.TextField(default="", blank=True)  # domain.providers: where the figure comes from; "": somebody set it
    clock = models.FloatField(default=0.0)
    seen = models.FloatField(default=0.0)  # the database's clock then, seconds since 1970; 0: never
    even_at = models.FloatField(default=0.0)
    spare_at = models.FloatField(default=0.0)
    urgent_until = models.FloatField(default=0.0)
    bins = ArrayField(models.IntegerField(), default=list)  # (bin counted from the clock's, answered, of these in a burst) one after the other

    class Meta:
        db_table = "bucket"
        constraints = [models.UniqueConstraint(fields=["kind", "key", "seconds"], name="bucket_once")]


class SlotsOut(models.Model):
    """Slots a worker's lane has and did not report yet. Their copies may have been answered at any moment until now."""

    pk = models.CompositePrimaryKey("bucket_id", "lane")
    bucket = models.ForeignKey(BucketRow, models.CASCADE, db_index=False)
    lane = models.BigIntegerField()  # made up by the lane when it begins
    number = models.IntegerField()
    burst = models.IntegerField()
    touched = models.FloatField()  # the bucket's clock when the lane last asked or reported

    class Meta:
        db_table = "slots_out"


class Kept(NamedTuple):
    """A locked bucket with the rows beside it."""

    id: int
    kind: str
    key: str
    seen: float
    bucket: Bucket


Limits = tuple[tuple[int, int, int], ...]
"""What was reckoned with: (bucket, recipients, seconds) each."""


class Until(NamedTuple):
    """Before when nothing may leave, by limits as they were."""

    at: datetime
    limits: Limits = ()


class Out(NamedTuple):
    """Slots of one lane in one bucket."""

    bucket: int
    lane: int
    number: int
    burst: int
    touched: float


_SCALED = "greatest(1, b.number * coalesce(g.percent, 100) / 100)"
_LOCK = f"""
-- The buckets of some things, locked in the order of their ids until the transaction ends; of a destination group as much
-- as is used of it now.
SELECT b.id, b.kind, b.key, b.seen, {_SCALED}, b.seconds, b.clock, b.even_at, b.spare_at, b.urgent_until, b.bins
  FROM bucket b JOIN unnest(%(kinds)s::text[], %(keys)s::text[]) AS wanted (kind, key) ON wanted.kind = b.kind AND wanted.key = b.key
  LEFT JOIN destination_group g ON b.kind = 'group' AND g.id::text = b.key
 ORDER BY b.id FOR UPDATE OF b
"""


_PEEK = _LOCK.replace(_SCALED, "b.number").replace(" FOR UPDATE OF b", "")


def peek(things: Sequence[tuple[str, str]]) -> list[Kept]:
    """The same without locking them, their limits as they were set, as of now by the database's clock, with what is out: to
    be shown."""
    kept = [_kept(row) for row in run(_PEEK, {"kinds": [kind for kind, _ in things], "keys": [key for _, key in things]})]
    now = clock() if kept else 0.0
    given = {one.id: 0 for one in kept}
    for row in out(list(given)) if kept else ():
        given[row.bucket] += row.number
    for one in kept:
        one.bucket.advance(now - one.seen if one.seen else 0.0)
        one.bucket.open = given[one.id]
    return kept


def lock(things: Sequence[tuple[str, str]]) -> list[Kept]:
    """Buckets of distinct things (kind, key)."""
    return [_kept(row) for row in run(_LOCK, {"kinds": [kind for kind, _ in things], "keys": [key for _, key in things]})]


def _kept(row: Sequence[object]) -> Kept:
    id_, kind, key, seen, number, seconds, clock, even_at, spare_at, urgent_until, bins = row
    bucket = Bucket(Rate(number, seconds), clock, even_at=even_at, spare_at=spare_at, urgent_until=urgent_until)  # type: ignore[arg-type]
    bucket.load(bins)  # type: ignore[arg-type]
    return Kept(id_, kind, key, seen, bucket)  # type: ignore[arg-type]


_HOLD = f"""
SELECT b.id, {_SCALED}, b.seconds FROM bucket b LEFT JOIN destination_group g ON b.kind = 'group' AND g.id::text = b.key
 WHERE b.id = ANY (%(buckets)s::bigint[]) ORDER BY b.id FOR SHARE OF b
"""


def hold(limits: Limits) -> bool:
    """Whether limits are still as they were reckoned with. Who changes them waits until the caller's transaction ends, and finds then what was put off for them."""
    return not limits or run(_HOLD, {"buckets": array([limit[0] for limit in limits])}) == sorted(limits)


_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"


def clock() -> float:
    """The database's clock, seconds since 1970."""
    found: float = run(_CLOCK, {})[0][0]
    return found


_OUT = "SELECT bucket_id, lane, number, burst, touched FROM slots_out WHERE bucket_id = ANY (%(buckets)s::bigint[])"


def out(buckets: Sequence[int]) -> list[Out]:
    """Slots that are out, of every lane; the caller holds the buckets' rows."""
    return [Out(*row) for row in run(_OUT, {"buckets": list(buckets)})]


_SAVE = """
UPDATE bucket b SET clock = u.clock, seen = u.seen, even_at = u.even_at, spare_at = u.spare_at, urgent_until = u.urgent_until, bins = u.bins::int[]
  FROM unnest(%(ids)s::bigint[], %(clocks)s::float8[], %(seen)s::float8[], %(evens)s::float8[], %(spares)s::float8[], %(urgents)s::float8[], %(bins)s::text[])
    AS u (id, clock, seen, even_at, spare_at, urgent_until, bins)
 WHERE b.id = u.id
"""


def save(kept: Sequence[Kept], seen: float) -> None:
    """Write the state of locked buckets."""
    states = [one.bucket for one in kept]
    values = {
        "ids": [one.id for one in kept], "clocks": [one.clock for one in states], "seen": [seen] * len(kept), "evens": [one.even_at for one in states],
        "spares": [one.spare_at for one in states], "urgents": [one.urgent_until for one in states], "bins": ["{" + ",".join(map(str, one.dump())) + "}" for one in states],
    }  # fmt: skip
    run(_SAVE, values)


_SAVE_OUT = """
INSERT INTO slots_out (bucket_id, lane, number, burst, touched)
SELECT * FROM unnest(%(buckets)s::bigint[], %(lanes)s::bigint[], %(numbers)s::int[], %(bursts)s::int[], %(touched)s::float8[])
    ON CONFLICT (bucket_id, lane) DO UPDATE SET number = excluded.number, burst = excluded.burst, touched = excluded.touched
"""


def save_out(rows: Sequence[Out]) -> None:
    """Write how many slots lanes have."""
    values = {"buckets": [r.bucket for r in rows], "lanes": [r.lane for r in rows], "numbers": [r.number for r in rows], "bursts": [r.burst for r in rows], "touched": [r.touched for r in rows]}
    run(_SAVE_OUT, values)


_FORGET = """
DELETE FROM slots_out o USING unnest(%(buckets)s::bigint[], %(lanes)s::bigint[]) AS gone (bucket_id, lane)
 WHERE o.bucket_id = gone.bucket_id AND o.lane = gone.lane
"""


def forget_out(rows: Iterable[Out]) -> None:
    """Lanes that ended, or did not touch their slots for so long that these count as spent."""
    if gone := [(row.bucket, row.lane) for row in rows]:
        run(_FORGET, {"buckets": [bucket for bucket, _ in gone], "lanes": [lane for _, lane in gone]})


_LIMITED = """
-- Whether anything that leaves by this transport may be limited: it, its account, or any organisation, list or mailing.
SELECT EXISTS (SELECT 1 FROM bucket WHERE (kind = 'transport' AND key = %(transport)s) OR (kind = 'account' AND key = %(account)s) OR kind IN ('organisation', 'list', 'mailing'))
"""


def limited(transport: int, account: str) -> bool:
    """Whether copies of the transport need slots at all."""
    return bool(run(_LIMITED, {"transport": str(transport), "account": account})[0][0])


def limit_mailing(mailing: int, rate: Rate) -> None:
    """So many copies of one mailing leave in any window of so long, however many transports take part."""
    row, made = BucketRow.objects.get_or_create(kind=MAILING, key=str(mailing), seconds=rate.seconds, defaults={"number": rate.number})
    if not made:
        renumber(row.pk, rate)


def limit_of_mailing(mailing: int) -> int | None:
    """How many copies a mailing's own limit lets leave; None without one."""
    return BucketRow.objects.filter(kind=MAILING, key=str(mailing)).values_list("number", flat=True).first()


def renumber(bucket: int, rate: Rate, **others: object) -> None:
    """Another number in the same window: what was used is not forgotten, and nothing waits longer for its turn than the new number asks."""
    BucketRow.objects.filter(pk=bucket).update(number=rate.number, even_at=Least("even_at", F("clock") + rate.seconds / rate.number), **others)


def limited_mailings() -> list[int]:
    """Mailings that have a limit of their own, ended ones too."""
    return [int(key) for key in BucketRow.objects.filter(kind=MAILING).values_list("key", flat=True)]


def forget_mailing(mailing: int) -> None:
    """The mailing ended."""
    BucketRow.objects.filter(kind=MAILING, key=str(mailing)).delete()


_PUT_OFF = """
-- Slices of a mailing nobody holds, when nothing of it may leave before: they are not claimed in vain.
UPDATE slice SET due_at = %(until)s
 WHERE mailing_id = %(mailing)s AND transport_id = %(transport)s AND NOT done AND (lease_until IS NULL OR lease_until < clock_timestamp()) AND (due_at IS NULL OR due_at < %(until)s)
"""


@transaction.atomic
def put_off(mailing: int, transport: int, until: Until) -> bool:
    """Nothing of the mailing leaves by this transport before then. False: limits have changed, nothing was put off."""
    if held := hold(until.limits):
        run(_PUT_OFF, {"mailing": mailing, "transport": transport, "until": until.at})
    return held


_COME_BACK = "UPDATE slice SET due_at = NULL WHERE NOT done AND due_at < '9000-01-01' AND deferred = 0"
_COME_BACK_OF = f"{_COME_BACK} AND mailing_id = %(mailing)s"


def come_back(mailing: int = 0) -> None:
    """What was put off and never tried, of one mailing or of all, is due again: limits have changed. (A copy that was tried is deferred, and keeps its
    time, and what waits for a sample comes back by its own word.)"""
    run(_COME_BACK_OF if mailing else _COME_BACK, {"mailing": mailing})
