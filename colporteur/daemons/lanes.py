"""A delivery lane: the copies of one transport on their way out.

Slices are claimed ahead of need, copies are completed in the moment the transport takes them, and outcomes are settled
in batches on a thread while sending goes on. What ``kill -9`` can repeat is bounded by the worker's ``Gate``: copies with
a transport and accepted ones that are not settled yet are together at most ``MOST_UNSETTLED`` and one for each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

from django.conf import settings
from django.db import Error
from django.utils import timezone

from colporteur.adapters.transports import Outcome, Outgoing, Result, Stage, Transport, Trouble
from colporteur.daemons.ledger import Ledger, LedgerError
from colporteur.daemons.threads import in_thread
from colporteur.domain.mailings import MailingState
from colporteur.domain.tokens import Purpose, sign
from colporteur.domain.trouble import Row, likeness
from colporteur.flow import copies, trouble
from colporteur.flow.copies import Message, Refused, Work
from colporteur.store.copies import Claimed, Due, Standing

log = logging.getLogger("colporteur.deliver")

P = ParamSpec("P")
R = TypeVar("R")

MOST_UNSETTLED = 64
"""Accepted copies of a worker whose acceptance is not committed yet: with the connections, the published bound."""
BATCH = 12
"""Acceptances that are worth a transaction of their own; fewer wait a moment for company."""
COMPANY_SECONDS = 0.01
AHEAD = 250  # copies left in memory when the next slice is claimed
MOST_BYTES = 64 * 1024 * 1024  # of messages in dialogues at once
IDLE_SECONDS = 20.0  # a lane without copies ends
_SETTLE_SECONDS = 30.0  # how long outcomes wait for a database that went away
_SENT, _COPY = Result.SENT, Purpose.COPY  # hot: a look-up in an enumeration is slow


class Gate:
    """Worker-wide count of copies a transport has, or accepted and we have not settled. ``lanes`` are stirred when it opens.

    Copies under way count too: a connection that pipelines has taken its next copy before the last one is answered, and
    sends it whatever else was accepted meanwhile.
    """

    def __init__(self) -> None:
        self.outstanding = 0
        self.limit = MOST_UNSETTLED
        self.lanes: set[Lane] = set()

    def enter(self, lane: Lane) -> None:
        """A lane begins; its connections widen the gate."""
        self.lanes.add(lane)
        self.limit += lane.connections

    def leave(self, lane: Lane) -> None:
        """A lane ended."""
        if lane in self.lanes:
            self.lanes.remove(lane)
            self.limit -= lane.connections

    def settled(self, number: int) -> None:
        """So many copies are no longer outstanding."""
        was_shut = self.outstanding >= self.limit
        self.outstanding -= number
        if was_shut:
            for lane in self.lanes:
                lane.changed.set()


class Held:
    """A slice this worker owns until ``deadline`` (monotonic seconds)."""

    __slots__ = ("accepted", "claimed", "deadline", "done", "dropped", "left", "message", "refused", "stopped", "under_way")

    def __init__(self, claimed: Claimed, left: list[Due], message: Message, deadline: float) -> None:
        self.claimed, self.left, self.message, self.deadline = claimed, deque(left), message, deadline
        self.under_way = 0  # taken, no outcome yet, or a refusal that waits for its row to end
        self.accepted: list[int] = []  # addresses, to be settled
        self.refused: list[Refused] = []
        self.dropped = False  # given back or lost: outcomes are still recorded, nothing more is taken
        self.stopped = False  # dropped because of a trouble: refusals no longer count
        self.done = False

    @property
    def quiet(self) -> bool:
        """Nothing is left to take, to await or to settle."""
        return not (self.left or self.under_way or self.accepted or self.refused)


class UnderWay(NamedTuple):
    """A copy the transport has."""

    held: Held
    due: Due
    size: int
    number: int  # how many copies the lane had taken before


class Lane:
    """One transport's lane; a ``Feed`` for it. ``run`` returns when there was nothing to do for a while, when told to
    ``stop``, or after a trouble of the whole transport."""

    def __init__(self, transport_id: int, transport: Transport, connections: int, gate: Gate, ledger: Ledger) -> None:
        self.transport_id, self.transport, self.connections, self.gate, self.ledger = transport_id, transport, connections, gate, ledger
        self.closed = False
        self.changed = asyncio.Event()
        self._hungry, self._woken, self._ending = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._hungry.set()
        self._outcomes = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._ready: deque[Held] = deque()
        self._held: dict[tuple[int, int], Held] = {}
        self._under_way: dict[tuple[int, int], UnderWay] = {}
        self._messages: dict[int, Message] = {}
        self._left = self._bytes = self._waiting = 0
        self._key: bytes = settings.TOKEN_KEY
        self._taken = self._row_began = 0
        self._row, self._alike = Row(), list[tuple[UnderWay, Outcome]]()
        self._stops: list[tuple[int, int, str]] = []  # mailings to pause: id, code, reply
        self._worked = False  # something was accepted since the transport's last trouble
        self._finishing: set[asyncio.Task[bool]] = set()
        self._failure: BaseException | None = None

    # --- the feed: hot --------------------------------------------------------------------------------------------

    def take(self) -> Outgoing | None:
        """The next copy, completed; None when there is none, or enough is unsettled."""
        if self.gate.outstanding >= self.gate.limit or (self._bytes > MOST_BYTES and self._under_way):
            return None
        while self._ready:
            held = self._ready[0]
            if not held.left:
                self._ready.popleft()
            elif time.monotonic() > held.deadline:
                self._drop(held)
            else:
                if (outgoing := self._complete(held, held.left.popleft())) is not None:
                    return outgoing
        if not self._hungry.is_set():
            self._hungry.set()
        return None

    def _complete(self, held: Held, due: Due) -> Outgoing | None:
        self._left -= 1
        if self._left == AHEAD - 1:
            self._hungry.set()
        message = held.message
        token = sign(self._key, _COPY, due.mailing, due.address)
        try:
            wire = message.prepared.wire_for(due.email, due.name, token)
            sender = message.envelope_sender.replace("{token}", token).encode()
            recipient = due.email.encode()
        except Exception as error:  # one recipient's values must not stop the others
            log.exception("cannot complete a copy mailing=%d address=%d", due.mailing, due.address)
            held.refused.append(Refused(due.address, 554, f"{type(error).__name__}: {error}", final=True))
            self._settle_soon()
            return None
        key = (due.mailing, due.address)
        self._under_way[key] = UnderWay(held, due, len(wire), self._taken)
        self._taken += 1
        self.gate.outstanding += 1
        self._bytes += len(wire)
        held.under_way += 1
        return Outgoing(key, sender, recipient, wire, message.prepared.needs_utf8)

    def settle(self, outcome: Outcome) -> None:
        """What became of a copy: gathered here, written by ``_settle_all``."""
        found = self._under_way.pop(outcome.key)
        held = found.held
        self._bytes -= found.size
        if self._bytes <= MOST_BYTES < self._bytes + found.size:
            self.changed.set()
        if outcome.result is not _SENT:
            self.gate.settled(1)
        if outcome.result is _SENT:
            held.under_way -= 1
            held.accepted.append(found.due.address)
            self._waiting += 1
            if self._row.length and found.number >= self._row_began:  # what was under way when the refusals began says nothing
                self._end_row()
                self._row.accepted()
            if self._waiting >= BATCH:
                self._outcomes.set()
            elif self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(COMPANY_SECONDS, self._outcomes.set)
        elif outcome.result is Result.UNSENT:
            held.under_way -= 1
            if not held.dropped:
                held.left.appendleft(found.due)
                self._left += 1
                if held not in self._ready:
                    self._ready.appendleft(held)
            self._settle_soon()
        else:
            self._refused(found, outcome)

    # --- refusals ---------------------------------------------------------------------------------------------------

    def _refused(self, found: UnderWay, outcome: Outcome) -> None:
        """A refusal waits until its row ends: many alike are not the copies' own."""
        if found.held.stopped and outcome.result is not Result.UNKNOWN:
            found.held.under_way -= 1
            self._settle_soon()
            return
        like = likeness(outcome.code, outcome.text) if outcome.result is not Result.UNKNOWN else None
        if like is None or found.held.dropped:
            self._refuse(found, outcome)
            return
        if self._row.begins_anew(like):
            self._end_row()
            self._row.accepted()
        if not self._row.length:
            self._row_began = self._taken
        self._alike.append((found, outcome))
        if self._row.add(like):
            self._stop_mailings(outcome)
        else:
            self._settle_soon()

    def _refuse(self, found: UnderWay, outcome: Outcome) -> None:
        found.held.under_way -= 1
        unknown, final = outcome.result is Result.UNKNOWN, outcome.result is Result.FAILED
        found.held.refused.append(Refused(found.due.address, outcome.code, outcome.text, final=final, unknown=unknown))
        self._settle_soon()

    def _end_row(self) -> None:
        """The refusals that waited are what they say."""
        alike, self._alike = self._alike, []
        for found, outcome in alike:
            self._refuse(found, outcome)

    def _stop_mailings(self, outcome: Outcome) -> None:
        """Enough alike in a row: the mailings they belong to pause, the copies stay queued, nothing is counted."""
        alike, self._alike = self._alike, []
        for found, _ in alike:
            found.held.under_way -= 1
        for mailing in {found.due.mailing for found, _ in alike}:
            self._stop_mailing(mailing, outcome.code, outcome.text)

    def _stop_mailing(self, mailing: int, code: int, text: str) -> None:
        for held in [one for one in self._held.values() if one.claimed.mailing == mailing]:
            self._drop(held)
            held.stopped = True
        self._stops.append((mailing, code, f"{code} {text}" if code else text))
        self._settle_soon()

    # --- the lane's life --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim, send and settle until idle, stopped or in trouble. Raises what made it fail, after settling."""
        self.gate.enter(self)
        tasks = [asyncio.create_task(self._guard(work)) for work in (self._claim_all, self._settle_all, self._keep_leases)]
        try:
            while not self.closed:
                try:
                    await self.transport.run(self, self.settle)
                except Trouble as found:
                    await self._in_trouble(found)
        finally:
            self.stop()
            self._ending.set()
            self._settle_soon()
            await asyncio.wait(tasks)
            await self._close()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Take nothing more, finish the dialogues, settle, give leases back."""
        self.closed = True
        for event in (self.changed, self._hungry, self._woken):
            event.set()

    def wake(self) -> None:
        """There may be something to claim."""
        self._woken.set()
        self._hungry.set()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """A part of the lane whose failure ends the lane."""
        try:
            await work()
        except Exception as error:
            self._failure = error
            self.stop()

    async def _close(self) -> None:
        await self.transport.close()
        if self._timer:
            self._timer.cancel()
        for held in self._held.values():
            held.left.clear()
        self._end_row()
        try:
            await self._settle_now()
            if self._finishing:
                await asyncio.wait(self._finishing)
            await in_thread(copies.release, [held.claimed for held in self._held.values()])
        except Error as error:
            self._failure = self._failure or error
        self.gate.leave(self)

    async def _in_trouble(self, found: Trouble) -> None:
        now = timezone.now()
        if found.stage is Stage.SENDER and found.key is not None:
            self._stop_mailing(found.key[0], found.code, f"MAIL FROM: {found}")
            return
        self._worked = False
        self.stop()
        for held in list(self._held.values()):
            self._drop(held)
        await in_thread(trouble.stop_transport, self.transport_id, f"{_WORDS[found.stage]}: {found}", now, lasting=not found.temporary)

    # --- claiming ---------------------------------------------------------------------------------------------------

    async def _claim_all(self) -> None:
        idle_since = time.monotonic()
        while not self.closed:
            full = self._left >= AHEAD
            self._hungry.clear()
            began = time.monotonic()
            works = await in_thread(copies.claim, self.transport_id, timezone.now(), settings.LEASE, letters_only=full)
            if works:
                await self._take_in(works, began + settings.LEASE * 0.9, first=full)
            if works or self._held:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                self.stop()
            if full or self._left >= AHEAD:
                await self._wait(self._hungry, settings.SWEEP)  # letters do not wait behind a slow transport's copies
            elif not works:
                await self._wait(self._woken, settings.SWEEP)
                self._woken.clear()

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until the event, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _take_in(self, works: Sequence[Work], deadline: float, *, first: bool) -> None:
        """Make slices ready to be sent, before all others when ``first``."""
        wanted = {work.slice.mailing for work in works}
        for mailing in [known for known in self._messages if known not in wanted and not any(held.claimed.mailing == known for held in self._held.values())]:
            del self._messages[mailing]
        for mailing in wanted - set(self._messages):
            try:
                self._messages[mailing] = await in_thread(copies.message_of, mailing)
            except Error:
                raise
            except Exception as error:
                slices = [work.slice for work in works if work.slice.mailing == mailing]
                await in_thread(copies.could_not_prepare, mailing, slices, f"{type(error).__name__}: {error}", timezone.now())
        for work in works:
            if message := self._messages.get(work.slice.mailing):
                held = Held(work.slice, work.copies, message, deadline)
                self._held[work.slice.mailing, work.slice.number] = held
                if first:
                    self._ready.appendleft(held)
                else:
                    self._ready.append(held)
                self._left += len(work.copies)
        self.changed.set()

    # --- settling -----------------------------------------------------------------------------------------------------

    def _settle_soon(self) -> None:
        self._outcomes.set()

    async def _settle_all(self) -> None:
        while not self._ending.is_set():
            await self._outcomes.wait()
            self._outcomes.clear()
            if self._timer:
                self._timer.cancel()
                self._timer = None
            await self._settle_now()

    async def _settle_now(self) -> None:
        if self._alike and not self._left and not self._under_way:
            self._end_row()  # nothing more comes that could make the row longer
        batch = [(held, held.accepted) for held in self._held.values() if held.accepted]
        refusals = [(held, held.refused) for held in self._held.values() if held.refused]
        for held, _ in batch:
            held.accepted = []
        for held, _ in refusals:
            held.refused = []
        number = sum(len(accepted) for _, accepted in batch)
        self._waiting -= number
        stops, self._stops = self._stops, []
        if batch:
            began = time.monotonic()
            standings = await self._record(batch)
            self.gate.settled(number)
            for (held, _), standing in zip(batch, standings, strict=True):
                self._stands(held, standing, began + settings.LEASE * 0.9)
        if refusals or stops:
            await self._insist(_write, [(held.claimed, refused) for held, refused in refusals], stops)
        if number and not self._worked:
            self._worked = True
            await in_thread(trouble.over, self.transport_id, timezone.now())
        if quiet := [held for held in self._held.values() if held.quiet]:
            await self._let_go(quiet)

    async def _record(self, batch: list[tuple[Held, list[int]]]) -> list[Standing]:
        """Commit acceptances: through the ledger, and on a thread what was not so simple."""
        given = [(held.claimed, accepted) for held, accepted in batch]
        try:
            standings = await self.ledger.write(given, settings.LEASE)
        except LedgerError as error:
            log.info("acceptances on a thread transport=%d reason=%r", self.transport_id, str(error))
            return await self._insist(_accept, given)
        if late := [number for number, (standing, (_, accepted)) in enumerate(zip(standings, given, strict=True)) if standing.changed < len(accepted)]:
            for number, standing in zip(late, await self._insist(_accept, [given[number] for number in late]), strict=True):
                standings[number] = standing
        for mailing in {claimed.mailing for (claimed, _), standing in zip(given, standings, strict=True) if standing.done}:
            task = asyncio.create_task(self._insist(copies.finish, mailing, timezone.now()))
            self._finishing.add(task)
            task.add_done_callback(self._finished)
        return standings

    def _finished(self, task: asyncio.Task[bool]) -> None:
        self._finishing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error
            self.stop()

    async def _insist(self, write: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Write on a thread; a database that went away is waited for, because these copies have arrived."""
        until = time.monotonic() + _SETTLE_SECONDS
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
            self._drop(held)
        else:
            held.deadline = deadline

    def _drop(self, held: Held) -> None:
        """Send no more of this slice: it is lost to another worker, paused or cancelled."""
        self._left -= len(held.left)
        held.left.clear()
        held.dropped = True
        if held in self._ready:
            self._ready.remove(held)
        if self._left < AHEAD:
            self._hungry.set()
        self._settle_soon()

    async def _let_go(self, quiet: list[Held]) -> None:
        """Forget finished slices, giving back what is still open in them."""
        for held in quiet:
            del self._held[held.claimed.mailing, held.claimed.number]
        if still_open := [held.claimed for held in quiet if not held.done]:
            await in_thread(copies.release, still_open)

    async def _keep_leases(self) -> None:
        """Prolong leases of slices that take long, and notice pauses while nothing moves."""
        while not self._ending.is_set():
            await self._wait(self._ending, settings.LEASE / 4)
            began = time.monotonic()
            mine = [held for held in self._held.values() if not held.dropped]
            still = await in_thread(copies.renew, [held.claimed for held in mine], settings.LEASE)
            for held in mine:
                if held.claimed in still:
                    held.deadline = max(held.deadline, began + settings.LEASE * 0.9)
                elif not held.quiet:
                    self._drop(held)


_WORDS = {Stage.CONNECT: "connection", Stage.GREETING: "greeting", Stage.TLS: "TLS", Stage.AUTH: "sign-in", Stage.SENDER: "MAIL FROM"}


def _accept(batch: list[tuple[Claimed, list[int]]]) -> list[Standing]:
    """On a thread: acceptances, each slice's in a transaction of its own."""
    now = timezone.now()
    return [copies.accepted(claimed, accepted, settings.LEASE, now) for claimed, accepted in batch]


def _write(batch: list[tuple[Claimed, list[Refused]]], stops: list[tuple[int, int, str]]) -> None:
    """On a thread: each slice's refusals in a transaction of their own, and mailings to pause."""
    now = timezone.now()
    for claimed, refused in batch:
        if not copies.refused(claimed, refused, now, random.random):
            log.warning("too late to settle mailing=%d slice=%d copies=%d", claimed.mailing, claimed.number, len(refused))
    for mailing, code, text in stops:
        trouble.stop_mailing(mailing, code, text, now)
