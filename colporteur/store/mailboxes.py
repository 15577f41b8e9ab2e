"""IMAP and POP3 accounts we collect from, and the ledger of what was taken."""

from __future__ import annotations

from django.db import models

from colporteur.store.arrivals import Arrival
from colporteur.store.lists import List


class Mailbox(models.Model):
    """An account we collect from, for one list."""

    list = models.OneToOneField(List, models.CASCADE, related_name="mailbox")
    kind = models.TextField()  # imap or pop3
    host = models.TextField()
    port = models.IntegerField()
    user = models.TextField()
    password_sealed = models.TextField()
    tls = models.TextField(default="ssl")  # ssl, starttls, none
    self_signed = models.BooleanField(default=False)  # accept a certificate nobody vouches for
    folder = models.TextField(default="INBOX")
    move_to = models.TextField(default="", blank=True)  # folder for what was taken; empty: delete
    every = models.IntegerField(default=60)  # seconds between looks where IDLE is not offered
    enabled = models.BooleanField(default=True)
    traits = models.JSONField(default=dict)  # plus_part, from_address, envelope_sender: what the live test saw
    # Health.
    last_success = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)  # in a row
    next_try = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailbox"

    def __str__(self) -> str:
        return f"{self.user} on {self.host}"


class Collected(models.Model):
    """One message seen in a mailbox: committed with its arrival, moved or deleted only afterwards."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE)
    validity = models.BigIntegerField(default=0)  # UIDVALIDITY; 0 for POP3
    uid = models.TextField()  # UID or UIDL
    arrival = models.ForeignKey(Arrival, models.SET_NULL, null=True)
    at = models.DateTimeField()
    removed = models.BooleanField(default=False)  # moved or deleted from the mailbox

    class Meta:
        db_table = "collected"
        constraints = [models.UniqueConstraint(fields=["mailbox", "validity", "uid"], name="collected_once")]
