"""How the receiving part asks flow: in batches, remembering a yes for a moment, and only as long as all goes well."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from colporteur.adapters.sources.lmtp import Answer
from colporteur.daemons import receive as receiving
from colporteur.daemons.receive import Desk, Gathering
from colporteur.flow import intake
from colporteur.flow.intake import TAKEN, TROUBLE, UNKNOWN, Incoming, Reply

pytestmark = pytest.mark.django_db  # the threads look after their connections


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scene(), 120)

    asyncio.run(run())


async def known(desk: Desk, recipient: str) -> Answer:
    answer = desk.known(recipient)
    return answer if isinstance(answer, tuple) else await answer


def test_what_comes_while_a_batch_is_written_makes_the_next_batch() -> None:
    batches: list[list[int]] = []
    first, go = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        first.set()
        assert go.wait(60)
        return [item * 10 for item in items]

    async def scene() -> None:
        gathering: Gathering[int, int] = Gathering(work, lambda item: item, most=3, heaviest=100)
        one = asyncio.create_task(gathering.ask(1))
        while not first.is_set():
            await asyncio.sleep(0)
        rest = [asyncio.create_task(gathering.ask(item)) for item in (2, 3, 4, 5, 200, 6)]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(one, *rest) == [10, 20, 30, 40, 50, 2000, 60]
        assert await gathering.ask(7) == 70

    play(scene)
    assert batches == [[1], [2, 3, 4], [5, 200], [6], [7]]


def test_under_load_a_batch_waits_for_who_was_just_answered_and_alone_nobody_waits() -> None:
    batches: list[list[int]] = []
    go = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        assert go.wait(60)
        return list(items)

    async def scene() -> None:
        gathering: Gathering[int, int] = Gathering(work, lambda _: 1, patience=3600)
        first = [asyncio.create_task(gathering.ask(item)) for item in (1, 2, 3)]
        while not batches:
            await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*first)
        again = [asyncio.create_task(gathering.ask(item)) for item in (4, 5)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(batches) == 1  # three were answered, so one more is waited for
        gathering._patience = 0.001
        assert await asyncio.gather(*again, gathering.ask(6)) == [4, 5, 6]
        assert await gathering.ask(7) == 7  # nobody else comes: not for ever
        gathering._patience = 3600
        assert [await gathering.ask(item) for item in (8, 9, 10)] == [8, 9, 10]  # one after the other: each at once

    play(scene)
    assert batches == [[1, 2, 3], [4, 5, 6], [7], [8], [9], [10]]


def test_what_work_raises_reaches_everybody_who_asked_and_the_next_batch_goes_on() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise OSError("gone")
        return list(items)

    async def scene() -> None:
        gathering: Gathering[int, int] = Gathering(work, lambda _: 1)
        results = await asyncio.gather(gathering.ask(0), gathering.ask(1), return_exceptions=True)
        assert [type(result) for result in results] == [OSError, OSError]
        assert await gathering.ask(2) == 2

    play(scene)


def test_a_caller_who_gave_up_does_not_stop_the_others() -> None:
    go = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        assert go.wait(60)
        return list(items)

    async def scene() -> None:
        gathering: Gathering[int, int] = Gathering(work, lambda _: 1)
        gone, stays = asyncio.create_task(gathering.ask(1)), asyncio.create_task(gathering.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        go.set()
        assert await stays == 2

    play(scene)


def test_a_yes_is_remembered_until_something_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "KNOWN_SECONDS", 3600.0)
    asked: list[str] = []
    replies = [TAKEN]

    def known_all(recipients: Sequence[str]) -> list[Reply]:
        asked.extend(recipients)
        return [UNKNOWN if recipient.startswith("no") else TAKEN for recipient in recipients]

    monkeypatch.setattr(intake, "known_all", known_all)
    monkeypatch.setattr(intake, "receive", lambda batch, now: [tuple(replies) for _ in batch])

    async def scene() -> None:
        desk = Desk()
        for _ in range(3):
            assert await known(desk, "amis@lists.example") == TAKEN
            assert await known(desk, "nobody@lists.example") == UNKNOWN
        assert asked == ["amis@lists.example"] + ["nobody@lists.example"] * 3
        await desk.take(b"x", "", ["amis@lists.example"])
        await known(desk, "amis@lists.example")
        assert len(asked) == 4
        replies[:] = [TROUBLE]
        assert await desk.take(b"x", "", ["amis@lists.example"]) == (TROUBLE,)
        await known(desk, "amis@lists.example")
        assert asked[4:] == ["amis@lists.example"]

    play(scene)


def test_the_listener_hands_over_what_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Incoming] = []

    def receive(batch: Sequence[Incoming], _now: object) -> list[tuple[Reply, ...]]:
        got.extend(batch)
        return [(TAKEN,) * len(one.recipients) for one in batch]

    monkeypatch.setattr(intake, "receive", receive)

    async def scene() -> None:
        assert await Desk().take(b"raw", "anna@members.example", ["a@x.example", "b@x.example"]) == (TAKEN, TAKEN)

    play(scene)
    assert got == [Incoming(b"raw", "anna@members.example", ("a@x.example", "b@x.example"), "lmtp")]
