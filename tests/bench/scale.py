"""Whether size matters: the same post to lists of very different lengths, through the real parts into smtp-sink.

Statistics of the tables are not refreshed by hand: plans must do without, as right after an import. Short lists get the post
several times in a row, so that what is measured is copies.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from django.core.management import call_command
from django.db import connection, transaction

from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from tests.bench.fanout import cpu, database, done, peak, post
from tests.servers.ports import wait_until
from tests.servers.postfix import Sink
from tests.story.scenes import LONG_AGO, Installation, a_list, a_transport

_LEAST = 10_000  # copies of a size, by several posts when one does not make them


class Row(NamedTuple):
    """One size. ``first``: seconds from the last byte of the LMTP dialogue to the first recorded acceptance, the worst of the
    posts; CPU in ms a copy; ``memory``: peak of a fresh worker, MiB."""

    members: int
    posts: int
    first: float
    rate: float
    worker: float
    database: float
    memory: int

    def __str__(self) -> str:
        return f"{self.members:>9,} {self.posts:>5} {self.first:>12.3f} {self.rate:>9.0f} {1000 / self.rate:>8.3f} {self.worker:>10.4f} {self.database:>10.4f} {self.memory:>9}"


HEAD = f"{'members':>9} {'posts':>5} {'first copy s':>12} {'copies/s':>9} {'ms/copy':>8} {'CPU worker':>10} {'PostgreSQL':>10} {'worker MiB':>10}"


def run(home: Path, sizes: Sequence[int], size: int, sessions: int) -> None:
    """Print a row for each number of members. ``size``: bytes of the post; ``sessions``: connections."""
    call_command("migrate", verbosity=0)
    began = time.monotonic()
    _people(max(sizes))
    print(f"{max(sizes):,} addresses in {time.monotonic() - began:.0f} s\n{HEAD}", flush=True)
    options = {"COLPORTEUR_BASE_URL": "https://lists.example", "COLPORTEUR_CONNECTIONS": str(sessions), "COLPORTEUR_LOG": "warning"}
    with Sink(home / "sink").running() as sink, Installation(home / "parts", options=options) as installation:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        installation.start("receive")
        for members in sizes:
            list_ = _list(members)
            installation.start("worker")
            before = Mailing.objects.count()
            post(installation.lmtp_port, _list(1, "warm").address, members, size)
            done(before + 1, 3600, installation)
            print(_measure(installation, list_, members, size), flush=True)
            installation.stop("worker")


def _people(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO address (email, name, created) SELECT 'member-' || n || '@members.example', 'Anna Rivoire-Le Goff', %s FROM generate_series(1, %s) n", [LONG_AGO, number])


def _list(members: int, name: str = "list") -> List:
    address = f"{name}-{members}@lists.example"
    if found := List.objects.filter(address=address).first():
        return found
    footer = "-- \n{name} <{email}> receives this from {list}.\nTo leave: {unsubscribe}\n"
    list_ = a_list(address, title="Scale", posting="world", stranger="hold", from_form="author", prefix="[scale]", footer=footer)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # without triggers and checks, row by row, which are not what is measured
        cursor.execute(
            "INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by, email, called) "
            "SELECT %s, id, 'each', false, %s, '', email, colporteur_folded(name) FROM address ORDER BY id LIMIT %s",
            [list_.id, LONG_AGO, members],
        )
        cursor.execute("INSERT INTO membership_tally (list_id, paused, delivery, n) VALUES (%s, false, 'each', %s)", [list_.id, members])
    return list_


def _measure(installation: Installation, list_: List, members: int, size: int) -> Row:
    worker = psutil.Process(installation.parts["worker"].pid)
    before = cpu([worker]), cpu(database())
    posts, first, seconds = max(1, _LEAST // members), 0.0, 0.0
    for number in range(posts):
        known, began = Mailing.objects.count(), time.time()
        post(installation.lmtp_port, list_.address, number, size)
        posted = time.monotonic()
        wait_until(lambda known=known: _accepted(known), 60)
        first = max(first, time.monotonic() - posted)
        seconds += done(known + 1, 3600, installation) - began
    each = 1000 / (members * posts)
    return Row(members, posts, first, members * posts / seconds, (cpu([worker]) - before[0]) * each, (cpu(database()) - before[1]) * each, peak(worker))


def _accepted(known: int) -> bool:
    """Whether a copy of the newest mailing was recorded as accepted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM slice WHERE mailing_id = (SELECT max(id) FROM mailing) AND sent > 0) AND (SELECT count(*) > %s FROM mailing)", [known])
        return bool(cursor.fetchone()[0])
