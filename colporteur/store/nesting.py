"""Lists inside lists, who is left out of one, and by which inner list a copy comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection, models
from django.db.models import F, Q

from colporteur.store.lists import List
from colporteur.store.organisations import Domain
from colporteur.store.people import Address
from colporteur.store.statements import execute


class Nesting(models.Model):
    """``inner`` is inside ``outer``: its members receive what ``outer`` accepts."""

    outer = models.ForeignKey(List, models.CASCADE, related_name="inner_edges")
    inner = models.ForeignKey(List, models.CASCADE, related_name="outer_edges")
    covers = models.BooleanField(default=True)  # one approval covers the inner list; otherwise its own rules are asked again
    since = models.DateTimeField()

    class Meta:
        db_table = "nesting"
        constraints = [
            models.UniqueConstraint(fields=["outer", "inner"], name="nesting_once"),
            models.CheckConstraint(condition=~Q(outer=F("inner")), name="nesting_not_itself"),
        ]


class Exclusion(models.Model):
    """An address that receives nothing of a list, whichever way it comes to it."""

    list = models.ForeignKey(List, models.CASCADE, related_name="exclusions")
    address = models.ForeignKey(Address, models.CASCADE, related_name="exclusions")
    since = models.DateTimeField()

    class Meta:
        db_table = "exclusion"
        constraints = [models.UniqueConstraint(fields=["list", "address"], name="exclusion_once")]


class OnEvery(models.Model):
    """An address that receives what every list of a domain accepts, those to come included, without being on them."""

    domain = models.ForeignKey(Domain, models.CASCADE, related_name="+")
    address = models.ForeignKey(Address, models.CASCADE, related_name="+")
    since = models.DateTimeField()

    class Meta:
        db_table = "on_every_list"
        constraints = [models.UniqueConstraint(fields=["domain", "address"], name="on_every_list_once")]


class Passage(models.Model):
    """The inner list a copy comes by; ``through`` null: by a role. Copies of the list's own members have none."""

    pk = models.CompositePrimaryKey("mailing", "address")
    mailing = models.BigIntegerField()
    address = models.BigIntegerField()
    through = models.BigIntegerField(null=True)

    class Meta:
        db_table = "passage"


class Inside(NamedTuple):
    """What a list reaches. ``paths``: inner list -> the lists from the outer one to it, the shortest way, nearest first.
    ``asked``: inner lists whose own rules decide again."""

    paths: dict[int, tuple[int, ...]]
    asked: list[int]


_EDGES = """
SELECT n.outer_id, n.inner_id, n.covers FROM nesting n JOIN list l ON l.id = n.inner_id LEFT JOIN domain d ON d.id = l.domain_id
 WHERE n.outer_id = ANY (%s::bigint[]) AND (NOT %s OR l.state = 'active' AND coalesce(d.enabled, true)) ORDER BY n.id
"""


def inside(list_: int, *, working: bool = True) -> Inside:
    """Walk the edges level by level; a circle, which saving refuses, ends the walk. ``working`` False: also edges that ask
    again, and lists that are switched off."""
    paths: dict[int, tuple[int, ...]] = {list_: (list_,)}
    asked: list[int] = []
    level = [list_]
    while level:
        edges = execute(_EDGES, [level, working]).fetchall()
        level = []
        for outer, inner, covers in edges:
            if working and not covers:
                asked.append(inner)
            elif inner not in paths:
                paths[inner] = (*paths[outer], inner)
                level.append(inner)
    del paths[list_]
    return Inside(paths, [inner for inner in dict.fromkeys(asked) if inner not in paths and inner != list_])


_OUTSIDE = """
-- The ways that lead to some lists from lists around them, nearest first; as sending goes: one approval covers all of a way, and
-- every list on it works. At most ten lists long.
WITH RECURSIVE working AS (
  SELECT l.id FROM list l LEFT JOIN domain d ON d.id = l.domain_id WHERE l.state = 'active' AND coalesce(d.enabled, true)
), ways AS (
  SELECT n.inner_id AS list, ARRAY[n.outer_id, n.inner_id] AS way FROM nesting n WHERE n.covers AND n.inner_id = ANY (%(lists)s) AND n.outer_id IN (SELECT id FROM working) AND n.inner_id IN (SELECT id FROM working)
  UNION ALL
  SELECT w.list, n.outer_id || w.way FROM ways w JOIN nesting n ON n.inner_id = w.way[1] AND n.covers AND n.outer_id <> ALL (w.way) AND n.outer_id IN (SELECT id FROM working)
   WHERE cardinality(w.way) < 10
)
SELECT list, way FROM ways ORDER BY cardinality(way), way
"""


def outside(lists: Sequence[int]) -> list[tuple[int, list[int]]]:
    """(list, the lists from an outer one to it) for each way that leads to one of the lists."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTSIDE, {"lists": list(lists)})
        return [(row[0], row[1]) for row in cursor.fetchall()]


def excluded(lists: Sequence[int]) -> bool:
    """Whether one of the lists leaves somebody out."""
    return bool(execute("SELECT EXISTS (SELECT 1 FROM exclusion WHERE list_id = ANY (%s::bigint[]))", [list(lists)]).fetchall()[0][0])


def on_every(domain: int) -> list[int]:
    """Ids of addresses that are on every list of the domain."""
    return [row[0] for row in execute("SELECT address_id FROM on_every_list WHERE domain_id = %s", [domain]).fetchall()]


def through(mailing: int, addresses: Sequence[int]) -> dict[int, int | None]:
    """Address -> the inner list its copy comes by (None: by a role), of those copies that are not a member's own."""
    return dict(Passage.objects.filter(mailing=mailing, address__in=addresses).values_list("address", "through"))
