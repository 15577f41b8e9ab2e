"""What is counted of newsletters: links, how often they were followed, who agreed to be named, and what is kept for ever.

Counting appends rows and folds them later: a burst of openings never waits for one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import MD5

from colporteur.store.campaigns import Campaign
from colporteur.store.copies.running import array, run
from colporteur.store.organisations import Organisation
from colporteur.store.people import Address


class Link(models.Model):
    """An address a campaign's readers can follow by ours."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="links")
    url = models.TextField()
    words = models.TextField(default="", blank=True)  # what readers see for it

    class Meta:
        db_table = "campaign_link"
        constraints = [models.UniqueConstraint("campaign", MD5("url"), name="campaign_link_once")]


class Hits(models.Model):
    """So many hits of a kind within an hour; sums of the rows are the counts. ``loose`` ones wait to be folded. Nobody is named."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    link = models.BigIntegerField(default=0)  # 0: none
    what = models.SmallIntegerField()  # domain.tracking.Hit
    who = models.SmallIntegerField()  # domain.tracking.Why
    hour = models.DateTimeField()
    n = models.IntegerField()
    loose = models.BooleanField(default=True)

    class Meta:
        db_table = "campaign_hits"
        indexes = [models.Index(fields=["campaign", "what"], name="campaign_hits_of"), models.Index(fields=["id"], name="campaign_hits_loose", condition=Q(loose=True))]
        constraints = [models.UniqueConstraint(fields=["campaign", "link", "what", "who", "hour"], condition=Q(loose=False), name="campaign_hits_once")]


class NamedHit(models.Model):
    """That somebody who agreed to be named opened a newsletter (link 0) or followed a link of it."""

    pk = models.CompositePrimaryKey("campaign_id", "address_id", "link")
    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+", db_index=False)
    address = models.ForeignKey(Address, models.CASCADE, related_name="+")
    link = models.BigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    n = models.IntegerField(default=1)

    class Meta:
        db_table = "campaign_named_hit"


class TrackingConsent(models.Model):
    """That somebody agreed that an organisation may know what he or she opens and follows, and until when. Apart from the consent to receive."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    address = models.ForeignKey(Address, models.CASCADE, related_name="tracking_consents")
    since = models.DateTimeField()
    how = models.TextField()  # "preferences", "form" ...
    wording = models.TextField()  # what was said yes to
    client = models.TextField(default="", blank=True)  # IP address it came from
    until = models.DateTimeField(null=True)  # withdrawn

    class Meta:
        db_table = "tracking_consent"
        constraints = [models.UniqueConstraint(fields=["organisation", "address"], condition=Q(until__isnull=True), name="tracking_consent_once")]


class CampaignTotals(models.Model):
    """What stays of a campaign whose details went: totals, for ever."""

    campaign = models.OneToOneField(Campaign, models.CASCADE, primary_key=True, related_name="totals")
    at = models.DateTimeField()
    done = models.BooleanField(default=False)  # the last detail is gone
    values = models.JSONField()  # flow.tracking.purging

    class Meta:
        db_table = "campaign_totals"
        indexes = [models.Index(fields=["campaign"], name="campaign_totals_to_finish", condition=Q(done=False))]


class Counted(NamedTuple):
    """So many hits of one link within one hour."""

    link: int
    what: int
    who: int
    hour: datetime
    n: int


_COUNT = """
INSERT INTO campaign_hits (campaign_id, link, what, who, hour, n, loose)
SELECT %(campaign)s, u.link, %(what)s, u.who, %(hour)s, u.n, true FROM unnest(%(links)s::bigint[], %(who)s::smallint[], %(n)s::int[]) AS u (link, who, n)
"""
# The setting holds for this transaction, which is this statement: its commit does not wait for the disk.
_COUNT_AT_ONCE = _COUNT.replace(" FROM unnest", " FROM (SELECT set_config('synchronous_commit', 'off', true)) AS s, unnest")
_TARGET = """
SELECT l.url, c.tracking, m.started FROM campaign c LEFT JOIN mailing m ON m.id = c.mailing_id LEFT JOIN campaign_link l ON l.campaign_id = c.id AND l.id = %(link)s WHERE c.id = %(campaign)s
"""
_NAME = """
INSERT INTO campaign_named_hit AS h (campaign_id, address_id, link, first_at, last_at, n)
SELECT %(campaign)s, %(address)s, %(link)s, %(now)s, %(now)s, 1
 WHERE EXISTS (SELECT 1 FROM tracking_consent c WHERE c.organisation_id = %(organisation)s AND c.address_id = %(address)s AND c.until IS NULL FOR SHARE)
ON CONFLICT (campaign_id, address_id, link) DO UPDATE SET n = h.n + 1, last_at = excluded.last_at
"""
_FOLD = """
WITH gone AS (
    DELETE FROM campaign_hits WHERE id = ANY (ARRAY(SELECT id FROM campaign_hits WHERE loose ORDER BY id LIMIT 20000 FOR UPDATE SKIP LOCKED))
    RETURNING campaign_id, link, what, who, hour, n
), folded AS (
    INSERT INTO campaign_hits AS h (campaign_id, link, what, who, hour, n, loose)
    SELECT campaign_id, link, what, who, hour, sum(n), false FROM gone GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (campaign_id, link, what, who, hour) WHERE NOT loose DO UPDATE SET n = h.n + excluded.n
)
SELECT count(*) FROM gone
"""
_SUMS = "SELECT link, what, who, hour, sum(n)::int FROM campaign_hits WHERE campaign_id = %(campaign)s GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 ORDER BY hour"


