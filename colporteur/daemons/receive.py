"""The receiving part: the LMTP listener in front of ``flow.intake``.

Messages of all sessions that are complete at the same time are committed together: while one batch is being written,
the next one gathers, and under load it waits a moment for those who were just answered.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from django.conf import settings
from django.utils import timezone

from colporteur.adapters.sources.lmtp import Answer
from colporteur.adapters.sources.lmtp.listener import Listener
from colporteur.daemons.threads import in_thread
from colporteur.flow import intake
from colporteur.flow.intake import Incoming, Reply
from colporteur.options import split_address

log = logging.getLogger("colporteur.receive")
Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 64
BATCH_BYTES = 16 * 1024 * 1024
PATIENCE_SECONDS = 0.02
"""How long a commit under load waits for more: half as many commits cost a third less."""
DRAIN_SECONDS = 8.0
KNOWN_SECONDS = 2.0
"""How long "yes" to a recipient is remembered. A stale one does no harm: every message asks again when it is taken."""
_MOST_KNOWN = 10_000


class Gathering(Generic[Item, Result]):
    """Calls of many tasks put together into batches for one sync function, one batch at a time.

    ``work`` gets the items of a batch and returns as many results; what it raises is raised for each of them. A batch
    has at most ``most`` items, and ends with the item that takes it over ``heaviest``. Under load a batch waits up to
    ``patience`` seconds until as many have come as there were when the last one ended; who is alone never waits.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], weigh: Callable[[Item], int], most: int = BATCH, heaviest: int = BATCH_BYTES, patience: float = 0.0) -> None:
        self._work, self._weigh, self._most, self._heaviest, self._patience = work, weigh, most, heaviest, patience
        self._expected, self._until = 0, 0.0
        self._enough = asyncio.Event()
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """The result for one item. A cancelled caller does not stop its batch."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._expected:
            self._enough.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                batch = self._next()
                try:
                    results: Sequence[Result] = await in_thread(self._work, [item for item, _ in batch])
                except Exception as error:
                    for _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                    continue
                self._expect(len(batch) + len(self._waiting))
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        finally:
            self._task = None

    def _expect(self, number: int) -> None:
        """Whoever was just answered is likely to be back at once."""
        self._expected = min(number, self._most)
        self._until = asyncio.get_running_loop().time() + self._patience if number > 1 else 0.0

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        if len(self._waiting) < self._expected and loop.time() < self._until:
            self._enough.clear()
            timer = loop.call_at(self._until, self._enough.set)
            await self._enough.wait()
            timer.cancel()

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        weight = count = 0
        while count < min(self._most, len(self._waiting)) and weight < self._heaviest:
            weight += self._weigh(self._waiting[count][0])
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch


class Desk:
    """The listener's ``Intake``: every question goes to ``flow.intake`` in a batch with its neighbours."""

    def __init__(self) -> None:
        self._yes: dict[str, tuple[float, Reply]] = {}
        self._known: Gathering[str, Reply] = Gathering(intake.known_all, lambda _: 1)
        self._taken: Gathering[Incoming, tuple[Reply, ...]] = Gathering(_receive, lambda one: len(one.raw), patience=PATIENCE_SECONDS)

    def known(self, recipient: str) -> Answer | Awaitable[Answer]:
        """Whether mail for this recipient is taken now; at once when it was a moment ago."""
        remembered = self._yes.get(recipient)
        if remembered and asyncio.get_running_loop().time() - remembered[0] < KNOWN_SECONDS:
            return remembered[1]
        return self._look_up(recipient)

    async def _look_up(self, recipient: str) -> Answer:
        reply = await self._known.ask(recipient)
        if reply.code == intake.TAKEN.code:
            if len(self._yes) >= _MOST_KNOWN:
                self._yes.clear()
            self._yes[recipient] = (asyncio.get_running_loop().time(), reply)
        return reply

    async def take(self, raw: bytes, mail_from: str, recipients: Sequence[str]) -> Sequence[Answer]:
        """Commit one message; one answer per recipient."""
        replies = await self._taken.ask(Incoming(raw, mail_from, tuple(recipients), "lmtp"))
        if any(reply.code != intake.TAKEN.code for reply in replies):
            self._yes.clear()  # something changed, or we are in trouble: ask anew
        return replies


async def main() -> None:
    """Listen on ``settings.LMTP`` until SIGTERM or SIGINT, then drain; without an address only wait."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if not settings.LMTP:
        log.info("off: COLPORTEUR_LMTP is empty")
        await stop.wait()
        return
    listener = Listener(Desk(), max_size=settings.MAX_MESSAGE_SIZE)
    await listener.open(*split_address(settings.LMTP))
    log.info("listening lmtp=%s", settings.LMTP)
    await stop.wait()
    log.info("draining sessions=%d", len(listener.sessions))
    await listener.close(DRAIN_SECONDS)


def _receive(batch: Sequence[Incoming]) -> list[tuple[Reply, ...]]:
    return intake.receive(batch, timezone.now())
