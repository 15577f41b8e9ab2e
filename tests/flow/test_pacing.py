"""Buckets as rows: workers at once, workers that die with slots in hand, clocks that are set."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from math import inf

import pytest
from django.db import connection

from colporteur.domain.pacing import Cadence
from colporteur.flow import pacing
from colporteur.flow.pacing import Lane, Line, Report, Want
from colporteur.store import buckets
from colporteur.store.buckets import BucketRow, SlotsOut
from tests.domain.test_pacing import most_in_a_window

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = 20.0
FREE = Line()


class Clock:
    """A monotonic clock and the database's, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tick, self.shift = 1000.0, 1_790_000_000.0
        monkeypatch.setattr(buckets, "clock", lambda: self.tick + self.shift)

    def __call__(self) -> float:
        return self.tick


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Worker:
    """Asks for slots on its own, with its own memory of what it touched."""

    def __init__(self, number: int, tick: Clock, account: str = "") -> None:
        self.lane, self.tick, self.touched = Lane(number, 1, account), tick, dict[int, float]()

    def ask(self, *wants: Want, reports: tuple[Report, ...] = ()) -> list[pacing.Given]:
        answer = pacing.reserve(self.lane, wants, reports, self.touched, LEASE, self.tick)
        self.touched |= answer.touched
        return answer.given

    def slots(self, number: int, line: Line = FREE, cadence: Cadence = Cadence.LETTER) -> int:
        return len(self.ask(Want(line, cadence, number))[0].slots)


def limit(kind: str, key: object, number: int, seconds: int) -> BucketRow:
    return BucketRow.objects.create(kind=kind, key=str(key), number=number, seconds=seconds)


def test_without_a_limit_no_slot_is_needed(clock: Clock) -> None:
    given = Worker(1, clock).ask(Want(Line(), Cadence.BURST, 10))[0]
    assert given.free and given.again == inf and not SlotsOut.objects.exists()


def test_every_bucket_on_the_way_counts_and_the_tightest_binds(clock: Clock) -> None:
    limit("transport", 1, 100, 60)
    limit("transport", 1, 120, 3600)
    limit("account", "me@host", 30, 60)
    limit("organisation", 7, 20, 60)
    limit("list", 9, 5, 60)
    limit("group", 3, 2, 60)
    worker = Worker(1, clock, "me@host")
    assert worker.slots(50, Line(7, 9, 3)) == 2
    assert worker.slots(50, Line(7, 9)) == 3
    assert worker.slots(50, Line(7)) == 15
    assert worker.slots(50, Line(8)) == 10, "another organisation, the same account"
    assert Worker(2, clock).slots(500) == 70, "another account would not help: it is the same transport"


def test_an_account_is_shared_by_transports(clock: Clock) -> None:
    limit("account", "me@host", 30, 60)
    one, other = Worker(1, clock, "me@host"), Worker(2, clock, "me@host")
    other.lane = other.lane._replace(transport=2)
    assert one.slots(20) == 20 and other.slots(20) == 10
    one.ask(reports=(Report(Line(), (), 5),))
    assert other.slots(20) == 5


def test_a_letter_comes_before_everything_that_waits_whoever_asks(clock: Clock) -> None:
    limit("transport", 1, 5, 60)
    poster, writer = Worker(1, clock), Worker(2, clock)
    assert poster.slots(5, cadence=Cadence.BURST) == 5
    assert writer.slots(1) == 0
    poster.ask(reports=(Report(Line(), (clock(),) * 5, 0),))
    clock.tick += 56
    assert writer.slots(1) == 0
    clock.tick += 5
    assert poster.slots(5, cadence=Cadence.BURST) == 0, "a letter waits somewhere"
    assert writer.slots(1) == 1
    assert poster.slots(5, cadence=Cadence.BURST) >= 1


def test_lists_get_slots_in_turns_and_workers_their_share(clock: Clock) -> None:
    limit("transport", 1, 100, 60)
    large, small = Line(1, 1), Line(1, 2)
    first = Worker(1, clock)
    given = first.ask(Want(large, Cadence.BURST, 1000), Want(small, Cadence.BURST, 10), Want(Line(), Cadence.LETTER, 3))
    assert [len(one.slots) for one in given] == [81, 10, 3] and given[0].again < inf and given[1].again == inf
    other = Worker(2, clock)
    first.ask(reports=(Report(large, (), 81), Report(small, (), 10)))
    assert other.slots(1000, large, Cadence.BURST) == 49, "half of what is left: two lanes ask"


def test_slots_of_a_dead_worker_are_spent_at_the_end_of_its_lease_and_never_given_twice(clock: Clock) -> None:
    limit("transport", 1, 10, 60)
    dead, heir = Worker(1, clock), Worker(2, clock)
    assert dead.slots(10) == 10
    for _ in range(12):
        clock.tick += 5
        assert heir.slots(10) == 0
    clock.tick += 18
    assert heir.slots(10) == 0, "they may have left as late as the lease ended"
    clock.tick += 6
    assert heir.slots(10) == 10


