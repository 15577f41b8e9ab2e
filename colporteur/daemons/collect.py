"""The collectors: one task for each mailbox, waiting by IDLE or by the clock.

The loop of one mailbox: look what lies there, ask the ledger what is new, read it, commit it, and only then move or
delete it. Network and ``flow`` are crossed once per batch. Losing PostgreSQL ends the process; it is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

from django.conf import settings

from colporteur.adapters.sources import BATCH_COUNT, IDLE_SECONDS, Listed, Source, Trouble, batches
from colporteur.adapters.sources.kinds import connect
from colporteur.daemons.threads import in_thread
from colporteur.flow import collecting, mailboxes
from colporteur.flow.collecting import Due, Wanted
from colporteur.flow.mailboxes import Failure

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("colporteur.collect")

WATCH_SECONDS = 2.0  # how often the table of mailboxes is read
STOP_SECONDS = 8.0  # for what is being committed; the ledger forgives the rest
AT_ONCE = 64  # connections at work; those that only wait hold no thread


async def main() -> None:
    """Collect until SIGTERM or SIGINT. Raises ``django.db.Error`` when PostgreSQL is lost."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Collectors().run(stop)


class Collectors:
    """The tasks of this process, kept in step with the table."""

    def __init__(self) -> None:
        self.running: dict[int, tuple[Due, Collector, asyncio.Task[Failure | None]]] = {}
        self.claimed: set[int] = set()
        # The locks of ``collecting.claim`` live as long as one database connection: this thread's.
        self.watcher = ThreadPoolExecutor(1, thread_name_prefix="watch")

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; then every task ends cleanly."""
        log.info("collecting")
        try:
            while not stop.is_set():
                await self._step()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
        finally:
            for _due, collector, _task in self.running.values():
                collector.stop()
            if tasks := [task for _due, _collector, task in self.running.values()]:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)
            self.watcher.shutdown(wait=False)
        log.info("stopped")

    async def _step(self) -> None:
        """Start, restart and stop tasks as the rows say."""
        rows = {row.id: row for row in await self._watching(collecting.due, _now())}
        for key, (row, collector, task) in list(self.running.items()):
            if task.done():
                del self.running[key]
                task.result()  # the database is lost, or a bug: either ends this process
            elif key not in rows or rows[key].account != row.account:
                collector.stop()
        for key in self.claimed - rows.keys() - self.running.keys():
            await self._watching(collecting.release, key)
        self.claimed &= rows.keys() | self.running.keys()
        for key, row in rows.items():
            if key in self.running or not row.ready:
                continue
            if key not in self.claimed:
                if not await self._watching(collecting.claim, key):
                    continue  # another collector has it
                self.claimed.add(key)
            collector = Collector(row)
            self.running[key] = (row, collector, asyncio.create_task(collector.run()))

    async def _watching(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self.watcher, lambda: fn(*args, **kwargs))


class Collector:
    """One mailbox, from connecting until trouble or ``stop``."""

    def __init__(self, due: Due, *, once: bool = False) -> None:
        self.due, self.once = due, once
        self.stopping = asyncio.Event()
        self.source: Source | None = None
        self.taken = 0

    def stop(self) -> None:
        """End soon: waiting ends at once, and whatever blocks in a thread fails."""
        self.stopping.set()
        if self.source:
            self.source.interrupt()

    async def run(self) -> Failure | None:
        """Collect; the failure that ended it, None when it was asked to end. Raises what is not the mailbox's fault."""
        try:
            failure = await self._until_failure()
            if failure and not self.stopping.is_set():
                await in_thread(mailboxes.trouble, self.due.id, failure, _now())
        except mailboxes.MailboxGone:
            return None
        return failure

    async def _until_failure(self) -> Failure | None:
        if self.due.account is None:
            return mailboxes.BROKEN_SEAL
        try:
            self.source = await in_own_thread(connect, self.due.account, settings.MAX_MESSAGE_SIZE + 1024)
            if not self.stopping.is_set():
                await self._watch(self.source, self.due.account.every)
        except Trouble as error:
            return Failure(error.sentence, dict(error.values), error.detail, error.lasting)
        finally:
            if self.source:
                await in_own_thread(self.source.close)
        return None

    async def _watch(self, source: Source, every: int) -> None:
        while not self.stopping.is_set():
            await self._look(source)
            if self.once:
                return
            waiting = await in_own_thread(source.idle)
            if waiting.news:
                continue
            if waiting.socket:
                await self._readable(waiting.socket)
                if not self.stopping.is_set():
                    await in_own_thread(source.idle_over)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), every)

    async def _look(self, source: Source) -> None:
        """Take everything that is new."""
        listing = await in_own_thread(source.listing)
        wanted = await in_thread(collecting.wanted, self.due.id, listing.validity, [message.uid for message in listing.messages], _now())
        await in_thread(mailboxes.worked, self.due.id, _now())
        by_uid = {message.uid: message for message in listing.messages}
        removed: list[str] = []
        stuck: Trouble | None = None
        for batch in batches(await self._readable_ones(wanted, by_uid, listing.validity), _shrunk.get(self.due.id, BATCH_COUNT)):
            if self.stopping.is_set():
                break
            done = await self._take(source, listing.validity, batch)
            if stuck:
                continue  # what cannot be removed must not keep the rest from being taken
            try:
                await in_own_thread(source.remove, done)
                removed += done
            except Trouble as error:
                if not error.usable:
                    raise
                stuck = error
        await in_own_thread(source.finish)
        await in_thread(collecting.removed, self.due.id, listing.validity, removed)
        if stuck:
            raise stuck

    async def _readable_ones(self, wanted: Wanted, by_uid: dict[str, Listed], validity: int) -> list[Listed]:
        """Messages to read, in order; those beyond the limit are left where they are."""
        limit = settings.MAX_MESSAGE_SIZE
        for uid in wanted.new:
            if by_uid[uid].size > limit:
                sizes = {"size": by_uid[uid].size, "limit": limit}
                await in_thread(collecting.leave, self.due.id, validity, uid, collecting.TOO_LARGE, _now(), for_good=True, values=sizes)
        return [by_uid[uid] for uid in (*wanted.new, *wanted.taken) if by_uid[uid].size <= limit]

    async def _take(self, source: Source, validity: int, batch: Sequence[Listed]) -> list[str]:
        """Read and commit one batch; the uids that may be removed."""
        try:
            fetched = await in_own_thread(lambda: list(source.fetch(batch)))
        except Trouble as error:
            if not self.stopping.is_set():
                await self._fetch_failed(validity, batch, error)
            raise
        if (count := _shrunk.pop(self.due.id, BATCH_COUNT) * 2) < BATCH_COUNT:
            _shrunk[self.due.id] = count
        done = await in_thread(collecting.take, self.due.id, validity, fetched, _now())
        self.taken += len(done)
        return done

    async def _fetch_failed(self, validity: int, batch: Sequence[Listed], error: Trouble) -> None:
        """Smaller batches next time; a single message that breaks the connection goes to the end of the queue."""
        _shrunk[self.due.id] = max(1, len(batch) // 4)
        if len(batch) == 1:
            await in_thread(collecting.leave, self.due.id, validity, batch[0].uid, collecting.NOT_READ, _now(), values={"error": str(error)})

    async def _readable(self, sock: socket.socket) -> None:
        """Wait until the server says something, at most ``IDLE_SECONDS``, or until we are to stop."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(sock.fileno(), news.set)
        try:
            waits = [asyncio.create_task(event.wait()) for event in (news, self.stopping)]
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        finally:
            if sock.fileno() >= 0:
                loop.remove_reader(sock.fileno())


_shrunk: dict[int, int] = {}
"""Messages read at once from mailboxes whose connection broke while reading; survives the reconnection."""

_places = threading.BoundedSemaphore(AT_ONCE)


async def in_own_thread(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Result of blocking work on the network, on a thread the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def settle(act: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended first
            loop.call_soon_threadsafe(lambda: None if future.done() else act())

    def work() -> None:
        try:
            with _places:
                result = fn(*args, **kwargs)
        except BaseException as error:
            settle(lambda error=error: future.set_exception(error))  # type: ignore[misc]
        else:
            settle(lambda: future.set_result(result))

    threading.Thread(target=work, daemon=True, name="mailbox").start()
    return await future


async def collect_once(due: Due) -> tuple[int, Failure | None]:
    """Look once (``mailbox collect``): messages taken, and the failure if there was one."""
    collector = Collector(due, once=True)
    failure = await collector.run()
    return collector.taken, failure


def _now() -> datetime:
    return datetime.now(UTC)
