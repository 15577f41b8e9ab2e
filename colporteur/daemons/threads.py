"""The bridge from the event loop to flow: sync functions on a few threads, each with its own database connection."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import Error, close_old_connections, connection, connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
_IDLE_SECONDS = 5.0  # a connection unused for longer is checked before it is used again

_local = threading.local()


class Job(NamedTuple):
    """Something to be done by a thread."""

    future: Future[Any]
    do: Callable[[], Any]


class Latest(Executor):
    """Up to ``most`` threads, of which the one that ended its work last has the next: its connection knows the statements already and
    has their plans, which cost more than running them. Further threads only work when it is busy."""

    def __init__(self, most: int) -> None:
        self._most, self._started, self._lock = most, 0, threading.Lock()
        self._idle: list[SimpleQueue[Job]] = []
        self._waiting: deque[Job] = deque()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """See ``Executor.submit``."""
        job = Job(Future(), lambda: fn(*args, **kwargs))
        with self._lock:
            if self._idle:
                self._idle.pop().put(job)
            elif self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, args=[job], name=f"flow-{self._started}", daemon=True).start()
            else:
                self._waiting.append(job)
        return job.future

    def _work(self, first: Job) -> None:
        mine: SimpleQueue[Job] = SimpleQueue()
        job: Job | None = first
        del first  # with what it holds
        while True:
            job = self._do(job, mine) if job else mine.get()

    def _do(self, job: Job, mine: SimpleQueue[Job]) -> Job | None:
        """Do it; what waits already. The thread is free before its caller hears of it, so that what that one asks next is this thread's."""
        wanted, result, failure = job.future.set_running_or_notify_cancel(), None, None
        if wanted:
            try:
                result = job.do()
            except BaseException as error:
                failure = error
        with self._lock:
            waiting = self._waiting.popleft() if self._waiting else None
            if waiting is None:
                self._idle.append(mine)
        if failure:
            job.future.set_exception(failure)
        elif wanted:
            job.future.set_result(result)
        return waiting


_threads = Latest(THREADS)


async def in_thread(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Result of ``fn(*args)`` run on a thread that keeps its Django connection between calls.

    A connection that broke is closed, so that the next call opens a new one; the error itself is raised as it came.
    A cancelled caller does not stop ``fn``: it runs to its end.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: _call(fn, *args, **kwargs))


def close_connections() -> None:
    """Close the database connections of all threads, once they have nothing to do: for the end of a process."""
    together = threading.Barrier(THREADS)

    def close() -> None:
        together.wait(30)  # one call for each thread
        connections.close_all()

    for ended in [_threads.submit(close) for _ in range(THREADS)]:
        ended.result()


def _call(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    now = time.monotonic()
    if now - getattr(_local, "used", 0.0) > _IDLE_SECONDS:
        close_old_connections()
    try:
        return fn(*args, **kwargs)
    except Error:
        if not connection.in_atomic_block and not connection.is_usable():
            connection.close()
        raise
    finally:
        _local.used = time.monotonic()
