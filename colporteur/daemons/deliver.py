"""Delivery: one lane for each transport that has copies to send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from time import monotonic

from django.conf import settings
from django.utils import timezone

from colporteur.adapters.transports import Stage, Trouble, open_transport
from colporteur.daemons.lanes import Lane
from colporteur.daemons.ledger import Ledger
from colporteur.daemons.settling import Gate
from colporteur.daemons.steering import listen
from colporteur.daemons.threads import in_thread
from colporteur.domain.transports import ALONE, Share
from colporteur.flow import copies, trouble
from colporteur.flow.copies import Way

log = logging.getLogger("colporteur.deliver")

DRAIN_SECONDS = 7.0
"""How long dialogues may take to end after SIGTERM before they are cut off."""
CROWDED_AGAIN_SECONDS = 60.0
"""When a worker whom a server does not let in beside others tries again."""


class Delivery:
    """The lanes of this worker. ``look`` is called at every wake-up and sweep. ``share``: of the connections."""

    def __init__(self, share: Share = ALONE) -> None:
        self.share, self.gate, self.ledger = share, Gate(), Ledger()
        self._lanes: dict[int, tuple[Way, Lane, asyncio.Task[None]]] = {}
        self._crowded: dict[int, float] = {}  # transports that let only others in, until when (monotonic seconds)
        self._next_sweep = 0.0
        self._listening: asyncio.Task[None] | None = None
        self.due: Callable[[], None] = lambda: None  # called when mail became due

    async def look(self) -> int:
        """Let the lanes look and open those that are missing for transports with due copies; 0, nothing is left to call again for."""
        self._listening = self._listening or asyncio.create_task(listen(self._steered, lambda: self.due()))
        await self._look()
        if monotonic() > self._next_sweep:  # what is due needs not wait for it
            if await in_thread(copies.sweep, timezone.now()):
                await self._look()
            self._next_sweep = monotonic() + settings.SWEEP
        for transport, (_, lane, task) in list(self._lanes.items()):
            if task.done():
                del self._lanes[transport]
                if lane.crowded:
                    self._crowded[transport] = monotonic() + CROWDED_AGAIN_SECONDS
                task.result()
        return 0

    async def _look(self) -> None:
        for _, lane, _ in self._lanes.values():
            lane.wake()  # at once: a claim in vain costs less than waiting for what ways there are
        await asyncio.sleep(0)  # they ask first
        for way in await in_thread(copies.ways_due, timezone.now()):
            await self._open(way._replace(connections=self.share.of_connections(way.connections, way.limited)))

    def _steered(self, gone: Collection[int]) -> None:
        for _, lane, _ in self._lanes.values():
            if gone:
                lane.left(gone)
            else:
                lane.steered()

    async def _open(self, way: Way) -> None:
        known = self._lanes.get(way.transport)
        if known and not known[2].done():
            if known[0] != way:
                known[1].stop()  # another URL or number of connections: the next sweep opens it anew
            return
        if not way.connections or monotonic() < self._crowded.get(way.transport, 0.0):
            return
        try:
            transport = open_transport(way.url, way.connections)
        except ValueError as error:
            await in_thread(trouble.stop_transport, way.transport, str(Trouble(Stage.CONNECT, 0, str(error))), timezone.now(), lasting=True)
            return
        lane = Lane(way, transport, self.gate, self.ledger, self.share)
        self._lanes[way.transport] = (way, lane, asyncio.create_task(lane.run()))

    async def drain(self) -> None:
        """End every lane: dialogues are finished, or cut off after ``DRAIN_SECONDS``; outcomes settled, leases given back."""
        await self._end_lanes()
        self.ledger.close()
        if self._listening:
            self._listening.cancel()

    async def _end_lanes(self) -> None:
        running = {task: lane for _, lane, task in self._lanes.values() if not task.done()}
        for lane in running.values():
            lane.stop()
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
        for task in late:
            log.warning("cutting off transport=%d", running[task].transport_id)
            await running[task].transport.close()
        if late:
            await asyncio.wait(late)
