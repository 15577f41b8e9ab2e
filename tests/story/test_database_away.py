"""What the database under a worker may do: go, come back, have no room, live in another time."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from colporteur.daemons.postgresql import Server
from colporteur.domain.mailings import CopyState
from colporteur.store.clock import Clock
from colporteur.store.mailings import Copy, Mailing
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.installation import Installation as Whole
from tests.servers.installation import processes_of
from tests.servers.ports import wait_until
from tests.servers.sink import Sink
from tests.story.databases import led_to
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_list, a_transport, join, message, shared_database
from tests.story.test_delivery import BOUND, OPTIONS


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "installation", options=OPTIONS) as made:
        yield made


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink(keep_data=False) as sink:
        yield sink


def set_clock_back_an_hour() -> None:
    """What it looks like to everybody: every moment written so far lies an hour later. All at once, like a clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'")
        columns = cursor.fetchall()
    for last in (False,) * 20 + (True,):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {', '.join(sorted({table for table, _ in columns}))} IN EXCLUSIVE MODE")
                for table, column in columns:
                    cursor.execute(f"UPDATE {table} SET {column} = {column} + interval '1 hour' WHERE {column} IS NOT NULL")
            return
        except OperationalError as error:  # a deadlock with the worker that is at it
            if last or "deadlock" not in str(error):
                raise


def test_a_clock_set_back_in_mid_send_neither_stalls_nor_repeats(installation: Installation, sink: Sink) -> None:
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    list_ = a_list(members=4000)
    first = a_mailing(list_)
    installation.start("worker")
    wait_until(lambda: len(sink.taken) > 300 and Clock.objects.exists(), 60, installation.words("worker")[-3000:])
    set_clock_back_an_hour()
    goal = len(sink.taken) + 1500
    wait_until(lambda: len(sink.taken) > goal, 60, f"it stands still\n{installation.words('worker')[-3000:]}")
    wait_until(lambda: "clock-set-back" in installation.words("worker"), 60)
    assert sink.repeated() == 0

    joined = timezone.now()
    installation.kill("worker")  # first: it must not hear of it
    set_clock_back_an_hour()  # what it held has leases that end in an hour
    recorded = set(Copy.objects.filter(state=CopyState.SENT).values_list("address__email", flat=True))
    before = len(sink.taken)
    join(list_, ["joined@members.example"], since=joined + timedelta(hours=1))
    installation.start("worker")
    wait_until(lambda: installation.words("worker").count("clock-set-back") == 2, 60, installation.words("worker")[-3000:])
    second = a_mailing(list_, message(subject="Afterwards"))
    wait_until(lambda: is_in(first, "done")() and is_in(second, "done")(), 60, installation.words("worker")[-3000:])
    assert not {one.recipient for one in sink.taken[before:] if one.message_id == sink.taken[0].message_id} & recorded
    assert sink.repeated() <= BOUND
    assert len(sink.taken) - sink.repeated() == 4000 + 4001
    installation.stop("worker")
    sound(first)
    sound(second)


def supervised(data: Path, **environment: str) -> Whole:
    """``colporteur run``, not started yet, with the key of this process."""
    made = Whole(data)
    made.environment |= OPTIONS | {"COLPORTEUR_SWEEP": "1", "COLPORTEUR_SECRET_KEY": settings.SECRET_KEY} | environment
    return made


def told(log: Path, sink: Sink) -> str:
    return f"{len(sink.taken)} taken; it said:\n{log.read_text()[-3000:]}"


def goes_on(sink: Sink, copies: int, log: Path) -> None:
    """Return when so many more were taken."""
    goal = len(sink.taken) + copies
    wait_until(lambda: len(sink.taken) >= goal, 120, told(log, sink))


def lasting_done(mailing: Mailing) -> bool:
    """Whether the mailing is done; a database that is away says nothing about it."""
    try:
        return is_in(mailing, "done")()
    except OperationalError:
        connection.close()
        return False


def test_a_database_stopped_and_started_in_mid_send(own_database: Server, sink: Sink, tmp_path: Path) -> None:
    members, stops = (20_000, 12) if FULL else (4000, 2)
    points, log = random.Random(3), tmp_path / "said"
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=members))
    installation = supervised(tmp_path / "var", DATABASE_URL=shared_database())
    installation.start(log=log)
    try:
        for stop in range(stops):
            goes_on(sink, points.randrange(1, members // stops - 200), log)
            connection.close()
            ended = log.read_text().count("ended part=worker")
            own_database.stop()
            if stop % 4 == 1:  # so long that the worker ends
                wait_until(lambda ended=ended: log.read_text().count("ended part=worker") > ended, 90, told(log, sink))
            own_database.start()
        wait_until(lambda: lasting_done(mailing), 180, told(log, sink))
        assert len(sink.received()) == members, "somebody is missing"
        lives = log.read_text().count("log=work event=working")
        assert sink.repeated() <= lives * BOUND
        assert installation.stop() == 0
        sound(mailing)
        print(f"{stops} stops, {sink.repeated()} repeated, workers started {lives} times")
    finally:
        installation.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: run as root")
def test_a_disk_that_is_full_in_mid_send_and_then_has_room(small_disk: Path, sink: Sink, tmp_path: Path, django_db_blocker: Any) -> None:
    members, log = 4000, tmp_path / "said"
    installation = supervised(small_disk / "var")
    server, ballast = Server(small_disk / "var" / "postgres"), small_disk / "ballast"
    try:
        installation.start(log=log)
        installation.wait_until_ready(log)
        with led_to(server, django_db_blocker):
            a_transport(f"smtp://127.0.0.1:{sink.port}")
            mailing = a_mailing(a_list(members=members))
            goes_on(sink, 500, log)
            subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True)  # until there is no room
            with pytest.raises(psycopg.OperationalError), psycopg.connect(server.dsn(), autocommit=True) as own:
                for _ in range(300):  # nor for the write-ahead log
                    own.execute("SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))")
            wait_until(lambda: "refused part=database" in log.read_text(), 90, told(log, sink))
            assert installation.process and installation.process.poll() is None
            ballast.unlink()
            wait_until(lambda: lasting_done(mailing), 180, told(log, sink))
            assert len(sink.received()) == members, "somebody is missing"
            assert sink.repeated() <= (1 + log.read_text().count("ended part=worker")) * BOUND
            print(f"{sink.repeated()} repeated, the worker ended {log.read_text().count('ended part=worker')} times")
            assert installation.stop() == 0
    finally:
        installation.kill()
        wait_until(lambda: not processes_of(installation.data))
