"""What goes for good with a list: its messages, copies and memberships, in transactions that hold nothing for long."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, transaction
from django.db.models import F, Q

from colporteur.domain.campaigns import CampaignState
from colporteur.store.arrivals import Errand
from colporteur.store.campaigns import Campaign, CampaignAudience, CampaignFile
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.posts import Post
from colporteur.store.segments import Segment

_CHUNK, _FEW = 20_000, 500

# Each takes at most so many rows away: a transaction of its own, until it finds nothing more.
_COPIES = """
DELETE FROM copy_row WHERE (mailing_id, address_id) IN (
  SELECT c.mailing_id, c.address_id FROM mailing m JOIN copy_row c ON c.mailing_id = m.id WHERE m.list_id = %(list)s LIMIT %(chunk)s)
"""
_REFUSALS = "DELETE FROM refusal WHERE id IN (SELECT r.id FROM mailing m JOIN refusal r ON r.mailing_id = m.id WHERE m.list_id = %(list)s LIMIT %(chunk)s)"
_FORMER = "DELETE FROM former_delivery WHERE id IN (SELECT id FROM former_delivery WHERE list_id = %(list)s LIMIT %(chunk)s)"
_MEMBERSHIPS = "DELETE FROM membership WHERE id IN (SELECT id FROM membership WHERE list_id = %(list)s LIMIT %(chunk)s)"

_UNUSED_ARRIVALS = """
WITH unused AS (
  SELECT a.id FROM arrival a WHERE a.id = ANY(%(arrivals)s)
    AND NOT EXISTS (SELECT 1 FROM post p WHERE p.arrival_id = a.id) AND NOT EXISTS (SELECT 1 FROM errand e WHERE e.arrival_id = a.id)
), forgotten AS (UPDATE collected SET arrival_id = NULL WHERE arrival_id IN (SELECT id FROM unused))
DELETE FROM arrival WHERE id IN (SELECT id FROM unused) RETURNING blob_id
"""
# A receiver that has just met the same bytes finds them gone, answers "try again later", and keeps them then.
_UNUSED_BLOBS = """
DELETE FROM blob b WHERE b.sha256 = ANY(%(blobs)s)
  AND NOT EXISTS (SELECT 1 FROM arrival a WHERE a.blob_id = b.sha256) AND NOT EXISTS (SELECT 1 FROM mailing m WHERE m.blob_id = b.sha256)
  AND NOT EXISTS (SELECT 1 FROM campaign_file f WHERE f.blob_id = b.sha256)
"""


def purge(list_: List) -> None:
    """Delete the list and all it has; the journal and the people stay. Bytes that nothing else names go too.

    Many short transactions, the last of which takes the list itself: interrupted, it is simply done again.
    """
    values = {"list": list_.pk, "chunk": _CHUNK}
    for statement in (_COPIES, _REFUSALS, _FORMER, _MEMBERSHIPS):
        while _taken(statement, values):
            pass
    while _files(list_) or _mailings(list_) or _arrived(Post, list_) or _arrived(Errand, list_):
        pass
    _end(list_)


@transaction.atomic
def _end(list_: List) -> None:
    """The list itself. What others' newsletters go to is another audience then: each keeps its name, and none starts before somebody looked."""
    segments = list(Segment.objects.filter(list=list_).values_list("pk", flat=True))  # asked apart: "or" over a join reads every audience there is
    named = CampaignAudience.objects.filter(Q(list=list_) | Q(segment__in=segments)).exclude(campaign__list=list_)
    waiting = Campaign.objects.filter(pk__in=named.values("campaign"), state=CampaignState.SCHEDULED)
    waiting.update(state=CampaignState.DRAFT, send_at=None, version=F("version") + 1)
    for campaign in Campaign.objects.select_for_update().filter(pk__in=named.values("campaign")).only("lost"):
        Campaign.objects.filter(pk=campaign.pk).update(lost=", ".join([*filter(None, [campaign.lost]), list_.address]))
    named.delete()
    CampaignAudience.objects.filter(campaign__list=list_).delete()  # before the segments they name
    list_.delete()


def _taken(statement: str, values: dict[str, int]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


@transaction.atomic
def _mailings(list_: List) -> int:
    rows = list(Mailing.objects.filter(list=list_).order_by("id").values_list("id", "blob_id")[:_FEW])
    ids = [row[0] for row in rows]
    Slice.objects.filter(mailing_id__in=ids)._raw_delete("default")  # a composite key: nothing hangs on it
    Mailing.objects.filter(pk__in=ids).delete()
    drop_blobs({bytes(row[1]) for row in rows})
    return len(rows)


@transaction.atomic
def _files(list_: List) -> int:
    rows = list(CampaignFile.objects.filter(campaign__list=list_).order_by("id").values_list("id", "blob_id")[:_FEW])
    CampaignFile.objects.filter(pk__in=[row[0] for row in rows]).delete()
    drop_blobs({bytes(row[1]) for row in rows})
    return len(rows)


@transaction.atomic
def _arrived(table: type[Post] | type[Errand], list_: List) -> int:
    rows = list(table.objects.filter(list=list_).order_by("id").values_list("id", "arrival_id")[:_FEW])
    table.objects.filter(pk__in=[row[0] for row in rows]).delete()
    drop_unused([row[1] for row in rows])
    return len(rows)


def drop_unused(arrivals: Collection[int]) -> None:
    """Delete those of the arrivals nothing names, with their bytes when nothing else has these. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_UNUSED_ARRIVALS, {"arrivals": list(arrivals)})
        drop_blobs({bytes(row[0]) for row in cursor.fetchall()})


def drop_blobs(blobs: Collection[bytes]) -> None:
    """Delete those of the raw bytes, named by their SHA-256, that nothing names any more. In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_UNUSED_BLOBS, {"blobs": sorted(blobs)})
