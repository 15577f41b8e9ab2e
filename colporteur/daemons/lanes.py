"""A delivery lane: the copies of one transport on their way out.

Slices are claimed ahead of need (``ready`` says which copy is next), copies are completed in the moment the transport takes
them, and outcomes are settled in batches while sending goes on (``settling``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

from django.conf import settings
from django.db import Error
from django.utils import timezone

from colporteur.adapters.transports import Outcome, Outgoing, Result, Stage, Transport, Trouble
from colporteur.daemons.ledger import Ledger
from colporteur.daemons.pace import Pace
from colporteur.daemons.paths import Path
from colporteur.daemons.personal import PersonalHeld
from colporteur.daemons.ready import Held, Ready
from colporteur.daemons.room import AHEAD, ahead_of, pressed, room_of
from colporteur.daemons.settling import Gate, Settling
from colporteur.daemons.signing import Signing
from colporteur.daemons.slots import Slots
from colporteur.daemons.threads import in_thread
from colporteur.domain.destinations import Act
from colporteur.domain.transports import ALONE, Share
from colporteur.domain.words import Invalid
from colporteur.flow import copies, trouble
from colporteur.flow.copies import Message, Way, Work
from colporteur.store import copies as rows
from colporteur.store.copies import Due

log = logging.getLogger("colporteur.deliver")

MOST_BYTES = 64 * 1024 * 1024  # of messages in dialogues at once
PREPARED_SECONDS = 60.0  # a mailing that lasts is prepared anew: its pace, or keys that sign, may have changed
IDLE_SECONDS = 20.0  # a lane without copies ends
CROWDED_SECONDS = 5.0  # so long a worker that is let in nowhere looks whether another one gets on


class Parcel(Outgoing):
    """A copy the transport has, or several alike. ``number``: how many the lane had begun before; ``open``: how many have no
    outcome yet; ``path``: where its limits are, in a lane that has some."""

    __slots__ = ("dues", "held", "number", "open", "path")

    path: Path

    def __init__(self, held: Held, dues: tuple[Due, ...], token: str, recipients: tuple[bytes, ...], wire: bytes, number: int) -> None:
        self.key, self.sender, self.recipients, self.wire, self.cap = (held.mailing, dues[0].address), held.sender(token), recipients, wire, None
        self.held, self.dues, self.number, self.open = held, dues, number, len(dues)
        self.token, self.utf8, self.bulk = token, held.utf8, held.bulk


class Lane:
    """One transport's lane; a ``Feed`` for it. ``run`` returns when there was nothing to do for a while, when told to
    ``stop``, or after a trouble of the whole transport. ``crowded``: it ended because the server lets others in, not us."""

    def __init__(self, way: Way, transport: Transport, gate: Gate, ledger: Ledger, share: Share = ALONE) -> None:
        self.share, self.crowded = share, False
        self.transport_id, self.transport, self.connections, self.gate = way.transport, transport, way.connections, gate
        self.closed = False
        self.changed = asyncio.Event()
        self._hungry, self._woken, self._ending, self._steered = asyncio.Event(), asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._hungry.set()
        self.pace = Pace(AHEAD, self._get_hungry, by_destination=way.by_destination, stir=self.changed.set) if way.limited else None
        self.ready = self.pace or Ready(AHEAD, self._get_hungry)
        self.settling = Settling(way.transport, self.ready, gate, ledger)
        self.slots = Slots(self.pace, way.transport, way.account, self.settling.soon) if self.pace else None
        self.signing = Signing(self.ready, self.changed.set, self.settling.soon)
        self._messages: dict[int, tuple[Message, float]] = {}  # and since when (monotonic seconds)
        self._bytes = self._in_air = self._begun = 0
        self._gone: set[int] = set()  # since the last claim began, which may not know
        self._failure: BaseException | None = None

    # --- the feed: hot --------------------------------------------------------------------------------------------

    @property
    def shut(self) -> bool:
        """Whether no message may be handed over now: enough is unsettled."""
        return self.gate.shut

    def take(self) -> Parcel | None:
        """The next copy, completed; None when there is none."""
        if self._bytes > MOST_BYTES and self._in_air:
            return None
        while (held := self.ready.head()) is not None:
            dues = self._alike(held) if held.together else (held.left.popleft(),)
            number = len(dues)
            self.ready.took(number)
            try:
                parcel = self._complete(held, dues)
            except Exception as error:  # one recipient's values must not stop the others
                log.error("cannot complete a copy mailing=%d address=%d", held.claimed.mailing, dues[0].address, exc_info=not isinstance(error, Invalid))
                held.refused += [copies.incomplete(due.address, error) for due in dues]
                if self.pace is not None:
                    self.pace.landed(self.pace.path, number)
                self.settling.soon()
                continue
            self._begun += number
            self._in_air += number
            self._bytes += len(parcel.wire)
            held.under_way += number
            if self.pace is not None:
                parcel.path = self.pace.path
                parcel.cap = self.pace.cap(parcel.path)
            return parcel
        return None

    def _alike(self, held: Held) -> tuple[Due, ...]:
        """Copies for one transaction: as many as the server takes. An address that needs SMTPUTF8 goes alone."""
        dues = [held.left.popleft()]
        if dues[0].email.isascii():
            while len(dues) < self.transport.recipients and held.left and held.left[0].email.isascii():
                dues.append(held.left.popleft())
        return tuple(dues)

    def _complete(self, held: Held, dues: tuple[Due, ...]) -> Parcel:
        due = dues[0]
        token = held.tokens[due.address]
        recipients = (due.email.encode(),) if len(dues) == 1 else tuple([one.email.encode() for one in dues])
        return Parcel(held, dues, token, recipients, held.wire(due, token), self._begun)

    def still(self, copy: Outgoing) -> bool:
        """Whether a copy taken a while ago is still this worker's to send."""
        assert isinstance(copy, Parcel)
        return not copy.held.dropped and time.monotonic() <= copy.held.deadline

    def accepted(self, copy: Outgoing) -> None:
        """The server took it."""
        assert isinstance(copy, Parcel)
        self._landed(copy, len(copy.dues))
        self.settling.accepted(copy.held, copy.dues, copy.number)
        if not (self._in_air or self.ready.left):
            self.settling.soon()  # nobody comes who could be waited for
        if self.pace is not None:
            self.pace.took_mail(copy.path)

    def settle(self, outcome: Outcome) -> None:
        """What became of one recipient's copy."""
        parcel = outcome.copy
        assert isinstance(parcel, Parcel)
        held, due = parcel.held, parcel.dues[outcome.nth]
        self._landed(parcel, 1)
        if outcome.result is Result.SENT:
            if self.transport.traits.numbers and outcome.text:
                self.settling.numbers.append((outcome.text, held.claimed.mailing, due.address))
            self.settling.accepted(held, (due,), parcel.number)
        elif outcome.result is Result.UNSENT:
            held.under_way -= 1
            self.ready.back(held, due)
            self.settling.soon()
        elif self.pace is not None and self.pace.blamed(parcel.path, outcome) is not Act.NONE:
            self.settling.alone(held, due, outcome)
        else:
            self.settling.refused(held, due, outcome, self._begun)

    def _landed(self, parcel: Parcel, number: int) -> None:
        """So many copies of a parcel are no longer in the air, and its bytes with the last of them."""
        self._in_air -= number
        parcel.open -= number
        if self.pace is not None:
            self.pace.landed(parcel.path, number)
        if not parcel.open:
            before, self._bytes = self._bytes, self._bytes - len(parcel.wire)
            if self._bytes <= MOST_BYTES < before:
                self.changed.set()

    # --- the lane's life --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim, send and settle until idle, stopped or in trouble. Raises what made it fail, after settling."""
        self.gate.lanes.add(self)
        tasks = [asyncio.create_task(self._guard(work)) for work in (self._claim_all, self._settle_all, self._keep_leases, self._keep_pace, self._keep_signing)]
        try:
            while not self.closed:
                try:
                    await self.transport.run(self)
                except Trouble as found:
                    await self._in_trouble(found)
        finally:
            self.stop()
            self._ending.set()
            self._steered.set()
            self.settling.end()
            self.signing.end()
            if self.pace:
                self.pace.end()
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

    def steered(self) -> None:
        """Something was paused, cancelled or switched off: what is held may not leave any more."""
        self._steered.set()

    def left(self, addresses: Collection[int]) -> None:
        """These receive no more: slices with copies for them are given back, and claimed anew without."""
        self._gone.update(addresses)
        for held in list(self.ready.held.values()):
            if not (held.dropped or held.tokens.keys().isdisjoint(addresses)):
                self.ready.drop(held)
                self.settling.soon()

    def _get_hungry(self) -> None:
        """Few copies are left: claim more, unless enough of them only wait for a signature."""
        if self.signing.waiting < AHEAD:
            self._hungry.set()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """A part of the lane whose failure ends the lane."""
        try:
            await work()
        except Exception as error:
            self._failure = error
            self.stop()

    async def _keep_pace(self) -> None:
        if self.slots:
            await self.slots.run(self._ending)

    async def _keep_signing(self) -> None:
        await self.signing.run(self._ending)

    async def _settle_all(self) -> None:
        await self.settling.run(lambda: not (self.ready.left or self._in_air) and self.signing.idle)

    async def _close(self) -> None:
        await self.transport.close()
        for held in self.ready.held.values():
            held.left.clear()
        try:
            await self.settling.close()
            if self.slots:
                await self.slots.close()
            await in_thread(copies.release, [held.claimed for held in self.ready.held.values()])
        except Error as error:
            self._failure = self._failure or error
        self.gate.lanes.discard(self)

    async def _in_trouble(self, found: Trouble) -> None:
        now = timezone.now()
        if found.stage is Stage.SENDER and found.key is not None:
            self.settling.stop_mailing(found.key[0], found.code, f"MAIL FROM: {found}")
            return
        self.stop()
        mine = {held.claimed[:2] for held in self.ready.held.values()}
        for held in list(self.ready.held.values()):
            self.ready.drop(held)
        self.settling.soon()
        if found.temporary and await self._is_crowded(mine):
            log.info("crowded transport=%d reason=%r", self.transport_id, str(found))
            self.crowded = True
            return
        await self.settling.in_trouble()
        await in_thread(trouble.stop_transport, self.transport_id, f"{_WORDS[found.stage]}: {found}", now, lasting=not found.temporary)

    async def _is_crowded(self, mine: Collection[tuple[int, int]]) -> bool:
        """Whether the server only takes fewer connections than all of us open who share them. The first of us judges that: it is
        so when another one gets on."""
        if self.share.nth > 1 or self.share.of == 1:
            return self.share.nth > 1
        before = {key: sent for key, sent in (await in_thread(rows.under_way, self.transport_id)).items() if key not in mine}
        until = time.monotonic() + CROWDED_SECONDS
        while before and time.monotonic() < until:
            await asyncio.sleep(0.5)
            if await in_thread(rows.went_on, before):
                return True
        return False

    # --- claiming ---------------------------------------------------------------------------------------------------

    async def _claim_all(self) -> None:
        idle_since = time.monotonic()
        while not self.closed:
            self._hungry.clear()
            self._woken.clear()
            self._gone.clear()
            began, room = time.monotonic(), room_of(self.ready.held.values(), self.ready.ahead)
            works = await in_thread(copies.claim, self.transport_id, timezone.now(), settings.LEASE, room)
            if works:
                await self._take_in(works, began + settings.LEASE * 0.9)
                if self._gone:
                    self.left(frozenset(self._gone))
            if works or self.ready.held:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                self.stop()
            self.ready.ahead = ahead_of(self.ready.held.values())
            if self.ready.left >= self.ready.ahead or pressed(room):
                await self._wait(self._hungry, settings.SWEEP)
            elif not works:  # nothing is due: whoever asks for a copy in vain does not make it so
                await self._wait(self._woken, settings.SWEEP)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until the event, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def _take_in(self, works: Sequence[Work], deadline: float) -> None:
        """Make slices ready to be sent."""
        wanted = {work.slice.mailing for work in works}
        now = time.monotonic()
        for mailing, (_, since) in list(self._messages.items()):
            if (mailing not in wanted and not self.ready.of(mailing)) or now - since > PREPARED_SECONDS:
                del self._messages[mailing]
        for mailing in wanted - set(self._messages):
            try:
                self._messages[mailing] = await in_thread(copies.message_of, mailing), now
            except Error:
                raise
            except Exception as error:
                slices = [work.slice for work in works if work.slice.mailing == mailing]
                await in_thread(copies.could_not_prepare, mailing, slices, f"{type(error).__name__}: {error}", timezone.now())
        if self.pace:
            await self.pace.sort(works)
        for work in works:
            if known := self._messages.get(work.slice.mailing):
                held = _held(work, known[0], deadline)
                if held.prepares:
                    self.signing.add(held)
                else:
                    self.ready.add(held)
        self.changed.set()

    async def _keep_leases(self) -> None:
        """Prolong leases of slices that take long, and drop what may not leave any more."""
        while not self._ending.is_set():
            await self._wait(self._steered, settings.LEASE / 4)
            self._steered.clear()
            began = time.monotonic()
            mine = [held for held in self.ready.held.values() if not held.dropped]
            still = await in_thread(copies.renew, [held.claimed for held in mine], settings.LEASE)
            for held in mine:
                if held.claimed in still:
                    held.deadline = max(held.deadline, began + settings.LEASE * 0.9)
                elif not held.quiet:
                    self.ready.drop(held)
                    self.settling.soon()


def _held(work: Work, message: Message, deadline: float) -> Held:
    if work.readers is None:
        return Held(work.slice, work.copies, message, deadline, work.priority, work.list)
    return PersonalHeld(work.slice, work.copies, message, deadline, work.priority, work.list, readers=work.readers)


_WORDS = {Stage.CONNECT: "connection", Stage.GREETING: "greeting", Stage.TLS: "TLS", Stage.AUTH: "sign-in", Stage.SENDER: "MAIL FROM"}