def test_a_lane_that_ends_leaves_nothing_behind(clock: Clock) -> None:
    limit("transport", 1, 10, 60)
    worker = Worker(1, clock)
    assert worker.slots(10) == 10
    pacing.leave(worker.lane, [Report(Line(), (clock(),) * 4, 6)], worker.touched, LEASE, clock)
    assert not SlotsOut.objects.exists()
    assert Worker(2, clock).slots(10) == 6


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86400.0 * 400])
def test_a_clock_that_is_set_frees_nothing_and_stops_nothing(clock: Clock, step: float) -> None:
    limit("transport", 1, 10, 60)
    worker, other = Worker(1, clock), Worker(2, clock)
    assert worker.slots(6) == 6 and other.slots(4) == 4
    worker.ask(reports=(Report(Line(), (clock(),) * 6, 0),))
    other.ask(reports=(Report(Line(), (clock(),) * 4, 0),))
    clock.tick += 5
    clock.shift += step
    assert worker.slots(10) == 0 and other.slots(10) == 0
    clock.tick += 30
    assert worker.slots(10) == 0 and other.slots(10) == 0
    clock.tick += 30
    assert other.slots(4) == 4 and worker.slots(10) == 6


def test_a_limit_that_is_changed_holds_from_then_on(clock: Clock) -> None:
    row = limit("transport", 1, 10, 60)
    worker = Worker(1, clock)
    assert worker.slots(10) == 10
    BucketRow.objects.filter(pk=row.pk).update(number=12)
    assert worker.slots(10) == 2
    BucketRow.objects.filter(pk=row.pk).update(number=3)
    worker.ask(reports=(Report(Line(), (clock(),) * 12, 0),))
    clock.tick += 61
    assert worker.slots(10) == 3


class Hurry(threading.Thread):
    """A worker process in a thread: takes slots as they come, is late at random, dies at random, and starts anew."""

    def __init__(self, number: int, until: float, wants: list[tuple[Line, Cadence]], stamps: list[float], kill: float) -> None:
        super().__init__()
        self.number, self.until, self.wants, self.stamps, self.kill = number, until, wants, stamps, kill
        self.random = random.Random(number)
        self.given: list[float] = []  # when its copies were to leave
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()

    def _work(self) -> None:
        worker = Worker(self.number, time.monotonic)  # type: ignore[arg-type]
        slots: dict[Line, list[float]] = {line: [] for line, _ in self.wants}
        answered: dict[Line, list[float]] = {line: [] for line, _ in self.wants}
        asking = 0.0
        while (now := time.monotonic()) < self.until:
            for line, times in slots.items():
                for slot in [one for one in times if one <= now]:
                    times.remove(slot)
                    self.stamps.append(time.monotonic())
                    answered[line].append(time.monotonic())
            if now >= asking:
                reports = tuple(Report(line, tuple(times), 0) for line, times in answered.items() if times)
                given = worker.ask(*(Want(line, cadence, 50) for line, cadence in self.wants), reports=reports)
                for times in answered.values():
                    times.clear()
                for (line, _), one in zip(self.wants, given, strict=True):
                    slots[line] += one.slots
                    self.given += one.slots
                asking = now + 0.06
                if self.random.random() < self.kill:  # killed with slots in hand: nobody tells
                    worker = Worker(self.number + self.random.randrange(10**6) * 10, time.monotonic)  # type: ignore[arg-type]
                    slots = {line: [] for line in slots}
            time.sleep(0.002)


@pytest.fixture
def hurry() -> Iterator[list[Hurry]]:
    threads: list[Hurry] = []
    yield threads
    for thread in threads:
        thread.join(30)


@pytest.mark.parametrize(("rates", "cadence", "kill"), [
    ([(40, 1)], Cadence.BURST, 0.0), ([(40, 1)], Cadence.EVEN, 0.0), ([(30, 1), (70, 3)], Cadence.BURST, 0.0), ([(60, 2)], Cadence.LETTER, 0.05)])  # fmt: skip
def test_four_workers_at_once_never_exceed_any_window(hurry: list[Hurry], rates: list[tuple[int, int]], cadence: Cadence, kill: float) -> None:
    for number, seconds in rates:
        limit("transport", 1, number, seconds)
    stamps: list[float] = []
    until = time.monotonic() + 5
    hurry += [Hurry(number, until, [(Line(1, number), cadence)], stamps, kill) for number in range(1, 5)]
    for thread in hurry:
        thread.start()
    for thread in hurry:
        thread.join(60)
        assert thread.error is None, thread.error
    assert stamps
    for number, seconds in rates:
        assert most_in_a_window(stamps, seconds) <= number
    if cadence is Cadence.EVEN:
        gaps = sorted(later - earlier for earlier, later in pairwise(sorted(slot for thread in hurry for slot in thread.given)))
        assert gaps[len(gaps) // 2] > 0.01, "spread, not in bursts"
