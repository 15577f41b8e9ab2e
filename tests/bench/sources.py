"""How long a source of 100,000 members takes when nothing changed there, from the first byte asked to the commit; and the first time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from django.core.management import call_command
from django.utils import timezone

from colporteur.daemons.sources import ask
from colporteur.daemons.threads import close_connections
from colporteur.domain.sources import Kind, Setting
from colporteur.flow import lists, organisations, sources
from colporteur.store.sources import Source
from tests.bench.fanout import cpu, database
from tests.servers.http import Web

MEMBERS = 100_000


@dataclass(frozen=True)
class Run:
    """Seconds of the first run, which adds everybody, and of the later ones, which change nothing: by the clock, and of a processor
    (PostgreSQL included, which differs little when other work goes on beside)."""

    members: int
    first: tuple[float, float]
    unchanged: list[tuple[float, float]]

    def __str__(self) -> str:
        first, *later = [f"{seconds:.2f} s (processor {busy:.2f} s)" for seconds, busy in (self.first, *self.unchanged)]
        return f"source of {self.members:,} members over HTTP: first time {first}; unchanged {', '.join(later)} (goal: 5 s)"


def run(members: int = MEMBERS, times: int = 3) -> Run:
    """Set up a list that follows a table on the web, and ask it again and again. On the database Django knows."""
    call_command("migrate", verbosity=0)
    now = timezone.now()
    organisations.add_domain("lists.example", None, now, by="bench")
    list_ = lists.create("followers@lists.example", "discussion", "owner@lists.example", now, by="bench")
    with Web() as web:
        web.held["/members.csv"] = b"email;name;basket\n" + b"".join(b"member-%06d@members.example;Member %06d;large\n" % (number, number) for number in range(members))
        source = sources.add(list_, Setting(Kind.CSV, f"{web.url}/members.csv", internal=True), now, by="bench")
        first, *later = [_seconds(source) for _time in range(1 + times)]
    found = Source.objects.get(pk=source.pk)
    assert (found.counts["unchanged"], found.counts["added"], found.counts["removed"]) == (members, 0, 0), found.error
    close_connections()
    return Run(members, first, later)


def _seconds(source: Source) -> tuple[float, float]:
    claimed = sources.claim_one(source.pk, timezone.now())
    assert claimed
    began, busy = time.monotonic(), _busy()
    asyncio.run(ask(claimed))
    return time.monotonic() - began, _busy() - busy


def _busy() -> float:
    return time.process_time() + cpu(database())
