"""The bridge from the event loop to flow: sync functions on a few threads, each with its own database connection."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import Error, close_old_connections, connection, connections

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8
_IDLE_SECONDS = 5.0  # a connection unused for longer is checked before it is used again

_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="flow")
_local = threading.local()


async def in_thread(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Result of ``fn(*args)`` run on a thread that keeps its Django connection between calls.

    A connection that broke is closed, so that the next call opens a new one; the error itself is raised as it came.
    A cancelled caller does not stop ``fn``: it runs to its end.
    """
    return await asyncio.get_running_loop().run_in_executor(_executor, lambda: _call(fn, *args, **kwargs))


def close_connections() -> None:
    """Close the database connections of all threads, once they have nothing to do: for the end of a process."""
    together = threading.Barrier(THREADS)

    def close() -> None:
        together.wait(30)  # one call for each thread
        connections.close_all()

    for ended in [_executor.submit(close) for _ in range(THREADS)]:
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
