"""IMAP and POP3 accounts we collect from, and the ledger of what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, models

from colporteur.store.arrivals import Arrival
from colporteur.store.instances import Shape
from colporteur.store.lists import List


class Mailbox(models.Model):
    """An account we collect from, for one list: what the list gets, or only what comes back of its copies."""

    list = models.OneToOneField(List, models.CASCADE, related_name="mailbox")
    kind = models.TextField()  # imap or pop3
    only_reports = models.BooleanField(default=False)  # the list's copies name it as envelope sender; the list itself is run elsewhere
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
    internal = models.BooleanField(default=False)  # an administrator of the site named it: it may lie inside our own network
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


_SHAPE = Shape(Mailbox, "m")


def of_list(list_: int) -> Mailbox | None:
    """The mailbox of a list."""
    return next(iter(_SHAPE.read(f"SELECT {_SHAPE.columns} FROM mailbox m WHERE m.list_id = %s", [list_])), None)


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


class LeftBehind(models.Model):
    """A message that could not be taken and stays where it is, so that it never stands in the way of others."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE)
    validity = models.BigIntegerField(default=0)
    uid = models.TextField()
    attempts = models.SmallIntegerField(default=1)
    next_try = models.DateTimeField(null=True)  # null: not again, somebody must look
    error = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "left_behind"
        constraints = [models.UniqueConstraint(fields=["mailbox", "validity", "uid"], name="left_behind_once")]


Key = tuple[int, int, str]
"""(mailbox, validity, uid)."""


def enter(keys: Sequence[tuple[int | None, int, str]], now: datetime) -> set[Key]:
    """Enter messages in the ledger; those that were not there. Waits for another transaction entering the same."""
    if not keys:
        return set()
    rows = sorted({(mailbox, validity, uid) for mailbox, validity, uid in keys if mailbox is not None})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO collected (mailbox_id, validity, uid, at, removed) SELECT m, v, u, %s, false FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS new (m, v, u)"
            " ON CONFLICT DO NOTHING RETURNING mailbox_id, validity, uid",
            [now, *(list(column) for column in zip(*rows, strict=True))],
        )
        return {(mailbox, validity, uid) for mailbox, validity, uid in cursor.fetchall()}


def tie(rows: Sequence[tuple[int, int, str, int]]) -> None:
    """Write the arrival beside its entry: (mailbox, validity, uid, arrival)."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE collected SET arrival_id = a FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[]) AS new (m, v, u, a)"
                " WHERE mailbox_id = m AND validity = v AND uid = u",
                [list(column) for column in zip(*rows, strict=True)],
            )


def withdraw(keys: Sequence[Key]) -> None:
    """Take entries back: the message stays in its mailbox and is looked at again."""
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM collected USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS new (m, v, u) WHERE mailbox_id = m AND validity = v AND uid = u",
                [list(column) for column in zip(*keys, strict=True)],
            )
