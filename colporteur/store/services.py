"""What sending services tell us: the door each has, what came through it, and which of their numbers is which copy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import models

from colporteur.domain.services import Heard
from colporteur.store.copies.running import array, run
from colporteur.store.transports import Transport


class Hook(models.Model):
    """The door of a transport's service: ``/hooks/<transport>/<secret>/``."""

    transport = models.OneToOneField(Transport, models.CASCADE, primary_key=True, related_name="hook")
    secret_sealed = models.TextField()
    key_sealed = models.TextField(default="", blank=True)  # by which the service signs what it posts; "": not entered
    made = models.DateTimeField()
    heard_at = models.DateTimeField(null=True)  # last post that was taken
    heard = models.BigIntegerField(default=0)  # events
    told = models.TextField(default="", blank=True)  # the last event: domain.services.Told
    refused_at = models.DateTimeField(null=True)  # last post that was not taken
    refused = models.TextField(default="", blank=True)  # why

    class Meta:
        db_table = "service_hook"


class ServiceEvent(models.Model):
    """One thing a service told. References are plain numbers: they outlive what they name."""

    transport = models.ForeignKey(Transport, models.CASCADE, related_name="+")
    key = models.TextField()  # the same whenever the same is told again
    told = models.TextField()  # domain.services.Told
    heard_at = models.DateTimeField()
    at = models.DateTimeField()
    email = models.TextField(default="", blank=True)
    message = models.TextField(default="", blank=True)  # the service's number
    mailing_id = models.BigIntegerField(null=True)  # null: about no copy of ours
    address_id = models.BigIntegerField(null=True)
    text = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)

    class Meta:
        db_table = "service_event"
        constraints = [models.UniqueConstraint(fields=["transport", "key"], name="service_event_once")]
        indexes = [
            models.Index(fields=["heard_at"], name="service_event_heard"),
            models.Index(fields=["transport", "-id"], name="service_event_of_nothing", condition=models.Q(mailing_id__isnull=True)),
        ]


class ServiceMessage(models.Model):
    """Which copy a service's number is, where the service does not name the copy by our token."""

    pk = models.CompositePrimaryKey("transport_id", "message")
    transport_id = models.BigIntegerField()
    message = models.TextField()
    mailing_id = models.BigIntegerField()
    address_id = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "service_message"
        indexes = [models.Index(fields=["at"], name="service_message_at")]


class Known(NamedTuple):
    """A copy by a service's number."""

    mailing: int
    address: int
    email: str


_KEEP = """
-- What was not told before, in one order, so that two posts at once do not wait for each other in a ring.
INSERT INTO service_event (transport_id, key, told, heard_at, at, email, message, text, reason)
SELECT %(transport)s, n.key, n.told, %(now)s, n.at, n.email, n.message, n.text, n.reason
  FROM unnest(%(keys)s::text[], %(told)s::text[], %(at)s::timestamptz[], %(emails)s::text[], %(messages)s::text[], %(texts)s::text[], %(reasons)s::text[]) n (key, told, at, email, message, text, reason)
 ORDER BY n.key
ON CONFLICT (transport_id, key) DO NOTHING RETURNING key
"""


def keep(transport: int, heard: Sequence[Heard], now: datetime) -> set[str]:
    """Write down what a service told; the keys of what was new. Each key once, each event with its time."""
    columns = {
        "keys": [one.key for one in heard], "told": [one.told.value for one in heard], "at": [one.at or now for one in heard], "emails": [one.email for one in heard],
        "messages": [one.message for one in heard], "texts": [one.text for one in heard], "reasons": [one.reason for one in heard],
    }  # fmt: skip
    return {row[0] for row in run(_KEEP, {"transport": transport, "now": now, **columns})}


def name(transport: int, pairs: Iterable[tuple[str, int, int | None]]) -> None:
    """Say which copy (mailing, address) each event, by its key, is about; without the address where nobody is named."""
    rows = list(pairs)
    run(
        "UPDATE service_event e SET mailing_id = n.mailing, address_id = n.address FROM unnest(%(keys)s::text[], %(mailings)s::bigint[], %(addresses)s::bigint[]) n (key, mailing, address)"
        " WHERE e.transport_id = %(transport)s AND e.key = n.key RETURNING 1",
        {"transport": transport, "keys": [row[0] for row in rows], "mailings": [row[1] for row in rows], "addresses": [row[2] for row in rows]},
    )


def number(transport: int, rows: Sequence[tuple[str, int, int]], now: datetime) -> None:
    """Keep numbers of a service: (number, mailing, address) of each. A number that comes again is the later copy's."""
    last = {row[0]: row for row in rows}
    run(
        "INSERT INTO service_message (transport_id, message, mailing_id, address_id, at) SELECT %(transport)s, n.message, n.mailing, n.address, %(now)s"
        " FROM unnest(%(messages)s::text[], %(mailings)s::bigint[], %(addresses)s::bigint[]) n (message, mailing, address) ORDER BY n.message"
        " ON CONFLICT (transport_id, message) DO UPDATE SET mailing_id = excluded.mailing_id, address_id = excluded.address_id, at = excluded.at RETURNING 1",
        {"transport": transport, "now": now, "messages": list(last), "mailings": array([row[1] for row in last.values()]), "addresses": array([row[2] for row in last.values()])},
    )


def numbered(transport: int, messages: Collection[str]) -> dict[str, Known]:
    """The copies behind a service's numbers."""
    rows = run(
        "SELECT s.message, s.mailing_id, s.address_id, a.email FROM service_message s JOIN address a ON a.id = s.address_id WHERE s.transport_id = %(transport)s AND s.message = ANY (%(messages)s::text[])",
        {"transport": transport, "messages": sorted(messages)},
    )
    return {row[0]: Known(*row[1:]) for row in rows}


def sent_since(transport: int, since: datetime) -> int:
    """Copies of the messages begun since then that left by the transport, letters included; of the last 20,000 messages."""
    return int(
        run(
            "SELECT coalesce(sum(s.sent), 0) FROM (SELECT id, started FROM mailing ORDER BY id DESC LIMIT 20000) m JOIN slice s ON s.mailing_id = m.id WHERE s.transport_id = %(transport)s AND m.started > %(since)s",
            {"transport": transport, "since": since},
        )[0][0]
    )


def forget(events: datetime, messages: datetime) -> int:
    """Delete events heard and numbers kept before these times, some at a time; how many."""
    gone = run("DELETE FROM service_event WHERE id IN (SELECT id FROM service_event WHERE heard_at < %(before)s ORDER BY heard_at LIMIT 5000) RETURNING 1", {"before": events})
    gone += run("DELETE FROM service_message WHERE (transport_id, message) IN (SELECT transport_id, message FROM service_message WHERE at < %(before)s ORDER BY at LIMIT 5000) RETURNING 1", {"before": messages})
    return len(gone)
