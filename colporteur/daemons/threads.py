"""The bridge from the event loop to flow: sync functions on a few threads, each with its own database connection."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import Error, close_old_connections, connection, connections

log = logging.getLogger("colporteur.work")

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
_IDLE_SECONDS = 5.0  # a connection unused for longer is checked before it is used again

_local = threading.local()


class Job(NamedTuple):
    """Something to be done by a thread. ``last``: which ends then."""

    future: Future[Any]
    do: Callable[[], Any]
    last: bool = False


class Latest(Executor):
    """Up to ``most`` threads, of which the one that ended its work last has the next: its connection knows the statements already and
    has their plans, which cost more than running them. Further threads only work when it is busy."""

    def __init__(self, most: int) -> None:
        self._most, self._started, self._lock = most, 0, threading.Condition()
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
        while job:
            last = job.last
            job = self._do(job, mine)
            job = job if job or last else mine.get()

    def end(self, do: Callable[[], object], seconds: float) -> int:
        """Have each thread do something and end, as soon as it has nothing else to do, within ``seconds``; how many were busy for longer and go on.
        Others begin when they are needed."""
        deadline, jobs = time.monotonic() + seconds, list[Job]()
        with self._lock:
            while self._started and self._lock.wait_for(lambda: self._idle, deadline - time.monotonic()):
                jobs.append(Job(Future(), do, last=True))
                self._idle.pop().put(jobs[-1])
                self._started -= 1
            busy = self._started
        for job in jobs:
            job.future.result()
        return busy

    def _do(self, job: Job, mine: SimpleQueue[Job]) -> Job | None:
        """Do it; what waits already. The thread is free before its caller hears of it, so that what that one asks next is this thread's."""
        wanted, result, failure = job.future.set_running_or_notify_cancel(), None, None
        if wanted:
            try:
                result = job.do()
            except BaseException as error:
                failure = error
        with self._lock:
            waiting = self._waiting.popleft() if self._waiting and not job.last else None
            if waiting is None and not job.last:
                self._idle.append(mine)
                self._lock.notify()
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


def close_connections(seconds: float = 30.0) -> None:
    """Close the database connections of all threads that have nothing to do, or come to that within ``seconds``. At the end of a process the
    others' end with it: a long statement holds nothing up."""
    if busy := _threads.end(connections.close_all, seconds):
        log.warning("%d threads are still at work: their database connections end with the process", busy)


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
