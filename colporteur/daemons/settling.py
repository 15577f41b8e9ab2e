"""Outcomes: gathered per slice, written in batches while sending goes on, and what a row of refusals alike means.

What ``kill -9`` can repeat is bounded by the worker's ``Gate``: while ``MOST_UNSETTLED`` accepted copies are not committed no
message is handed over, so these and the ones in the data of a connection are all there can be.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from django.conf import settings
from django.db import Error
from django.utils import timezone

from colporteur.adapters.transports import Outcome, Result
from colporteur.daemons.ledger import Batch, Ledger, LedgerError
from colporteur.daemons.ready import Held, Ready
from colporteur.daemons.threads import in_thread
from colporteur.domain.mailings import MailingState
from colporteur.domain.trouble import Row, likeness
from colporteur.flow import copies, services, trouble
from colporteur.flow.copies import Refused
from colporteur.store.copies import Claimed, Due, Standing

log = logging.getLogger("colporteur.deliver")

P = ParamSpec("P")
R = TypeVar("R")

MOST_UNSETTLED = 64
"""Accepted copies of a worker whose acceptance is not committed when the last message is handed over: with those in the
data of a connection, the published bound."""
BATCH = 48
"""Acceptances that are worth a transaction of their own, which costs the same whatever it holds; fewer wait a moment for company. While these are
written, as many as the gate still lets through and those in the data of connections keep the lane busy."""
COMPANY_SECONDS = 0.01
MOST_COMMITS = 2
"""Batches on their way to the database at once: while one is being written to disk the next is gathered and sent."""
_INSIST_SECONDS = 30.0  # how long outcomes wait for a database that went away


class Stirred(Protocol):
    """Who waits for the gate to open."""

    changed: asyncio.Event


class Gate:
    """Worker-wide count of accepted copies that are not settled. ``lanes`` are stirred when it opens."""

    __slots__ = ("lanes", "shut", "unsettled")

    def __init__(self) -> None:
        self.unsettled = 0
        self.shut = False
        self.lanes: set[Stirred] = set()

    def accepted(self, number: int) -> None:
        """So many more are unsettled."""
        self.unsettled += number
        if self.unsettled >= MOST_UNSETTLED:
            self.shut = True

    def settled(self, number: int) -> None:
        """So many are committed."""
        self.unsettled -= number
        if self.shut and self.unsettled < MOST_UNSETTLED:
            self.shut = False
            for lane in self.lanes:
                lane.changed.set()


class Waiting(NamedTuple):
    """A refusal that waits until its row ends."""

    held: Held
    due: Due
    outcome: Outcome


class Settling:
    """One lane's outcomes. ``run`` writes them until ``end``."""

    def __init__(self, transport_id: int, ready: Ready, gate: Gate, ledger: Ledger) -> None:
        self.transport_id, self.ready, self.gate, self.ledger = transport_id, ready, gate, ledger
        self.worked = False  # that the transport works was told, or is no longer true
        self._outcomes, self._ended = asyncio.Event(), False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = self._unsettled = 0
        self._row, self._row_began = Row(), 0
        self._alike: list[Waiting] = []
        self._stops: list[tuple[int, int, str]] = []  # mailings to pause: id, code, reply
        self._commits: set[asyncio.Task[Any]] = set()
        self._finishing: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self.numbers: list[tuple[str, int, int]] = []  # what the service calls copies it took: number, mailing, address

    def accepted(self, held: Held, dues: tuple[Due, ...], number: int) -> None:
        """Copies were taken by the server; ``number``: how many the lane had begun before. Hot."""
        length = len(dues)
        held.under_way -= length
        if length == 1:
            held.accepted.append(dues[0])
        else:
            held.accepted += dues
        self.gate.accepted(length)
        self._waiting += length
        self._unsettled += length
        if self._row.length and number >= self._row_began:  # what was under way when the refusals began says nothing
            self._end_row()
            self._row.accepted()
        if self._waiting >= BATCH:
            self._outcomes.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COMPANY_SECONDS, self._outcomes.set)

    def soon(self) -> None:
        """There is something to write or to let go."""
        self._outcomes.set()

    async def in_trouble(self) -> None:
        """The transport refuses: what it took before no longer says that it works, also where that is just being written."""
        self.worked = True
        while self._commits:
            await asyncio.wait(self._commits)

    # --- refusals ---------------------------------------------------------------------------------------------------

    def refused(self, held: Held, due: Due, outcome: Outcome, begun: int) -> None:
        """A refusal waits until its row ends: many alike are not the copies' own. ``begun``: copies the lane has begun."""
        if held.stopped and outcome.result is not Result.UNKNOWN:
            held.under_way -= 1
            self.soon()
            return
        like = likeness(outcome.code, outcome.text) if outcome.result is not Result.UNKNOWN else None
        if like is None or held.dropped:
            self._refuse(held, due, outcome)
            return
        if self._row.begins_anew(like):
            self._end_row()
            self._row.accepted()
        if not self._row.length:
            self._row_began = begun
        self._alike.append(Waiting(held, due, outcome))
        if self._row.add(like):
            self._stop_mailings(outcome)
        else:
            self.soon()

    def stop_mailing(self, mailing: int, code: int, text: str) -> None:
        """The trouble is this mailing's: another transport takes it or it pauses, its copies stay queued, nothing is counted."""
        for held in self.ready.of(mailing):
            self.ready.drop(held)
            held.stopped = True
        self._stops.append((mailing, code, f"{code} {text}" if code else text))
        self.soon()

    def alone(self, held: Held, due: Due, outcome: Outcome) -> None:
        """A refusal that blames us, and that the destination answers for: the copy is tried again, once if for good."""
        held.under_way -= 1
        held.refused.append(Refused(due.address, outcome.code, outcome.text, policy=outcome.result is Result.FAILED))
        self.soon()

    def _refuse(self, held: Held, due: Due, outcome: Outcome) -> None:
        held.under_way -= 1
        unknown, final = outcome.result is Result.UNKNOWN, outcome.result is Result.FAILED
        held.refused.append(Refused(due.address, outcome.code, outcome.text, final=final, unknown=unknown))
        self.soon()

    def _end_row(self) -> None:
        """The refusals that waited are what they say."""
        alike, self._alike = self._alike, []
        for waiting in alike:
            self._refuse(*waiting)

    def _stop_mailings(self, outcome: Outcome) -> None:
        """Enough alike in a row: the mailings they belong to pause."""
        alike, self._alike = self._alike, []
        for waiting in alike:
            waiting.held.under_way -= 1
        for mailing in {waiting.held.claimed.mailing for waiting in alike}:
            self.stop_mailing(mailing, outcome.code, outcome.text)

    # --- writing ----------------------------------------------------------------------------------------------------

    async def run(self, idle: Callable[[], bool]) -> None:
        """Write what comes until ``end``. ``idle``: whether no copy is left or under way in this lane."""
        while not self._ended:
            await self._outcomes.wait()
            self._outcomes.clear()
            if self._timer:
                self._timer.cancel()
                self._timer = None
            if self._alike and idle():
                self._end_row()  # nothing more comes that could make the row longer
            await self._write()
            if self._failure:
                raise self._failure

    def end(self) -> None:
        """``run`` returns; ``close`` writes the rest."""
        self._ended = True
        self.soon()

    async def close(self) -> None:
        """Write everything there is. Raises what a thread met."""
        if self._timer:
            self._timer.cancel()
        self._end_row()
        try:
            await self._write()
            while self._commits or self._finishing:
                await asyncio.wait({*self._commits, *self._finishing})
            await self._write()  # lets the slices go
        finally:
            self._settled(self._unsettled)  # what could not be written never will be: other lanes must not wait for it
        if self._failure:
            raise self._failure

    def _settled(self, number: int) -> None:
        number = min(number, self._unsettled)  # a commit may end after all
        self._unsettled -= number
        self.gate.settled(number)

    async def _write(self) -> None:
        """Begin to commit the acceptances there are, write the refusals, let go of what is finished."""
        if batch := [(held, held.accepted) for held in self.ready.held.values() if held.accepted]:
            for held, accepted in batch:
                held.accepted = []
                held.committing += 1
                self._waiting -= len(accepted)
            self._watch(self._commits, self._commit(batch))
            if len(self._commits) >= MOST_COMMITS:
                await asyncio.wait(self._commits, return_when=asyncio.FIRST_COMPLETED)
        numbers, self.numbers = self.numbers, []
        if numbers:
            await self._insist(services.number, self.transport_id, numbers, timezone.now())
        refusals = [(held, held.refused) for held in self.ready.held.values() if held.refused]
        for held, _ in refusals:
            held.refused = []
        stops, self._stops = self._stops, []
        if refusals or stops:
            await self._insist(_refuse, [(held.claimed, refused) for held, refused in refusals], stops, self.transport_id)
        if quiet := [held for held in self.ready.held.values() if held.quiet]:
            await self._let_go(quiet)

    async def _commit(self, batch: list[tuple[Held, list[Due]]]) -> None:
        began = time.monotonic()
        standings = await self._record(batch)
        self._settled(sum(len(accepted) for _, accepted in batch))
        for (held, _), standing in zip(batch, standings, strict=True):
            held.committing -= 1
            self._stands(held, standing, began + settings.LEASE * 0.9)
            if held.quiet:
                self.soon()
        if not self.worked:
            self.worked = True
            await in_thread(trouble.over, self.transport_id, timezone.now())

    def _watch(self, tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside; its failure is the lane's."""

        def ended(task: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if not task.cancelled() and (error := task.exception()):
                self._failure = self._failure or error
                self.soon()

        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(ended)

    async def _record(self, batch: list[tuple[Held, list[Due]]]) -> list[Standing]:
        """Commit acceptances: through the ledger, and on a thread what was not so simple."""
        given = [Batch(held.claimed, accepted, held.placed) for held, accepted in batch]
        try:
            standings = await self.ledger.write(given, settings.LEASE)
        except LedgerError as error:
            log.info("acceptances on a thread transport=%d reason=%r", self.transport_id, str(error))
            return await self._insist(_accept, given)
        if late := [number for number, (standing, one) in enumerate(zip(standings, given, strict=True)) if standing.changed < len(one.copies)]:
            for number, standing in zip(late, await self._insist(_accept, [given[number] for number in late]), strict=True):
                standings[number] = standing
        for mailing in {one.slice.mailing for one, standing in zip(given, standings, strict=True) if standing.done}:
            self._watch(self._finishing, self._insist(copies.finish, mailing, timezone.now()))
        return standings

    async def _insist(self, write: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Write on a thread; a database that went away is waited for, because these copies have arrived."""
        until = time.monotonic() + _INSIST_SECONDS
        while True:
            try:
                return await in_thread(write, *args, **kwargs)
            except Error:
                if time.monotonic() > until:
                    raise
                log.warning("outcomes wait for the database transport=%d", self.transport_id, exc_info=True)
                await asyncio.sleep(0.5)

    def _stands(self, held: Held, standing: Standing, deadline: float) -> None:
        held.done = standing.done
        if standing.generation != held.claimed.generation or (standing.state != MailingState.RUNNING and not standing.done):
            self.ready.drop(held)
            self.soon()
        else:
            held.deadline = deadline

    async def _let_go(self, quiet: list[Held]) -> None:
        """Forget finished slices, giving back what is still open in them."""
        for held in quiet:
            del self.ready.held[held.claimed]
        still_open = [held for held in quiet if not held.done]
        for due in {held.due for held in still_open}:
            await in_thread(copies.release, [held.claimed for held in still_open if held.due == due], due)


def _accept(batches: list[Batch]) -> list[Standing]:
    """On a thread: acceptances, each slice's in a transaction of its own."""
    now = timezone.now()
    return [copies.accepted(one.slice, [copy.address for copy in one.copies], settings.LEASE, now) for one in batches]


def _refuse(batch: list[tuple[Claimed, list[Refused]]], stops: list[tuple[int, int, str]], transport: int) -> None:
    """On a thread: each slice's refusals in a transaction of their own, and mailings to pause."""
    now = timezone.now()
    for claimed, refused in batch:
        if not copies.refused(claimed, refused, now, random.random):
            log.warning("too late to settle mailing=%d slice=%d copies=%d", claimed.mailing, claimed.number, len(refused))
    for mailing, code, text in stops:
        trouble.stop_mailing(mailing, transport, code, text, now)
