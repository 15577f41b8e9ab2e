"""Wake-ups and rounds: rows are the truth, a job only says "look now"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import uvloop
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from colporteur.daemons import work
from colporteur.daemons.run import parts_of, workers_here
from colporteur.daemons.threads import close_connections, in_thread
from colporteur.daemons.tick import Round
from colporteur.domain.transports import Share
from colporteur.flow import mailings
from colporteur.store.jobs import DUE, Wake, wake
from colporteur.store.mailings import Mailing
from tests.daemons.delivering import a_mailing, a_post, is_in
from tests.servers.sink import Sink
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 3600.0


@pytest.fixture(autouse=True)
def no_jobs(transactional_db: None) -> None:
    """Other tests leave wake-ups: the tables are not Django's to empty."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


def jobs() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id")
        return cursor.fetchall()


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """A scene on an event loop, the threads' connections closed behind it."""

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await scene()

    try:
        uvloop.run(bounded())
    finally:
        close_connections()


async def until(true: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.01)


def test_a_wake_up_rolls_back_with_its_transaction_and_is_enqueued_once() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wake(Wake.PLAN)
        raise ZeroDivisionError
    assert jobs() == []
    for _ in range(3):
        with transaction.atomic():
            wake(Wake.PLAN)
            assert Mailing.objects.count() == 0, "the transaction goes on although it was enqueued already"
    assert jobs() == [("plan", "todo")]


def test_waking_inside_a_worker_rolls_back_and_waits_for_the_commit() -> None:
    """What ``task.defer()`` gets wrong: it would use the worker's pool instead of this transaction."""
    seen: list[str] = []
    may_commit = asyncio.Event()

    def judge(fails: bool) -> None:
        with transaction.atomic():
            wake(Wake.PLAN)
            if fails:
                raise ZeroDivisionError
            loop.call_soon_threadsafe(seen.append, "woken, not committed")
            asyncio.run_coroutine_threadsafe(may_commit.wait(), loop).result(60)
            loop.call_soon_threadsafe(seen.append, "committed")

    async def do_judge() -> int:
        seen.append("judging")
        await in_thread(judge, seen.count("judging") == 1)
        return 0

    async def do_plan() -> int:
        seen.append("planning")
        return 0

    async def scene() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        rounds = {Wake.JUDGE: Round("judge", do_judge, NEVER), Wake.PLAN: Round("plan", do_plan, NEVER)}
        for one in rounds.values():
            one._woken.clear()  # nothing is due at the start of this scene
        tasks = [asyncio.create_task(one.run(stop)) for one in rounds.values()]
        listener = asyncio.create_task(work._listen({name: [one] for name, one in rounds.items()}))
        await in_thread(wake, Wake.JUDGE)
        await until(lambda: "judging" in seen)
        await in_thread(wake, Wake.JUDGE)
        await until(lambda: "woken, not committed" in seen)
        assert "planning" not in seen, "the first was rolled back, the second is not committed"
        may_commit.set()
        await until(lambda: "planning" in seen)
        assert seen.count("planning") == 1
        stop.set()
        for one in rounds.values():
            one.wake()
        await asyncio.wait(tasks)
        listener.cancel()
        await asyncio.wait([listener])

    loop: asyncio.AbstractEventLoop
    run(scene)


def test_without_any_job_the_sweep_finds_what_is_due(settings: object) -> None:
    settings.SWEEP = 0.2  # type: ignore[attr-defined]
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        list_ = a_list(members=50)
        mailing = mailings.create_for_post(a_post(list_), timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")

        async def scene() -> None:
            stop = asyncio.Event()
            worker = asyncio.create_task(work.run(stop))
            while not await in_thread(is_in(mailing, "done")):
                await asyncio.sleep(0.05)
            stop.set()
            await worker

        run(scene)
        assert len(sink.received()) == 50


def test_one_that_only_delivers_takes_nobody_elses_wake_up_and_hears_of_mail_nevertheless(settings: object) -> None:
    settings.SWEEP = 3600  # type: ignore[attr-defined]  # no sweep finds it
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        list_ = a_list(members=3)

        async def scene() -> None:
            stop = asyncio.Event()
            worker = asyncio.create_task(work.run(stop, Share(2, 2)))
            await until_listening()
            await in_thread(wake, Wake.PLAN)
            mailing = await in_thread(a_mailing, list_)
            while not await in_thread(is_in(mailing, "done")):
                await asyncio.sleep(0.05)
            stop.set()
            await worker

        run(scene)
        assert sink.received().total() == 3
    assert jobs() == [("plan", "todo")]


async def until_listening() -> None:
    """A connection listens for due mail."""

    def listening() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE query = %s AND datname = current_database())", [f"LISTEN {DUE}"])
            return bool(cursor.fetchone()[0])

    while not await in_thread(listening):
        await asyncio.sleep(0.01)


def test_a_worker_that_loses_the_database_ends_with_an_error() -> None:
    async def lost() -> int:
        raise OperationalError("terminating connection")

    async def scene() -> None:
        with pytest.raises(OperationalError):
            await Round("judge", lost, NEVER).run(asyncio.Event())

    run(scene)


def test_a_round_that_fails_is_tried_again_and_stops_nothing_else() -> None:
    calls: list[int] = []

    async def scene() -> None:
        stop = asyncio.Event()

        async def do() -> int:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError("a bug")
            stop.set()
            return 0

        await Round("judge", do, 0.01).run(stop)

    run(scene)
    assert len(calls) == 2


def test_a_mailing_at_rest_goes_on_when_its_time_has_come() -> None:
    mailing = mailings.create_for_post(a_post(a_list(members=1)), timezone.now())
    Mailing.objects.update(state="paused", pause_reason="451 Slowly", resume_at=timezone.now() + timedelta(seconds=60))
    assert mailings.resume_due(timezone.now()) == 0
    assert mailings.resume_due(timezone.now() + timedelta(seconds=61)) == 1
    mailing.refresh_from_db()
    assert (mailing.state, mailing.pause_reason, mailing.resume_at) == ("running", "", None)


@pytest.mark.parametrize("bounded", [True, False])
def test_a_transaction_of_a_frozen_worker_does_not_keep_its_rows_locked(bounded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody stops in mid-transaction; another waits for the row. Without the worker's bound, in vain."""
    monkeypatch.setattr(work, "_SILENT_MILLISECONDS", 200)
    mailing = a_mailing(a_list(members=1))
    frozen = connection.copy()
    try:
        frozen.ensure_connection()
        if bounded:
            work._as_worker(frozen)
        frozen.set_autocommit(False)
        with frozen.cursor() as cursor:
            cursor.execute("SELECT 1 FROM mailing WHERE id = %s FOR UPDATE", [mailing.id])

        def take() -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = %s", [60_000 if bounded else 1000])
                cursor.execute("SELECT 1 FROM mailing WHERE id = %s FOR UPDATE", [mailing.id])

        if bounded:
            take()
        else:
            with pytest.raises(OperationalError, match="lock timeout"):
                take()
    finally:
        frozen.close()


def test_run_starts_as_many_workers_as_asked() -> None:
    assert parts_of(2) == ("web", "receive", "collect", "worker --share 1/2", "worker --share 2/2")
    assert len(parts_of(0)) == 3 + workers_here()
    assert parts_of(100)[-1] == "worker --share 64/64", "more than a share knows would all be refused"
