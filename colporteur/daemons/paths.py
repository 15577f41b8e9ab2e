"""Paths and destination groups of a limited lane: what waits, what is under way, and which slots there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from colporteur.daemons.ready import TURN, Held
from colporteur.domain.mailings import Priority
from colporteur.domain.pacing import Cadence
from colporteur.flow.destinations import Standing
from colporteur.flow.pacing import Line, Report
from colporteur.store.copies import Due

AT_ONCE = 50
"""Copies of a slice that one look may let go."""


class Path:
    """Copies under the same limits. ``parts``: those that wait, by slice, in the order the slices came. ``slots``: moments
    (monotonic seconds) from which one copy each may leave. ``air``: copies under way."""

    __slots__ = ("again", "air", "answered", "cadence", "credit", "free", "line", "parts", "slots", "turn", "waiting")

    def __init__(self, line: Line, cadence: Cadence, priority: int) -> None:
        self.line, self.cadence = line, cadence
        self.turn = self.credit = TURN.get(Priority(priority), TURN[Priority.POST])
        self.parts: dict[Held, deque[Due]] = {}
        self.slots: deque[float] = deque()
        self.answered: list[float] = []
        self.waiting = self.air = 0
        self.free = False  # nothing limits it
        self.again = 0.0  # when to ask for slots

    @property
    def idle(self) -> bool:
        """Nothing waits, is under way or must be told."""
        return not (self.waiting or self.air or self.slots or self.answered)

    @property
    def missing(self) -> int:
        """Copies that have no slot yet."""
        return self.waiting - len(self.slots)

    def ready_slots(self, now: float) -> int:
        """Slots whose moment has come; they are in order but for those handed back, which are in front."""
        return sum(1 for _ in _until(self.slots, now))

    def report(self, *, ending: bool = False) -> Report:
        """What happened since the last time, and slots nobody needs; all of them when ``ending``."""
        answered, self.answered = self.answered, []
        spare = len(self.slots) if ending else max(0, -self.missing)
        for _ in range(spare):
            self.slots.pop()
        return Report(self.line, tuple(answered), spare)


class Group:
    """A destination group as this lane sees it."""

    __slots__ = ("accepted", "air", "policies", "refusals", "rests_until", "standing")

    def __init__(self) -> None:
        self.standing = Standing(0, None, ())
        self.air, self.rests_until = 0, 0.0  # monotonic
        self.refusals: list[tuple[int, str]] = []  # to be told
        self.policies = 0  # refusals of policy since the last acceptance
        self.accepted = False

    def room(self) -> int:
        """How many more copies may be under way."""
        return max(0, self.standing.connections - self.air) if self.standing.connections else AT_ONCE


def _until(slots: Iterable[float], now: float) -> Iterator[float]:
    for slot in slots:
        if slot > now:
            return
        yield slot
