"""Which copy leaves next: the slices a lane holds, and their copies in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from django.conf import settings

from colporteur.domain.tokens import Purpose, sign_all
from colporteur.flow.copies import Message, Refused
from colporteur.store.copies import Claimed, Due


class Held:
    """A slice this worker owns until ``deadline`` (monotonic seconds)."""

    __slots__ = ("_sender", "accepted", "claimed", "deadline", "done", "dropped", "left", "message", "refused", "stopped", "tokens", "under_way")

    def __init__(self, claimed: Claimed, left: Sequence[Due], message: Message, deadline: float) -> None:
        self.claimed, self.left, self.message, self.deadline = claimed, deque(left), message, deadline
        addresses = [due.address for due in left]
        self.tokens: dict[int, str] = dict(zip(addresses, sign_all(settings.TOKEN_KEY, Purpose.COPY, claimed.mailing, addresses), strict=True))
        self._sender = [part.encode() for part in message.envelope_sender.split("{token}")]
        self.under_way = 0  # taken, no outcome yet, or a refusal that waits for its row to end
        self.accepted: list[int] = []  # addresses, to be settled
        self.refused: list[Refused] = []
        self.dropped = False  # given back or lost: outcomes are still recorded, nothing more is taken
        self.stopped = False  # dropped because of a trouble: refusals no longer count
        self.done = False

    def sender(self, token: str) -> bytes:
        """The envelope sender of the copy with this token."""
        return token.encode().join(self._sender)

    @property
    def quiet(self) -> bool:
        """Nothing is left to take, to await or to settle."""
        return not (self.left or self.under_way or self.accepted or self.refused)


class Ready:
    """Slices in the order they leave. ``left``: copies in memory that nobody has taken. ``hungry`` is called when fewer than
    ``ahead`` are left."""

    def __init__(self, ahead: int, hungry: Callable[[], None]) -> None:
        self.held: dict[tuple[int, int], Held] = {}
        self.left, self.ahead, self._hungry = 0, ahead, hungry
        self._queue: deque[Held] = deque()

    def head(self) -> Held | None:
        """The slice whose first copy leaves next. Hot."""
        while self._queue:
            held = self._queue[0]
            if not held.left:
                self._queue.popleft()
            elif time.monotonic() > held.deadline:
                self.drop(held)
            else:
                return held
        self._hungry()
        return None

    def took(self, number: int) -> None:
        """So many copies were taken from the head."""
        before, self.left = self.left, self.left - number
        if before >= self.ahead > self.left:
            self._hungry()

    def add(self, held: Held, *, first: bool) -> None:
        """One more slice, before all others when ``first``."""
        self.held[held.claimed.mailing, held.claimed.number] = held
        self.left += len(held.left)
        if first:
            self._queue.appendleft(held)
        else:
            self._queue.append(held)

    def back(self, held: Held, due: Due) -> None:
        """A copy that was taken and not sent."""
        if held.dropped:
            return
        held.left.appendleft(due)
        self.left += 1
        if held not in self._queue:
            self._queue.appendleft(held)

    def drop(self, held: Held) -> None:
        """Send no more of this slice: it is lost to another worker, paused or cancelled."""
        self.left -= len(held.left)
        held.left.clear()
        held.dropped = True
        if held in self._queue:
            self._queue.remove(held)
        if self.left < self.ahead:
            self._hungry()

    def of(self, mailing: int) -> list[Held]:
        """The slices of a mailing."""
        return [one for one in self.held.values() if one.claimed.mailing == mailing]
