"""Destination groups with how they stand, and which mail exchangers domains have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models

from colporteur.domain.destinations import Act, Members, Pattern
from colporteur.store.copies.running import run
from colporteur.store.statements import execute
from colporteur.store.transports import Transport


class DestinationGroup(models.Model):
    """Domains that share a provider. Its rates are buckets; what it said to us last is here."""

    name = models.TextField(unique=True)
    title = models.TextField()
    domains = ArrayField(models.TextField(), default=list)
    exchangers = ArrayField(models.TextField(), default=list)  # names mail exchangers end in
    connections = models.SmallIntegerField(default=0)  # copies under way at once in one worker; 0: not limited
    messages = models.SmallIntegerField(default=0)  # carried by one connection; 0: not limited
    replies = models.JSONField(default=list)  # [words, act, minutes] each: domain.destinations.Pattern
    enabled = models.BooleanField(default=True)
    # How it stands.
    percent = models.SmallIntegerField(default=100)  # of its limits that are used
    changed_at = models.DateTimeField(null=True)  # when the pace was last halved or widened
    rests_until = models.DateTimeField(null=True)
    reason = models.TextField(default="", blank=True)  # the reply that made it slower or rest
    last_success = models.DateTimeField(null=True)

    class Meta:
        db_table = "destination_group"

    def __str__(self) -> str:
        return self.title

    def state(self, now: datetime) -> str:
        """One word: ``off``, ``paused`` (a stream to it is stopped), ``resting``, ``slower`` or ``sending``."""
        if not self.enabled:
            return "off"
        if self.stopped(now):
            return "paused"
        if self.rests_until and self.rests_until > now:
            return "resting"
        return "slower" if self.percent < 100 else "sending"

    def stopped(self, now: datetime) -> Stream | None:
        """The stream to it that is stopped the longest."""
        return self.streams.filter(until__gt=now).order_by("-until").first()

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Its replies as the domain reads them."""
        return tuple(Pattern(words, Act(act), minutes) for words, act, minutes in self.replies)

    @property
    def members(self) -> Members:
        """Who belongs to it."""
        return Members(self.pk, frozenset(self.domains), tuple(self.exchangers))


class Stream(models.Model):
    """What leaves by one transport for one group, where it was or is stopped; without a row it flows."""

    transport = models.ForeignKey(Transport, models.CASCADE, related_name="streams", db_index=False)
    group = models.ForeignKey(DestinationGroup, models.CASCADE, related_name="streams")
    until = models.DateTimeField(null=True)  # stopped until then; past: a sample leaves; null: it flows
    stopped_at = models.DateTimeField(null=True)
    why = models.TextField(default="", blank=True)  # domain.destinations.Stop
    reason = models.TextField(default="", blank=True)  # what was said
    stops = models.SmallIntegerField(default=0)  # in a row
    refusals = models.SmallIntegerField(default=0)  # of policy, in the dialogue, since the last acceptance
    judged_to = models.BigIntegerField(null=True)  # the last mailing that stopped it by what came back

    class Meta:
        db_table = "stream"
        constraints = [models.UniqueConstraint(fields=["transport", "group"], name="stream_once")]


def stopped_on(transport: int) -> bool:
    """Whether a stream of the transport is stopped, or was and flows only as a sample."""
    return bool(execute("SELECT EXISTS (SELECT 1 FROM stream WHERE transport_id = %s AND until IS NOT NULL)", [transport]).fetchall()[0][0])


class MailDomain(models.Model):
    """Mail exchangers of a recipient domain as last looked up, the preferred first; no ``looked_up_at``: somebody must look."""

    domain = models.TextField(primary_key=True)
    exchangers = ArrayField(models.TextField(), default=list)
    looked_up_at = models.DateTimeField(null=True)
    expires = models.DateTimeField()

    class Meta:
        db_table = "mail_domain"
        indexes = [models.Index(fields=["expires"], name="mail_domain_expires")]


_OF_MEMBERS = """
-- Domains of some members of each list: a few in a row, from places spread over all of them.
WITH ends AS (
  SELECT wanted.list_id, (SELECT min(address_id) FROM membership WHERE list_id = wanted.list_id) AS first, (SELECT max(address_id) FROM membership WHERE list_id = wanted.list_id) AS last
    FROM unnest(%(lists)s::bigint[]) AS wanted (list_id)
)
SELECT lower(split_part(found.email, '@', 2)), count(*) FROM (
  SELECT DISTINCT ends.list_id, m.address_id, m.email FROM ends CROSS JOIN generate_series(0, %(places)s - 1) AS place CROSS JOIN LATERAL (
    SELECT address_id, email FROM membership
     WHERE list_id = ends.list_id AND until IS NULL AND address_id >= first + (last - first) * place / %(places)s ORDER BY address_id LIMIT 50) m
) found GROUP BY 1
"""
_OF_COPIES = """
-- Domains of the open copies of some of a mailing's slices, spread over those that are left.
WITH open AS (SELECT number, row_number() OVER (ORDER BY number) AS nth, count(*) OVER () AS n FROM slice WHERE mailing_id = %(mailing)s AND NOT done)
SELECT lower(split_part(a.email, '@', 2)), count(*) FROM open JOIN copy c ON c.mailing_id = %(mailing)s AND c.slice = open.number AND c.state IN (0, 1) JOIN address a ON a.id = c.address_id
 WHERE open.n <= 10 OR nth %% (open.n / 10) = 0 GROUP BY 1
"""
_PLACES = 40


def hosts_of_members(lists: Sequence[int]) -> dict[str, int]:
    """How many of a sample of the members of some lists are at which domain: what it costs does not grow with the lists."""
    return dict(run(_OF_MEMBERS, {"lists": list(lists), "places": _PLACES}))


def hosts_of_copies(mailing: int) -> dict[str, int]:
    """The same of the copies of a mailing that are still to leave, some 5,000 of them."""
    return dict(run(_OF_COPIES, {"mailing": mailing}))
