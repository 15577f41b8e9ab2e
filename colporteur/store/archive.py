"""What the messages of lists weigh. The database notes what each statement adds and takes; sums are the weights of now."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, models, transaction

from colporteur.store.arrivals import Arrival, keep
from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from colporteur.store.purging import drop_unused


class Weight(models.Model):
    """Bytes that came (or, negative, went) in one statement. Written by the database."""

    list_id = models.BigIntegerField()  # no foreign key: what the end of a list takes away is written here too
    size = models.BigIntegerField()

    class Meta:
        db_table = "archive_weight"
        indexes = [models.Index(fields=["list_id"], name="archive_weight_of")]


_BY_ORGANISATION = """
SELECT l.organisation_id, sum(w.size)::bigint FROM archive_weight w JOIN list l ON l.id = w.list_id
 WHERE l.organisation_id = ANY(%(places)s) GROUP BY 1
"""
_BY_DOMAIN = _BY_ORGANISATION.replace("l.organisation_id", "l.domain_id")
_ADD_UP = """
-- Lists with many rows get one: written one by one, they are added up by whoever looks. Only lists something was noted of last: who gets
-- many rows is among them soon, and the others are not counted each time.
WITH last AS MATERIALIZED (SELECT DISTINCT list_id FROM (SELECT list_id FROM archive_weight ORDER BY id DESC LIMIT 100) w),
     many AS MATERIALIZED (SELECT list_id FROM last l WHERE (SELECT count(*) FROM (SELECT 1 FROM archive_weight w WHERE w.list_id = l.list_id LIMIT 101) o) > 100),
     gone AS (DELETE FROM archive_weight WHERE list_id IN (SELECT list_id FROM many) RETURNING list_id, size)
INSERT INTO archive_weight (list_id, size) SELECT list_id, sum(size) FROM gone GROUP BY 1 HAVING sum(size) <> 0
"""


def of_organisations(ids: Collection[int]) -> dict[int, int]:
    """Bytes of the messages of all lists of each organisation that has any, deleted lists included while they can be restored."""
    return _sums(_BY_ORGANISATION, ids)


def of_domains(ids: Collection[int]) -> dict[int, int]:
    """The same of domains."""
    return _sums(_BY_DOMAIN, ids)


def add_up() -> None:
    """Make few rows of many."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_UP)


@transaction.atomic
def replace(post: Post, raw: bytes) -> None:
    """Other bytes stand for a message; its own go unless something else names them."""
    old = post.arrival
    post.arrival = Arrival.objects.create(blob_id=keep(raw), door=old.door, mail_from=old.mail_from, recipients=old.recipients, received_at=old.received_at)
    Post.objects.filter(pk=post.pk).update(arrival=post.arrival, size=len(raw), unkept_at=None, unkept=True)
    Mailing.objects.filter(post=post, blob_id=old.blob_id).update(blob_id=post.arrival.blob_id)
    drop_unused([old.pk])


def _sums(statement: str, ids: Collection[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"places": list(ids)})
        return dict(cursor.fetchall())
