"""Routes: steps as rows, and open slices moved between transports. Set-based; a slice somebody holds is never touched."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models import Q

from colporteur.store.copies.running import run
from colporteur.store.instances import Shape
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.transports import Transport


class RouteStep(models.Model):
    """One transport of the route of a list, a domain, an organisation, or (all empty) the site."""

    list = models.ForeignKey(List, models.CASCADE, null=True, related_name="steps")
    domain = models.ForeignKey(Domain, models.CASCADE, null=True, related_name="steps")
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, related_name="steps")
    transport = models.ForeignKey(Transport, models.CASCADE, related_name="steps")
    rank = models.SmallIntegerField(default=0)  # transports of rank 0 share the mail, later ranks stand in
    weight = models.SmallIntegerField(default=1)

    class Meta:
        db_table = "route_step"
        constraints = [
            models.CheckConstraint(
                condition=(Q(list__isnull=True) & Q(domain__isnull=True)) | (Q(list__isnull=True) & Q(organisation__isnull=True)) | (Q(domain__isnull=True) & Q(organisation__isnull=True)),
                name="route_step_has_one_place",
            ),
            models.UniqueConstraint(fields=["list", "domain", "organisation", "transport"], name="route_step_once", nulls_distinct=False),
        ]


_STEP = Shape(RouteStep, "s", transport=Shape(Transport, "t"))
_STEPS = f"""
SELECT {_STEP.columns} FROM route_step s JOIN transport t ON t.id = s.transport_id
 WHERE s.list_id = ANY (%s::bigint[]) OR s.domain_id = ANY (%s::bigint[]) OR s.organisation_id = ANY (%s::bigint[]) OR s.list_id IS NULL AND s.domain_id IS NULL AND s.organisation_id IS NULL
 ORDER BY s.rank, s.weight DESC, s.id
"""
_TRANSPORT = Shape(Transport, "t")
_SWITCHED_ON = f"SELECT {_TRANSPORT.columns} FROM transport t WHERE t.enabled AND (t.organisation_id IS NULL OR t.organisation_id = ANY (%s::bigint[])) ORDER BY t.is_default DESC, t.id"


def steps(lists: Sequence[int], domains: Sequence[int], organisations: Sequence[int]) -> list[RouteStep]:
    """The steps of these places and of the site, with their transports, in order."""
    return _STEP.read(_STEPS, [list(lists), list(domains), list(organisations)])


def switched_on(organisations: Sequence[int]) -> list[Transport]:
    """Transports these organisations may use, defaults first."""
    return _TRANSPORT.read(_SWITCHED_ON, [list(organisations)])


_STRANDED = """
-- Mailings with open slices nobody holds on a transport that is in trouble, switched off, refused this mailing, or none at all.
-- The slices are read only when there may be some: the questions that do not name s are answered first.
WITH bad AS MATERIALIZED (SELECT id FROM transport WHERE NOT enabled OR failures > 0)
SELECT DISTINCT s.mailing_id FROM slice s JOIN mailing m ON m.id = s.mailing_id
 WHERE (EXISTS (SELECT 1 FROM bad) OR EXISTS (SELECT 1 FROM slice n WHERE NOT n.done AND n.due_at IS NULL AND n.transport_id IS NULL)
        OR EXISTS (SELECT 1 FROM mailing x WHERE x.state IN ('planned', 'running', 'paused') AND x.shunned <> '{}'))
   AND NOT s.done AND m.state IN ('running', 'paused') AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
   AND (s.transport_id IS NULL OR s.transport_id IN (SELECT id FROM bad) OR s.transport_id = ANY (m.shunned))
"""


def stranded() -> list[int]:
    """Ids of mailings whose open slices could better leave by another way."""
    return [row[0] for row in run(_STRANDED, {})]


_PLACE = """
-- Open slices nobody holds get the transport whose turn it is by their number; rows others have locked wait for the next look.
-- The generation grows: a worker whose lease is over finds its slice lost.
WITH free AS (
    SELECT s.mailing_id, s.number, (%(turns)s::bigint[])[1 + ((hashint8(s.mailing_id) & 65535) + s.number) %% cardinality(%(turns)s::bigint[])] AS turn
      FROM slice s
     WHERE s.mailing_id = ANY (%(mailings)s::bigint[]) AND NOT s.done AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
       AND (NOT %(kept)s OR s.transport_id IS NULL OR s.transport_id <> ALL (%(turns)s::bigint[]))
       FOR UPDATE SKIP LOCKED
)
UPDATE slice s SET transport_id = f.turn, generation = s.generation + 1, lease_until = NULL
  FROM free f WHERE s.mailing_id = f.mailing_id AND s.number = f.number AND s.transport_id IS DISTINCT FROM f.turn
RETURNING s.mailing_id
"""


def place(mailings: Sequence[int], turns: Sequence[int], *, kept: bool) -> set[int]:
    """Share the open slices of mailings out among transports; which mailings had some moved.

    ``kept``: slices on one of these transports stay where they are; else all are shared out anew.
    """
    return {row[0] for row in run(_PLACE, {"mailings": list(mailings), "turns": list(turns), "kept": kept})}


_BY_TRANSPORT = """
SELECT transport_id, sum(size)::int, sum(sent)::int, sum(failed)::int, sum(cancelled)::int, sum(deferred)::int
  FROM slice WHERE mailing_id = %(mailing)s GROUP BY transport_id ORDER BY 2 DESC, 1
"""


def by_transport(mailing: int) -> list[tuple[int | None, tuple[int, int, int, int, int]]]:
    """(transport, (total, sent, failed, cancelled, deferred)) of a mailing's slices, the most first."""
    return [(row[0], tuple(row[1:])) for row in run(_BY_TRANSPORT, {"mailing": mailing})]
