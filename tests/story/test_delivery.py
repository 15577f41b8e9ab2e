"""Stories of delivery: through Postfix in and out, and workers that are killed, stopped or stand still in the middle."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.domain.mailings import CopyState
from colporteur.flow import mailings
from colporteur.store.mailings import Copy, Mailing, Slice
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.ports import wait_until
from tests.servers.postfix import Postfix
from tests.servers.sink import Session, Sink
from tests.story.scenes import Installation, a_list, a_transport, message

CONNECTIONS = 5
BOUND = MOST_UNSETTLED + CONNECTIONS  # what kill -9 of one worker may repeat: the published number


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "installation", options={"COLPORTEUR_LEASE": "2", "COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}) as made:
        yield made


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink(keep_data=False) as sink:
        yield sink


def settled(installation: Installation, sink: Sink) -> set[str]:
    """Recipients whose acceptance is recorded, once nothing of a dead worker moves any more."""

    def quiet() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
            return cursor.fetchone()[0] == 0 and sink.open == 0

    wait_until(quiet, 30)
    return set(Copy.objects.filter(state=CopyState.SENT).values_list("address__email", flat=True))


def test_a_post_by_postfix_reaches_5000_members_through_postfix(installation: Installation, sink: Sink, tmp_path: Path) -> None:
    installation.start("receive", "worker")
    with Postfix(tmp_path / "postfix", lists={"lists.example": ("127.0.0.1", installation.lmtp_port)}, relay=("127.0.0.1", sink.port)) as postfix:
        a_transport(f"smtp://127.0.0.1:{postfix.port}")
        list_ = a_list(members=5000, posting="world")
        postfix.send("anna@members.example", [list_.address], message("anna@members.example", list_.address))
        wait_until(lambda: Mailing.objects.filter(list=list_, state="done").exists(), 120, installation.words("worker")[-3000:])
        wait_until(lambda: len(sink.taken) >= 5000, 180, f"Postfix relayed {len(sink.taken)}")
        assert sink.received() == Counter({f"member-{number:06}@members.example": 1 for number in range(1, 5001)})
        assert len({one.sender for one in sink.taken}) == 5000 and all(one.sender.startswith("amis-bounces+") for one in sink.taken)
        mailing = Mailing.objects.get(list=list_)
        assert mailings.totals(mailing.id).counts == {"queued": 0, "sent": 5000, "deferred": 0, "failed": 0, "cancelled": 0}
        sound(mailing)


def test_kill_9_of_the_worker_30_times_misses_nobody_and_repeats_no_recorded_copy(installation: Installation, sink: Sink) -> None:
    members, kills, points = 4500, 30, random.Random(20261121)
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=members))
    victim: dict[str, int] = {}

    def script(event: str, argument: str, session: Session) -> None:
        """The knife falls in the middle of some dialogue: at the event and the message the seed chose."""
        if victim and event == victim["event"] and len(sink.taken) >= victim["at"]:
            os.kill(victim["pid"], signal.SIGKILL)
            victim.clear()

    sink.script = script  # type: ignore[assignment]
    recorded: set[str] = set()
    before = 0
    for _ in range(kills):
        installation.start("worker")
        victim.update(pid=installation.parts["worker"].pid, at=len(sink.taken) + points.randrange(1, 140), event=points.choice(["MAIL", "RCPT", "DATA", "BODY"]))  # type: ignore[dict-item]
        wait_until(lambda: installation.parts["worker"].poll() is not None or is_in(mailing, "done")(), 60, installation.words("worker")[-3000:])
        installation.kill("worker")
        victim.clear()
        now_recorded = settled(installation, sink)
        again = {one.recipient for one in sink.taken[before:]} & recorded
        assert not again, f"recorded as accepted and sent again: {again}"
        assert len({one.recipient for one in sink.taken[before:]} - now_recorded) <= BOUND, "the published bound"
        recorded, before = now_recorded, len(sink.taken)
    sink.script = None
    installation.start("worker")
    wait_until(is_in(mailing, "done"), 60, installation.words("worker")[-3000:])
    assert not {one.recipient for one in sink.taken[before:]} & recorded
    assert len(sink.received()) == members, "somebody is missing"
    assert sink.repeated() <= kills * BOUND
    assert mailings.totals(mailing.id).sent == members
    installation.stop("worker")
    sound(mailing)


def test_sigterm_in_the_middle_repeats_and_loses_nothing_within_ten_seconds(installation: Installation, sink: Sink) -> None:
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=4000))
    for goal in (200, 900, 2000):
        installation.start("worker")
        wait_until(lambda goal=goal: len(sink.taken) > goal, 60)
        began = time.monotonic()
        assert installation.stop("worker") == {"worker": 0}
        assert time.monotonic() - began < 10
        assert len(settled(installation, sink)) == len(sink.taken)
        assert not Slice.objects.filter(lease_until__isnull=False, done=False).exists(), "leases are given back"
        sound(mailing)
    installation.start("worker")
    wait_until(is_in(mailing, "done"), 60)
    assert len(sink.received()) == 4000 and sink.repeated() == 0


def test_a_worker_that_stood_still_past_its_lease_sends_nothing_a_second_one_has_taken(installation: Installation, sink: Sink, tmp_path: Path) -> None:
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=4000))
    installation.start("worker")
    wait_until(lambda: len(sink.taken) > 300, 60)
    still = installation.parts["worker"].pid
    os.kill(still, signal.SIGSTOP)
    try:
        with Installation(tmp_path / "second", options={"COLPORTEUR_LEASE": "2", "COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}) as second:
            second.start("worker")
            wait_until(is_in(mailing, "done"), 60, second.words("worker")[-3000:])
            taken = len(sink.taken)
            os.kill(still, signal.SIGCONT)
            assert installation.stop("worker") == {"worker": 0}
    finally:
        if "worker" in installation.parts:
            os.kill(still, signal.SIGCONT)
    # Each connection had a body on its way, and pipelined the transaction after it: both began before the lease ended.
    assert len(sink.taken) <= taken + 2 * CONNECTIONS, "only what was in the dialogue already"
    assert len(sink.received()) == 4000 and sink.repeated() <= BOUND
    assert mailings.totals(mailing.id).sent == 4000
    sound(mailing)


def test_pauses_and_resumes_in_the_middle_repeat_and_lose_nothing(installation: Installation, sink: Sink) -> None:
    points = random.Random(7)
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=4000))
    installation.start("worker")
    while len(sink.taken) < 2500:
        goal = len(sink.taken) + points.randrange(1, 200)
        wait_until(lambda goal=goal: len(sink.taken) >= goal, 60)
        if mailings.pause(mailing.id, timezone.now(), "somebody"):
            mailings.resume(mailing.id, timezone.now(), "somebody")
    wait_until(is_in(mailing, "done"), 60)
    assert len(sink.received()) == 4000 and sink.repeated() == 0
    installation.stop("worker")
    sound(mailing)