class Target(NamedTuple):
    """What a counted address stands for. ``url``: None for the image, and when the link is not one of the campaign."""

    url: str | None
    tracking: str
    started: datetime | None


def target(campaign: int, link: int) -> Target | None:
    """A link of a campaign (0: its image); None when there is no such campaign."""
    found = run(_TARGET, {"campaign": campaign, "link": link})
    return Target(*found[0]) if found else None


def count(campaign: int, what: int, hour: datetime, hits: Sequence[tuple[int, int, int]], *, at_once: bool = False) -> None:
    """Append hits: (link, who, how many). ``at_once``: in a transaction of its own that waits for no disk; a crash of the database may
    lose the last moment's."""
    links, who, n = (array(column) for column in zip(*hits, strict=True))
    run(_COUNT_AT_ONCE if at_once else _COUNT, {"campaign": campaign, "what": what, "hour": hour, "links": links, "who": who, "n": n})


def name(campaign: int, organisation: int, address: int, link: int, now: datetime) -> None:
    """Write down who it was, if the address agreed and has not withdrawn; a withdrawal under way is waited for."""
    with connection.cursor() as cursor:
        cursor.execute(_NAME, {"campaign": campaign, "organisation": organisation, "address": address, "link": link, "now": now})


def fold() -> int:
    """Add loose counts up, some at a time; how many."""
    return int(run(_FOLD, {})[0][0])


def sums(campaign: int) -> list[Counted]:
    """Every count of a campaign, hour after hour."""
    return [Counted(*row) for row in run(_SUMS, {"campaign": campaign})]


# Each takes at most so many rows away; slices stay: they are the totals by state, a row for 500 copies.
_DETAILS = (
    "DELETE FROM copy_row WHERE (mailing_id, address_id) IN (SELECT mailing_id, address_id FROM copy_row WHERE mailing_id = ANY (%(mailings)s) LIMIT 20000)",
    "DELETE FROM refusal WHERE id IN (SELECT id FROM refusal WHERE mailing_id = ANY (%(mailings)s) LIMIT 20000)",
    "DELETE FROM campaign_named_hit WHERE (campaign_id, address_id, link) IN (SELECT campaign_id, address_id, link FROM campaign_named_hit WHERE campaign_id = %(campaign)s LIMIT 20000)",
)


@transaction.atomic
def take_details(campaign: int, mailings: Sequence[int]) -> int:
    """Delete the next range of copies, replies and named hits of a campaign; how many rows, 0 when none is left."""
    taken = 0
    with connection.cursor() as cursor:
        for statement in _DETAILS:
            cursor.execute(statement, {"campaign": campaign, "mailings": list(mailings)})
            taken += cursor.rowcount
    return taken


def agreed(addresses: Sequence[int], organisation: int) -> list[int]:
    """Which of these addresses agreed to be named, and did not take it back."""
    return list(TrackingConsent.objects.filter(address__in=addresses, organisation=organisation, until__isnull=True).values_list("address_id", flat=True))


class Known(NamedTuple):
    """What is known of somebody who agreed: when he or she first opened a newsletter, and how many links were followed."""

    opened: datetime | None
    links: int


def known(campaign: int, addresses: Sequence[int]) -> dict[int, Known]:
    """What is known of these addresses; who did not agree is absent."""
    answer: dict[int, Known] = {}
    for address, link, first in NamedHit.objects.filter(campaign=campaign, address__in=addresses).values_list("address_id", "link", "first_at"):
        held = answer.get(address, Known(None, 0))
        answer[address] = held._replace(links=held.links + 1) if link else held._replace(opened=first)
    return answer
