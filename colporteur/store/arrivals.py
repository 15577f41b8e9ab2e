"""What comes in: raw bytes once, the envelope, and errands (what is asked by mail other than a post)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime

from django.db import connection, models


class Blob(models.Model):
    """Raw bytes by SHA-256, once."""

    sha256 = models.BinaryField(primary_key=True)
    size = models.BigIntegerField()
    raw = models.BinaryField()

    class Meta:
        db_table = "blob"


class Arrival(models.Model):
    """A raw message with its envelope, as received."""

    blob = models.ForeignKey(Blob, models.PROTECT)
    door = models.TextField()  # lmtp, imap, pop3, web
    mail_from = models.TextField(default="", blank=True)  # empty: the null sender
    recipients = models.JSONField(default=list)  # RCPT TO, as received
    received_at = models.DateTimeField()

    class Meta:
        db_table = "arrival"
        indexes = [models.Index(fields=["received_at"], name="arrival_by_date")]


class ErrandState(models.TextChoices):
    """Where an errand stands."""

    RECEIVED = "received"
    DONE = "done"
    QUARANTINED = "quarantined"  # could not be processed; kept until somebody has it tried again or throws it away
    DISCARDED = "discarded"


class Errand(models.Model):
    """A message to a service address: owner, request, subscribe, unsubscribe, confirm, moderate, bounces."""

    arrival = models.ForeignKey(Arrival, models.CASCADE)
    list = models.ForeignKey("store.List", models.CASCADE, null=True)
    service = models.TextField()  # domain.addresses.Service
    token = models.TextField(default="", blank=True)
    recipient = models.TextField()
    state = models.TextField(choices=ErrandState.choices, default=ErrandState.RECEIVED)
    attempts = models.SmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "errand"
        indexes = [models.Index(fields=["id"], name="errand_due", condition=models.Q(state="received"))]


def keep(raw: bytes) -> bytes:
    """Store raw bytes once; the SHA-256 that names them."""
    digest = hashlib.sha256(raw).digest()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO blob (sha256, size, raw) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", [digest, len(raw), raw])
    return digest


def name_of(raw: bytes) -> bytes:
    """The SHA-256 that names raw bytes."""
    return hashlib.sha256(raw).digest()


Asked = tuple[bytes, int | None, str, str]
"""(blob, list, service, token): what makes two errands the same."""


def asked(blobs: Collection[bytes], since: datetime) -> dict[Asked, int | None]:
    """The errands these blobs made since then, oldest first. Discarded ones do not count."""
    found = Errand.objects.filter(arrival__blob__in=blobs, received_at__gt=since).exclude(state=ErrandState.DISCARDED).order_by("-id")
    rows = found.values_list("id", "arrival__blob_id", "list_id", "service", "token")
    return {(bytes(blob), list_, service, token): id_ for id_, blob, list_, service, token in rows}
