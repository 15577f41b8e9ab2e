"""Destination groups with how they stand, and which mail exchangers domains have."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models

from colporteur.domain.destinations import Act, Members, Pattern


class DestinationGroup(models.Model):
    """Domains that share a provider. Its rates are buckets; what it said to us last is here."""

    name = models.TextField(unique=True)
    title = models.TextField()
    domains = ArrayField(models.TextField(), default=list)
    exchangers = ArrayField(models.TextField(), default=list)  # names mail exchangers end in
    connections = models.SmallIntegerField(default=0)  # copies under way at once in one worker; 0: not limited
    replies = models.JSONField(default=list)  # [words, act, minutes] each: domain.destinations.Pattern
    enabled = models.BooleanField(default=True)
    # How it stands.
    percent = models.SmallIntegerField(default=100)  # of its limits that are used
    changed_at = models.DateTimeField(null=True)  # when the pace was last halved or widened
    rests_until = models.DateTimeField(null=True)
    paused = models.BooleanField(default=False)  # it rests because of its policy
    reason = models.TextField(default="", blank=True)  # the reply that made it slower, rest or pause
    refusals = models.SmallIntegerField(default=0)  # of policy, since the last acceptance
    last_success = models.DateTimeField(null=True)

    class Meta:
        db_table = "destination_group"

    def __str__(self) -> str:
        return self.title

    def state(self, now: datetime) -> str:
        """One word: ``off``, ``paused`` (by its policy), ``resting``, ``slower`` or ``sending``."""
        if not self.enabled:
            return "off"
        if self.rests_until and self.rests_until > now:
            return "paused" if self.paused else "resting"
        return "slower" if self.percent < 100 else "sending"

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Its replies as the domain reads them."""
        return tuple(Pattern(words, Act(act), minutes) for words, act, minutes in self.replies)

    @property
    def members(self) -> Members:
        """Who belongs to it."""
        return Members(self.pk, frozenset(self.domains), tuple(self.exchangers))


class MailDomain(models.Model):
    """Mail exchangers of a recipient domain as last looked up, the preferred first; no ``looked_up_at``: somebody must look."""

    domain = models.TextField(primary_key=True)
    exchangers = ArrayField(models.TextField(), default=list)
    looked_up_at = models.DateTimeField(null=True)
    expires = models.DateTimeField()

    class Meta:
        db_table = "mail_domain"
        indexes = [models.Index(fields=["expires"], name="mail_domain_expires")]
