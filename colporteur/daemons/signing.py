"""Work ahead of need: copies of a signed mailing are ready to leave when their signature is made, on threads; those of a newsletter
that needs the sandbox when they are worked out (``daemons.personal``).

A signature costs up to a millisecond and most of it lets the interpreter go, so the event loop sends meanwhile. Only slices a
lane holds are signed (``room`` bounds them), a few dozen copies at once, mailing by mailing in turns. A message that is the
same for everybody needs one signature and does not come here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from colporteur.daemons.personal import PersonalHeld
from colporteur.daemons.ready import Held, Ready
from colporteur.domain.words import Invalid
from colporteur.flow.copies import incomplete
from colporteur.store.copies import Due

log = logging.getLogger("colporteur.deliver")

THREADS = min(os.cpu_count() or 1, 4)
BATCH = 24
"""Copies a thread signs in one go."""
_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sign")


class Signing:
    """The slices of a lane whose copies wait for a signature. ``stir`` is called when some are ready, ``soon`` when one cannot be signed."""

    def __init__(self, ready: Ready, stir: Callable[[], None], soon: Callable[[], None]) -> None:
        self.ready, self._stir, self._soon = ready, stir, soon
        self._slices: deque[Held] = deque()
        self._full: list[Held] = []  # with as many copies ready as memory should hold
        self._batches: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def waiting(self) -> int:
        """Copies no thread signs yet."""
        return sum(len(held.unsigned) for held in (*self._slices, *self._full))

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being signed."""
        return not (self._slices or self._batches or any(held.unsigned for held in self._full))

    def add(self, held: Held) -> None:
        """One more slice; its copies become ready by and by."""
        held.unsigned, held.left = held.left, deque()
        if isinstance(held, PersonalHeld):
            held.eased = self._eased
        self.ready.add(held)
        self._slices.append(held)
        self._full = [one for one in self._full if one.unsigned]
        self._changed.set()

    def _eased(self, held: Held) -> None:
        """A copy that was ready was taken: there may be room for others of its slice."""
        if held in self._full and not held.full:
            self._full.remove(held)
            self._slices.append(held)
            self._changed.set()

    def end(self) -> None:
        """``run`` returns."""
        self._changed.set()

    async def run(self, ending: asyncio.Event) -> None:
        """Sign until ``ending``: one batch more than there are threads is under way, so that none waits for us. Raises what
        made a batch fail."""
        while not ending.is_set():
            while self._slices and len(self._batches) <= THREADS:
                self._begin(self._slices.popleft())
            self._changed.clear()
            await self._changed.wait()
            if self._failure:
                raise self._failure
        if self._batches:
            await asyncio.wait(self._batches)

    def _begin(self, held: Held) -> None:
        if held.full:
            self._full.append(held)
            return
        dues = [held.unsigned.popleft() for _ in range(min(len(held.unsigned), BATCH))]
        if held.unsigned:
            self._slices.append(held)
        if dues:
            held.signing += len(dues)
            task = asyncio.create_task(self._sign(held, dues))
            self._batches.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if error := task.exception():
            self._failure = error
        self._changed.set()

    async def _sign(self, held: Held, dues: list[Due]) -> None:
        made = await asyncio.get_running_loop().run_in_executor(_executor, _signed, held, dues, int(time.time()))
        held.signing -= len(dues)
        self._eased(held)
        if held.dropped:
            self._soon()
        else:
            self._ready(held, dues, made)

    def _ready(self, held: Held, dues: Sequence[Due], made: dict[int, bytes | Exception]) -> None:
        signed = []
        for due in dues:
            signature = made[due.address]
            if isinstance(signature, bytes):
                held.signatures[due.address] = signature
                signed.append(due)
            else:  # one recipient's values must not stop the others
                held.refused.append(incomplete(due.address, signature))
                self._soon()
        self.ready.more(held, signed)
        self._stir()


def _signed(held: Held, dues: Sequence[Due], at: int) -> dict[int, bytes | Exception]:
    """On a thread: the signature of each copy by address, or what went wrong."""
    made: dict[int, bytes | Exception] = {}
    for due in dues:
        try:
            made[due.address] = held.ahead(due, at)
        except Exception as error:
            log.error("cannot complete a copy mailing=%d address=%d", due.mailing, due.address, exc_info=not isinstance(error, Invalid))
            made[due.address] = error
    return made
