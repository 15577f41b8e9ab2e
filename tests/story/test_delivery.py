"""Stories of delivery: through Postfix in and out, and workers that are killed, stopped or stand still in the middle."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
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
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_list, a_transport, message

CONNECTIONS = 5
OPTIONS = {"COLPORTEUR_LEASE": "2", "COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}
ALIVE = {"COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}  # of workers that nobody kills: a lease of two seconds ends on a machine that is busy elsewhere
BOUND = MOST_UNSETTLED + CONNECTIONS  # what kill -9 of one worker may repeat: the published number


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "installation", options=OPTIONS) as made:
        yield made


@pytest.fixture
def alive(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "alive", options=ALIVE) as made:
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
        wait_until(lambda: Mailing.objects.filter(list=list_, state="done").exists(), 120, lambda: installation.words("worker")[-3000:])
        wait_until(lambda: len(sink.taken) >= 5000, 180, f"Postfix relayed {len(sink.taken)}")
        assert sink.received() == Counter({f"member-{number:06}@members.example": 1 for number in range(1, 5001)})
        assert len({one.sender for one in sink.taken}) == 5000 and all(one.sender.startswith("amis-bounces+") for one in sink.taken)
        mailing = Mailing.objects.get(list=list_)
        assert mailings.totals(mailing.id).counts == {"queued": 0, "sent": 5000, "deferred": 0, "failed": 0, "cancelled": 0}
        sound(mailing)


def test_kill_9_of_the_worker_misses_nobody_and_repeats_no_recorded_copy(installation: Installation, sink: Sink) -> None:
    members, kills, apart = (20_000, 20, 900) if FULL else (2500, 10, 240)
    points = random.Random(20261121)
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
    before = most = 0
    for _ in range(kills):
        installation.start("worker")
        victim.update(pid=installation.parts["worker"].pid, at=len(sink.taken) + points.randrange(1, apart), event=points.choice(["MAIL", "RCPT", "DATA", "BODY"]))  # type: ignore[dict-item]
        wait_until(lambda: installation.parts["worker"].poll() is not None or is_in(mailing, "done")(), 60, lambda: installation.words("worker")[-3000:])
        installation.kill("worker")
        victim.clear()
        now_recorded = settled(installation, sink)
        again = {one.recipient for one in sink.taken[before:]} & recorded
        assert not again, f"recorded as accepted and sent again: {again}"
        lost = len({one.recipient for one in sink.taken[before:]} - now_recorded)
        assert lost <= BOUND, "the published bound"
        recorded, before, most = now_recorded, len(sink.taken), max(most, lost)
    sink.script = None
    installation.start("worker")
    wait_until(is_in(mailing, "done"), 60, lambda: installation.words("worker")[-3000:])
    assert not {one.recipient for one in sink.taken[before:]} & recorded
    assert len(sink.received()) == members, "somebody is missing"
    assert sink.repeated() <= kills * BOUND
    assert mailings.totals(mailing.id).sent == members
    installation.stop("worker")
    sound(mailing)
    print(f"{kills} kills, {members} copies: {sink.repeated()} repeated, at most {most} a kill (bound {BOUND})")


def test_sigterm_in_the_middle_repeats_and_loses_nothing(alive: Installation, sink: Sink) -> None:
    members, stops = (20_000, 50) if FULL else (4000, 6)
    points = random.Random(50)
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=members))
    slowest = 0.0
    for _ in range(stops):
        goal = len(sink.taken) + points.randrange(1, members // stops * 3 // 4)
        alive.start("worker")
        wait_until(lambda goal=goal: len(sink.taken) >= goal or is_in(mailing, "done")(), 60, lambda: alive.words("worker")[-3000:])
        began = time.monotonic()
        assert alive.stop("worker") == {"worker": 0}
        slowest = max(slowest, time.monotonic() - began)
        assert len(settled(alive, sink)) == len(sink.taken)
        assert not Slice.objects.filter(lease_until__isnull=False, done=False).exists(), "leases are given back"
        sound(mailing)
    alive.start("worker")
    wait_until(is_in(mailing, "done"), 60)
    assert len(sink.received()) == members and sink.repeated() == 0
    print(f"{stops} stops, the slowest {slowest:.1f} s")
    assert not FULL or slowest < 10, "on a machine with nothing else to do"


@pytest.mark.parametrize("workers", [2, 4])
def test_no_copy_is_sent_by_two_workers(workers: int, alive: Installation, sink: Sink, tmp_path: Path) -> None:
    members, others, points = (10_000, 8, random.Random(workers)) if FULL else (2000, 5, random.Random(workers))
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    lists = [a_list(f"list{number}@lists.example", members=members if number == 0 else points.randrange(1, 700)) for number in range(others)]
    refused = {f"member-{points.randrange(1, members):06}@members.example" for _ in range(40)}  # put off, and gathered in slices of their own
    tried: Counter[tuple[str, str]] = Counter()

    def script(event: str, argument: str, session: Session) -> str | None:
        if event == "RCPT" and argument in refused and not tried[session.sender.partition("+")[0], argument]:
            tried[session.sender.partition("+")[0], argument] += 1
            return "450 4.2.1 Later"
        return None

    sink.script = script
    open_ = [a_mailing(list_, message(to=list_.address, subject=list_.address)) for list_ in lists]
    with ExitStack() as stack:
        all_ = [alive, *(stack.enter_context(Installation(tmp_path / f"{number}", options=ALIVE)) for number in range(1, workers))]
        for one in all_:
            one.start("worker")

        def finished() -> bool:
            Slice.objects.filter(done=False, due_at__gt=timezone.now()).update(due_at=timezone.now())  # the wait is over
            return all(is_in(mailing, "done")() for mailing in open_)

        wait_until(finished, 180, lambda: "\n".join(one.words("worker")[-1000:] for one in all_))
        assert sink.repeated() == 0
        assert len(sink.taken) == sum(mailings.totals(mailing.id).sent for mailing in open_) == sum(mailings.totals(mailing.id).total for mailing in open_)
        for one in all_:
            assert one.stop("worker") == {"worker": 0}
            assert "Traceback" not in one.words("worker"), one.words("worker")[-3000:]
    for mailing in open_:
        sound(mailing)


def test_a_worker_that_stood_still_past_its_lease_sends_nothing_a_second_one_has_taken(installation: Installation, sink: Sink, tmp_path: Path) -> None:
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=4000))
    installation.start("worker")
    wait_until(lambda: len(sink.taken) > 300, 60)
    still = installation.parts["worker"].pid
    os.kill(still, signal.SIGSTOP)
    try:
        with Installation(tmp_path / "second", options=OPTIONS) as second:
            second.start("worker")
            wait_until(is_in(mailing, "done"), 60, lambda: second.words("worker")[-3000:])
            taken = len(sink.taken)
            os.kill(still, signal.SIGCONT)
            assert installation.stop("worker")["worker"] in (0, 1), "1: the database ended a transaction it had left open for long"
    finally:
        if "worker" in installation.parts:
            os.kill(still, signal.SIGCONT)
    # Each connection had a body on its way, and pipelined the transaction after it: both began before the lease ended.
    assert len(sink.taken) <= taken + 2 * CONNECTIONS, "only what was in the dialogue already"
    assert len(sink.received()) == 4000 and sink.repeated() <= BOUND
    assert mailings.totals(mailing.id).sent == 4000
    sound(mailing)


def test_pauses_and_resumes_in_the_middle_repeat_and_lose_nothing(alive: Installation, sink: Sink) -> None:
    points = random.Random(7)
    a_transport(f"smtp://127.0.0.1:{sink.port}")
    mailing = a_mailing(a_list(members=4000))
    alive.start("worker")
    while len(sink.taken) < 2500:
        goal = len(sink.taken) + points.randrange(1, 200)
        wait_until(lambda goal=goal: len(sink.taken) >= goal, 60)
        if mailings.pause(mailing.id, timezone.now(), "somebody"):
            mailings.resume(mailing.id, timezone.now(), "somebody")
    wait_until(is_in(mailing, "done"), 60)
    assert len(sink.received()) == 4000 and sink.repeated() == 0
    alive.stop("worker")
    sound(mailing)
