"""Which copy leaves next: the slices a lane holds, and their copies in memory.

Letters first; then lists take turns, a few copies each, more of a post than of a newsletter. So a large list takes from a
small one no more than its turn.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from django.conf import settings

from colporteur.domain.mailings import Priority
from colporteur.domain.tokens import Purpose, sign_all
from colporteur.flow.copies import Message, Refused
from colporteur.mail.splice import Prepared
from colporteur.store.buckets import Until
from colporteur.store.copies import Claimed, Due


class Held:
    """A slice this worker owns until ``deadline`` (monotonic seconds). ``left``: copies that may leave now; ``aside``: how
    many wait for a limit (``daemons.pace``); ``unsigned``: those that wait for a signature (``daemons.signing``)."""

    __slots__ = ("_sender", "accepted", "aside", "bulk", "claimed", "committing", "deadline", "done", "dropped", "due", "left", "list", "mailing", "message", "placed", "priority", "refused", "signatures", "signing", "stopped", "together", "tokens", "under_way", "unsigned", "utf8")

    def __init__(self, claimed: Claimed, left: Sequence[Due], message: Message, deadline: float, priority: int = Priority.POST, list_: int = 0) -> None:
        self.priority, self.list, self.aside = priority, list_, 0
        self.due: Until | None = None  # given back until then
        self.claimed, self.left, self.message, self.deadline = claimed, deque(left), message, deadline
        self.mailing, self.utf8, self.bulk = claimed.mailing, message.prepared.needs_utf8, priority == Priority.NEWSLETTER  # asked for each copy
        self.unsigned: deque[Due] = deque()
        self.signing = 0  # how many a thread signs at this moment
        self.signatures: dict[int, bytes] = {}  # of each address's copy, where they differ
        self._sender = [part.encode() for part in message.envelope_sender.split("{token}")]
        self.together = not message.prepared.individual and len(self._sender) == 1  # every copy is the same
        addresses = [due.address for due in left]
        named = not (self.together and isinstance(message.prepared, Prepared))  # else no copy says whose it is
        tokens = sign_all(settings.TOKEN_KEY, Purpose.COPY, claimed.mailing, addresses) if named else [""] * len(addresses)
        self.tokens: dict[int, str] = dict(zip(addresses, tokens, strict=True))
        self.under_way = 0  # taken, no outcome yet, or a refusal that waits for its row to end
        self.placed = all(due.place >= 0 for due in left)
        self.accepted: list[Due] = []  # to be settled
        self.committing = 0  # batches with acceptances of it that are not written yet
        self.refused: list[Refused] = []
        self.dropped = False  # given back or lost: outcomes are still recorded, nothing more is taken
        self.stopped = False  # dropped because of a trouble: refusals no longer count
        self.done = False

    def sender(self, token: str) -> bytes:
        """The envelope sender of the copy with this token."""
        return token.encode().join(self._sender)

    def wire(self, due: Due, token: str) -> bytes:
        """The copy as it leaves, signed where its mailing is."""
        signer = self.message.signer
        prepared: Prepared = self.message.prepared  # type: ignore[assignment]  # no newsletter: those have ``daemons.personal``
        if signer is None:
            return prepared.wire_for(due.email, due.name, token)
        signature = self.signatures[due.address] if prepared.individual else signer.sign(due.email, due.name, token, int(time.time()))
        return prepared.wire_for(due.email, due.name, token, signature)

    def ahead(self, due: Due, at: int) -> bytes:
        """What of a copy is made before its turn, on a thread: its signature. ``at``: now, Unix seconds."""
        assert self.message.signer
        return self.message.signer.sign(due.email, due.name, self.tokens[due.address], at)

    @property
    def prepares(self) -> bool:
        """Whether copies are made ready on a thread before their turn."""
        return self.message.signer is not None and self.message.prepared.individual

    @property
    def full(self) -> bool:
        """Whether as many copies are made ready as memory should hold."""
        return False

    @property
    def quiet(self) -> bool:
        """Nothing is left to take, to await or to settle."""
        return not (self.left or self.unsigned or self.signing or self.aside or self.under_way or self.accepted or self.committing or self.refused)


TURN = {Priority.POST: 40, Priority.NEWSLETTER: 10}
"""Copies of a list in a turn, by priority."""


class Queue:
    """Slices of one list and priority, in the order they were claimed. ``credit``: copies left of its turn."""

    __slots__ = ("credit", "slices", "turn")

    def __init__(self, priority: int) -> None:
        self.turn = self.credit = TURN.get(Priority(priority), TURN[Priority.POST])
        self.slices: deque[Held] = deque()


class Ready:
    """Slices in the order they leave. ``left``: copies in memory that nobody has taken. ``hungry`` is called when fewer than
    ``ahead`` are left."""

    def __init__(self, ahead: int, hungry: Callable[[], None]) -> None:
        self.held: dict[Claimed, Held] = {}  # by generation: one may be lost, with outcomes to come, and its slice claimed anew
        self.left, self.ahead, self._hungry = 0, ahead, hungry
        self._letters = Queue(Priority.LETTER)
        self._queues: dict[tuple[int, int], Queue] = {}  # (priority, list), those with slices
        self._turns: deque[Queue] = deque()

    def head(self) -> Held | None:
        """The slice whose first copy leaves next. Hot."""
        if self._letters.slices and (held := self._first(self._letters)) is not None:
            return held
        while self._turns:
            if (held := self._first(self._turns[0])) is not None:
                return held
            self._turns.popleft()
            self._hungry()  # there may be more of a list that has nothing left here
        self._hungry()
        return None

    def _first(self, queue: Queue) -> Held | None:
        """The first slice of a queue that has copies and is still ours."""
        slices = queue.slices
        while slices:
            held = slices[0]
            if not held.left:
                slices.popleft()
            elif time.monotonic() > held.deadline:
                self.drop(held)
            else:
                return held
        return None

    def took(self, number: int) -> None:
        """So many copies were taken from the head."""
        before, self.left = self.left, self.left - number
        if before >= self.ahead > self.left:
            self._hungry()
        if len(self._turns) > 1 and not self._letters.slices:
            queue = self._turns[0]
            queue.credit -= number
            if queue.credit <= 0:
                queue.credit += queue.turn
                self._turns.rotate(-1)

    def add(self, held: Held) -> None:
        """One more slice."""
        self.held[held.claimed] = held
        self.left += len(held.left)
        self._queue(held).slices.append(held)

    def more(self, held: Held, dues: Sequence[Due]) -> None:
        """Further copies of a slice that was added, after its others."""
        held.left.extend(dues)
        self.left += len(dues)
        slices = self._queue(held).slices
        if held not in slices:
            slices.append(held)

    def back(self, held: Held, due: Due) -> None:
        """A copy that was taken and not sent."""
        if held.dropped:
            return
        held.left.appendleft(due)
        self.left += 1
        slices = self._queue(held).slices
        if held not in slices:
            slices.appendleft(held)

    def drop(self, held: Held) -> None:
        """Send no more of this slice: it is lost to another worker, paused or cancelled."""
        self.left -= len(held.left)
        held.left.clear()
        held.unsigned.clear()
        held.dropped = True
        if held in (slices := self._queue(held).slices):
            slices.remove(held)
        if self.left < self.ahead:
            self._hungry()

    def of(self, mailing: int) -> list[Held]:
        """The slices of a mailing."""
        return [one for one in self.held.values() if one.claimed.mailing == mailing]

    def _queue(self, held: Held) -> Queue:
        """The queue of a slice, which has a turn."""
        if held.priority == Priority.LETTER:
            return self._letters
        queue = self._queues.setdefault((held.priority, held.list), Queue(held.priority))
        if queue not in self._turns:
            self._turns.append(queue)
        return queue
