"""Signs of life of the parts, on whichever machine they run (the database's clock on both sides), and what is up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection, models
from django.db.models.functions import Now

from colporteur import __version__
from colporteur.store import schema

STALE = timedelta(seconds=15)


class Heartbeat(models.Model):
    """One running process of a part; deleted when it ends, stale when it died."""

    part = models.TextField()  # receive, collect, worker; delivery: a worker that only delivers
    host = models.TextField()
    pid = models.IntegerField()
    at = models.DateTimeField()
    release = models.TextField(default="", blank=True)

    class Meta:
        db_table = "heartbeat"
        constraints = [models.UniqueConstraint(fields=["part", "host", "pid"], name="heartbeat_of_process")]


def beat(part: str, host: str, pid: int) -> None:
    """This process lives; rows nobody renewed for a day are swept out on the way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO heartbeat (part, host, pid, at, release) VALUES (%s, %s, %s, clock_timestamp(), %s)"
            " ON CONFLICT (part, host, pid) DO UPDATE SET at = excluded.at, release = excluded.release",
            [part, host, pid, __version__],
        )
    Heartbeat.objects.filter(at__lt=Now() - timedelta(days=1)).delete()


def ended(host: str, pid: int) -> None:
    """This process is no more."""
    Heartbeat.objects.filter(host=host, pid=pid).delete()


def living() -> dict[str, int]:
    """Part -> how many processes of it showed a sign of life lately."""
    found = Heartbeat.objects.filter(at__gt=Now() - STALE).values_list("part").annotate(count=models.Count("id"))
    return dict(found)


def releases() -> dict[str, list[str]]:
    """Release -> living parts of it, each as ``part on host``."""
    found: dict[str, list[str]] = {}
    for release, part, host in Heartbeat.objects.filter(at__gt=Now() - STALE).order_by("release", "part", "host").values_list("release", "part", "host").distinct():
        found.setdefault(release, []).append(f"{part} on {host}")
    return found


@dataclass(frozen=True)
class Health:
    """State of the installation."""

    database: bool
    schema: str  # behind, current, ahead; empty when the database is away
    parts: dict[str, int] = field(default_factory=dict)  # expected part -> living processes

    @property
    def down(self) -> list[str]:
        """What is down: database, schema, or names of parts; empty when everything is up."""
        if not self.database:
            return ["database"]
        if self.schema != schema.State.CURRENT:
            return ["schema"]
        return [part for part, count in self.parts.items() if not count]


def expected() -> tuple[str, ...]:
    """The parts that must live beside the web server that is asked."""
    return ("receive", "collect", "worker") if settings.LMTP else ("collect", "worker")


def look() -> Health:
    """Ask the database once. Never raises."""
    try:
        found = schema.state()
        alive = living() if found is schema.State.CURRENT else {}
    except DatabaseError:
        connection.close()
        return Health(database=False, schema="")
    return Health(database=True, schema=found.value, parts={part: alive.get(part, 0) for part in expected()})
