"""A primary that is lost in mid-send and its synchronous standby, on Debian's own PostgreSQL: docs/scaling.md, tried."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError, connection

from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from tests.daemons.delivering import sound
from tests.servers.installation import Installation
from tests.servers.machines import Machine, Network
from tests.servers.ports import wait_until
from tests.servers.replication import PASSWORD, Cluster
from tests.servers.sink import Sink
from tests.story.databases import led, open_folder
from tests.story.numbers import FULL
from tests.story.scenes import a_list, a_transport, message
from tests.story.test_database_away import supervised, told
from tests.story.test_delivery import BOUND

MEMBERS = 10_000 if FULL else 3000
LEASE = {"COLPORTEUR_LEASE": "20"} if FULL else {}  # as it is without being set
ALL, ONE = "amis@lists.example", "une@lists.example"


class Pair:
    """The primary ``first`` and the standby ``second``, which has every commit on its disk before anybody is told."""

    def __init__(self, folder: Path, *machines: Machine) -> None:
        self.first, self.second = (Cluster(folder, name, machine) for name, machine in zip(("first", "second"), machines or (None, None), strict=True))

    @property
    def url(self) -> str:
        """As the document says: both hosts, and whichever is the primary."""
        places = ",".join(f"{one.address}:{one.port}" for one in (self.first, self.second))
        return f"postgresql://colporteur:{quote(PASSWORD, safe='')}@{places}/colporteur?target_session_attrs=read-write"

    def make(self) -> None:
        """Both run, the second follows the first, and the first waits for it."""
        self.first.make()
        self.second.follow(self.first)
        self.first.do("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (second)'", "SELECT pg_reload_conf()")
        wait_until(lambda: self.first.do("SELECT 1 FROM pg_stat_replication WHERE application_name = 'second' AND sync_state = 'sync'"), 60, "no synchronous standby")

    def stop(self) -> None:
        """Both end."""
        self.first.kill()
        self.second.kill()


@pytest.fixture
def stack(django_db_blocker: Any) -> Iterator[ExitStack]:
    with ExitStack() as stack, django_db_blocker.unblock():
        yield stack


def a_pair(stack: ExitStack, blocker: Any, *machines: Machine) -> Pair:
    """Made, and Django's connection of this process leads there, until ``stack`` ends."""
    pair = Pair(stack.enter_context(open_folder()), *machines)
    stack.callback(pair.stop)
    pair.make()
    hosts, ports = (",".join(str(getattr(one, name)) for one in (pair.first, pair.second)) for name in ("address", "port"))
    stack.enter_context(led(blocker, NAME="colporteur", USER="colporteur", PASSWORD=PASSWORD, HOST=hosts, PORT=ports, OPTIONS={"target_session_attrs": "read-write", "connect_timeout": "3"}))
    return pair


def hand_over(port: int, subject: str, to: str = ALL) -> int:
    """Code of the receiver's answer to a post of Anna's."""
    with smtplib.LMTP("127.0.0.1", port, timeout=120) as client:
        client.ehlo()
        client.mail("anna@members.example")
        code, _words = client.rcpt(to)
        return client.data(message(to=to, subject=subject))[0] if code == 250 else code


def done(subject: str) -> Callable[[], bool]:
    """Whether everybody has it; a database that is away says nothing about it."""

    def seen() -> bool:
        try:
            return Mailing.objects.filter(post__subject=subject, state="done").exists()
        except OperationalError:
            connection.close()
            return False

    return seen


def no_commit_without_the_standby(pair: Pair, installation: Installation) -> None:
    """The first post is answered when the standby, away at first, has it."""
    answers: list[int] = []
    pair.second.stop()
    waiting = threading.Thread(target=lambda: answers.append(hand_over(installation.lmtp, "Before")))
    waiting.start()
    wait_until(lambda: pair.first.do("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'colporteur' AND query = 'COMMIT'"), 60, "no commit waits")
    assert not answers, "250 before the standby has it"
    pair.second.start()
    waiting.join()
    assert answers == [250]


def taken_over(pair: Pair, tmp_path: Path, lose: Callable[[], None]) -> None:
    """Everything the document says of a fail-over; ``lose`` takes the primary away."""
    log = tmp_path / "said"
    installation = supervised(tmp_path / "var", DATABASE_URL=pair.url, **LEASE)
    with Sink(keep_data=False, pause=0.001) as sink:
        sink.limit = MEMBERS // 2  # until the primary is lost, however slow we are
        try:
            installation.start(log=log)
            installation.wait_until_ready(log)
            a_transport(f"smtp://127.0.0.1:{sink.port}")
            a_list(ALL, members=MEMBERS, posting="world")
            a_list(ONE, members=["bob@members.example"], posting="world")
            no_commit_without_the_standby(pair, installation)

            wait_until(lambda: len(sink.taken) > MEMBERS // 4, 90, lambda: told(log, sink))
            connection.close()  # ours would wait for a silent host as long as the kernel does
            lose()
            sink.limit = inf
            assert hand_over(installation.lmtp, "Too early") == 451
            wait_until(lambda: ("ended part=worker" if FULL else "lost_database") in log.read_text(), 90, lambda: told(log, sink))
            pair.second.promote()
            promoted, before = time.monotonic(), len(sink.taken)
            wait_until(lambda: len(sink.taken) > before, 90, lambda: told(log, sink))
            print(f"{time.monotonic() - promoted:.1f} s from the promotion to the next copy")
            wait_until(done("Before"), 180, lambda: told(log, sink))
            lives = log.read_text().count("log=work event=working")
            print(f"{time.monotonic() - promoted:.1f} s to the last one; {sink.repeated()} repeated, workers started {lives} times")
            assert len(sink.received()) == MEMBERS, "somebody is missing"
            assert sink.repeated() <= lives * BOUND

            installation.wait_until_ready(log)
            wait_until(lambda: len(pair.second.do("SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'listen %'")) >= 2, 60, "nobody hears of wake-ups and pauses")
            assert hand_over(installation.lmtp, "Afterwards", ONE) == 250
            wait_until(done("Afterwards"), 90, lambda: told(log, sink))
            assert set(Post.objects.values_list("subject", flat=True)) == {"Before", "Afterwards"}
            sound(Mailing.objects.get(post__subject="Before"))
            assert installation.stop() == 0
        finally:
            installation.kill()


def test_a_standby_takes_over_from_a_primary_that_is_killed_in_mid_send(stack: ExitStack, django_db_blocker: Any, tmp_path: Path) -> None:
    pair = a_pair(stack, django_db_blocker)
    taken_over(pair, tmp_path, pair.first.kill)


@pytest.mark.skipif(not FULL, reason="half a minute of silence on the wire: STORIES=full, as root")
def test_a_standby_takes_over_from_a_primary_whose_cable_is_pulled(stack: ExitStack, django_db_blocker: Any, tmp_path: Path) -> None:
    network = stack.enter_context(Network())
    machines = [network.machine(name) for name in ("db1", "db2", "host")]
    with machines[2].inside():
        pair = a_pair(stack, django_db_blocker, *machines[:2])
        taken_over(pair, tmp_path, machines[0].cut_off)
