"""Ways out. The URL with its password is sealed; health is kept beside it."""

from __future__ import annotations

from django.db import models

from colporteur.store.organisations import Organisation


class Transport(models.Model):
    """A way out: SMTP relay, folder of files, later ESP APIs."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="transports")  # null: every organisation may use it
    name = models.TextField(unique=True)
    kind = models.TextField()  # adapters.transports.KINDS
    url_sealed = models.TextField()  # store.sealed
    traits = models.JSONField(default=dict)  # what a live test learned: envelope_sender, from_address ...
    enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    connections = models.SmallIntegerField(default=0)  # parallel connections of one worker; 0: the installation's default
    by_destination = models.BooleanField(null=True)  # groups of destinations have their limits here; null: when the transport has limits itself
    # Health.
    last_success = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)  # in a row
    trials = models.SmallIntegerField(default=0)  # looks without mail that found it well since it last took mail after a trouble
    next_try = models.DateTimeField(null=True)  # no slice is claimed for it before
    last_error = models.TextField(default="", blank=True)
    told_at = models.DateTimeField(null=True)  # owners were told of the present trouble
    checked_at = models.DateTimeField(null=True)  # last look at it without mail; written before, so that one worker looks
    removed = models.DateTimeField(null=True)  # gone; the row stays for the mailings that left by it

    class Meta:
        db_table = "transport"
        constraints = [models.UniqueConstraint(fields=["is_default"], condition=models.Q(is_default=True, organisation__isnull=True), name="transport_one_default")]

    def __str__(self) -> str:
        return self.name
