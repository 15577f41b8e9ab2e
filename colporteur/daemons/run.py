"""``colporteur run``: the database, then every part as a child process, watched, and all of it ended in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg

from colporteur.daemons.binaries import DatabaseError, die_with_parent
from colporteur.daemons.health import HOST
from colporteur.daemons.postgresql import Server
from colporteur.daemons.threads import in_thread
from colporteur.domain.transports import MOST_PROCESSES
from colporteur.store.health import ended

log = logging.getLogger("colporteur.run")

MOST_WORKERS = 4  # that nobody asked for: each has memory of its own
_DRAIN_SECONDS = 20.0  # a part that takes longer after SIGTERM is killed; nothing committed is lost
_LOOK_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0  # a part that lived this long starts again with the first pause


def parts_of(workers: int) -> tuple[str, ...]:
    """The words after ``colporteur`` that start each part, with so many workers; 0: as many as suit this machine."""
    workers = min(workers or workers_here(), MOST_PROCESSES)
    return ("web", "receive", "collect", *(f"worker --share {nth}/{workers}" for nth in range(1, workers + 1)))


def workers_here() -> int:
    """One for each processor we may use, at most ``MOST_WORKERS``."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


class Supervisor:
    """Keeps ``parts`` and the embedded ``server`` running until ``stop()``; ``ready`` is awaited once beside them, to greet who started us."""

    def __init__(self, parts: tuple[str, ...], ready: Callable[[], Coroutine[Any, Any, None]], server: Server | None) -> None:
        self.parts, self.ready, self.server = parts, ready, server
        self.stopping = asyncio.Event()
        self.children: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Until SIGTERM, SIGINT or SIGHUP; then every part is asked to end, and waited for."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        keeping = [asyncio.create_task(self._keep(part)) for part in self.parts]
        beside = [asyncio.create_task(self.ready()), asyncio.create_task(self._keep_server())]
        await self.stopping.wait()
        for task in beside:
            task.cancel()
        for child in self.children.values():
            if child.returncode is None:
                child.terminate()
        _done, late = await asyncio.wait(keeping, timeout=_DRAIN_SECONDS)
        if late:
            for part, child in self.children.items():
                if child.returncode is None:
                    log.warning("killed part=%s reason=%s", part.split()[0], f"still busy {_DRAIN_SECONDS:.0f} s after it was asked to end")
                    child.kill()
            await asyncio.wait(late)
        for outcome in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def stop(self) -> None:
        """End everything."""
        if not self.stopping.is_set():
            log.info("stopping")
            self.stopping.set()

    async def _keep(self, part: str) -> None:
        pause = _FIRST_PAUSE
        while not self.stopping.is_set():
            began = time.monotonic()
            child = self.children[part] = await _spawn(part)
            code = await child.wait()
            if self.stopping.is_set():
                return
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            log.error("ended part=%s pid=%d status=%s again_in_s=%s", part.split()[0], child.pid, _status(code), pause)
            await self._forget(child.pid)
            try:
                await asyncio.wait_for(self.stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _keep_server(self) -> None:
        pause = _FIRST_PAUSE
        while self.server and self.server.process:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.server.process.poll() is None:
                pause = _FIRST_PAUSE
                continue
            log.error("ended part=database status=%s", self.server.process.returncode)
            try:
                self.server.start()  # on this thread: the kernel ends the server when the thread that started it ends
            except (DatabaseError, psycopg.Error, OSError) as error:  # a full disk, for one: it may have room again
                log.error("refused part=database again_in_s=%s reason=%s", pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _forget(self, pid: int) -> None:
        try:
            await in_thread(ended, HOST, pid)
        except Exception:  # the sign of life goes stale by itself
            log.warning("sign of life of process %d could not be taken back", pid, exc_info=True)


async def _spawn(part: str) -> asyncio.subprocess.Process:
    parent = os.getpid()

    def before() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: we tell the parts ourselves
        die_with_parent(signal.SIGTERM, parent)

    return await asyncio.create_subprocess_exec(sys.executable, "-m", "colporteur", *part.split(), stdin=asyncio.subprocess.DEVNULL, preexec_fn=before)


def _status(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else str(code)
