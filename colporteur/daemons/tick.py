"""Rounds: what is due is read from rows, at a wake-up or at the latest every ``settings.SWEEP`` seconds.

A round calls its function until nothing is due. Wake-ups during a round make it go round once more; however many arrive,
the work is done once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from django.conf import settings
from django.db import InterfaceError, OperationalError

log = logging.getLogger("colporteur.work")


class Round:
    """Something to do again and again. ``do`` returns how much it did; less than ``most``, what it does at once, ends the round.
    ``then``: rounds that have something to do when this one did; they need not wait until the word comes round by the database."""

    def __init__(self, name: str, do: Callable[[], Awaitable[int]], every: float | None = None, *, then: Sequence[Round] = (), most: int = 1) -> None:
        self.name, self._do, self.every, self._then, self._most = name, do, every or settings.SWEEP, then, most
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """Go round soon."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until ``stop``. A database that went away ends it; any other failure is logged and tried again.

        Raises ``django.db.OperationalError`` or ``InterfaceError``.
        """
        while not stop.is_set():
            try:
                async with asyncio.timeout(self.every):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                did = self._most
                while did >= self._most and not stop.is_set():
                    if did := await self._do():
                        for one in self._then:
                            one.wake()
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                log.exception("round failed name=%s", self.name)
