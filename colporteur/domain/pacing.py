"""Pacing: how many copies may leave when, so that no limit is ever exceeded.

A bucket is one limit ("200 an hour") of one thing. It knows when its copies were answered, in two hundred bins, and how many
slots are out whose answer nobody reported yet; those count as if they left now. So however late a copy is, and whoever
sends it, no sliding window of the unit holds more than the limit: a slot is given only when fewer than that are out or
were answered within a window of it. Evenness is GCRA's theoretical arrival time, beside the count.

Times are seconds; ``at`` is counted from the bucket's present.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil, inf
from typing import NamedTuple

from colporteur.domain.mailings import Pace, Priority
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

BINS = 200
"""Bins a window is counted in: an answer counts up to a two-hundredth of the window longer than it must."""
HORIZON = 2.0
"""Seconds ahead for which slots are given out; at most a quarter of the shortest window."""
PUBLISHED_SHARE = 80
"""Percent of a provider's published figure that a profile asks for."""
_CAUGHT_UP, _CAUGHT_UP_SECONDS = 0.02, 60.0  # of a window, and at most, that evenly spread slots may come late and be caught up: after a pause there is no burst
_KEPT = 10  # one in so many is kept for letters
_MOST_NUMBER, _MOST_SECONDS = 100_000_000, 31 * 86400
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_WORDS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1, "seconde": 1, "secondes": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600, "heure": 3600, "heures": 3600, "d": 86400, "day": 86400, "days": 86400, "j": 86400, "jour": 86400, "jours": 86400,
}  # fmt: skip
_RATE = re.compile(r"\s*(\d[\d  \u202f,]*)\s*/\s*(\d*)\s*([a-z]+)\s*", re.IGNORECASE)


class Cadence(IntEnum):
    """How the copies of a mailing use what a limit allows."""

    LETTER = 0  # at once, and from the tenth kept for them
    BURST = 1  # at once, up to the window
    EVEN = 2  # spread over the window


def cadence_of(priority: int, pace: str) -> Cadence:
    """The cadence of copies of a priority, and of the pace their mailing was given."""
    if priority == Priority.LETTER:
        return Cadence.LETTER
    usual = Cadence.EVEN if priority == Priority.NEWSLETTER else Cadence.BURST
    return {Pace.FAST: Cadence.BURST, Pace.EVEN: Cadence.EVEN}.get(Pace(pace), usual)


class Rate(NamedTuple):
    """So many recipients in any window of so many seconds."""

    number: int
    seconds: int

    def __str__(self) -> str:
        for unit, seconds in reversed(_UNITS.items()):
            if self.seconds % seconds == 0:
                several = self.seconds // seconds
                return f"{self.number}/{unit}" if several == 1 else f"{self.number}/{several} {unit}s"
        raise AssertionError(self.seconds)

    def share(self, percent: int) -> Rate:
        """That much of it, rounded down, at least one."""
        return Rate(max(1, self.number * percent // 100), self.seconds)


def read_rate(text: str) -> Rate:
    """``200/hour``, ``2,000/day``, ``30/15 minutes``, ``5/s``. Raises ``Invalid`` with what to write."""
    found = _RATE.fullmatch(text)
    unit = _WORDS.get(found[3].lower()) if found else None
    if not found or not unit:
        raise Invalid(_("%(text)r is not a limit: write 200/hour, 2000/day, 30/15 minutes or 5/second"), text=text[:40])
    rate = Rate(int(re.sub(r"\D", "", found[1])[:12]), int(found[2][:8] or 1) * unit)
    if not (1 <= rate.number <= _MOST_NUMBER and 1 <= rate.seconds <= _MOST_SECONDS):
        raise Invalid(_("a limit is at least 1 recipient and at most %(most)d, in a window of at most 31 days"), most=_MOST_NUMBER)
    return rate


def read_rates(text: str) -> tuple[Rate, ...]:
    """Several limits, by commas with a space, semicolons or lines; the strictest of each window. Raises ``Invalid``."""
    rates: dict[int, Rate] = {}
    for part in re.split(r"[;\n]|,\s", text):
        if part.strip():
            rate = read_rate(part)
            rates[rate.seconds] = min(rate, rates.get(rate.seconds, rate))
    return tuple(rates[seconds] for seconds in sorted(rates))


@dataclass(slots=True)
class Bucket:
    """One limit and what was used of it. ``clock`` is its own time, which never goes back."""

    rate: Rate
    clock: float = 0.0
    bins: dict[int, list[int]] = field(default_factory=dict)  # bin -> [answered, of these in a burst]
    open: int = 0  # given out, not reported
    burst: int = 0  # of these in a burst
    even_at: float = 0.0  # when the next evenly spread slot is due
    spare_at: float = 0.0  # when others may next have one of those kept for letters
    urgent_until: float = 0.0  # a letter was turned away: others wait
    _leaving: list[tuple[float, int, int]] = field(default_factory=list)  # (seconds from now, answered, of these in a burst)
    _next: list[int] = field(default_factory=lambda: [0, 0])  # for all and for bursts: how many bins are taken as gone
    _inside: list[int] = field(default_factory=lambda: [0, 0])  # what the others hold

    @property
    def _width(self) -> float:
        return self.rate.seconds / BINS

    @property
    def horizon(self) -> float:
        """How far ahead slots are given."""
        return min(HORIZON, self.rate.seconds / 4)

    def advance(self, elapsed: float) -> None:
        """So many seconds passed, at least none; bins whose window is over are forgotten."""
        self.clock += max(elapsed, 0.0)
        last = self.clock - self.rate.seconds
        self.bins = {number: counts for number, counts in self.bins.items() if (number + 1) * self._width > last}

    def answered(self, age: float, number: int = 1, burst: int = 0) -> None:
        """Copies were answered ``age`` seconds ago, so many of them sent in a burst: their window begins then, not when it
        is reported."""
        counts = self.bins.setdefault(int((self.clock - max(age, 0.0)) // self._width), [0, 0])
        counts[0] += number
        counts[1] += burst

    def give_back(self, number: int, burst: int = 0) -> None:
        """Slots are no longer out."""
        self.open = max(0, self.open - number)
        self.burst = max(0, self.burst - burst)

    def load(self, numbers: Sequence[int]) -> None:
        """Bins as ``dump`` wrote them at this clock."""
        now = int(self.clock // self._width)
        self.bins = {now + numbers[first]: [numbers[first + 1], numbers[first + 2]] for first in range(0, len(numbers), 3)}

    def dump(self) -> list[int]:
        """Bins in small numbers: each by its distance from the present one, answered, of these in a burst."""
        now = int(self.clock // self._width)
        return [number for index, counts in self.bins.items() for number in (index - now, *counts)]

    def begin(self) -> None:
        """Before slots are asked for: in which order answered ones leave the window."""
        self._leaving = sorted(((index + 1) * self._width + self.rate.seconds - self.clock, *counts) for index, counts in self.bins.items())  # type: ignore[misc]
        self._next = [0, 0]
        self._inside = [sum(leaving[1] for leaving in self._leaving), sum(leaving[2] for leaving in self._leaving)]

    def used(self) -> int:
        """Slots of the present window: answered, or still out."""
        return self.open + sum(counts[0] for counts in self.bins.values())

    def earliest(self, cadence: Cadence) -> float:
        """When the next slot may be used; ``inf`` when that depends on answers that have not come."""
        at = self._below(self.rate.number, 0)
        if cadence is Cadence.LETTER:
            return at
        at = max(at, self.urgent_until - self.clock)
        if cadence is Cadence.EVEN:
            return max(at, self.even_at - self.clock)
        return max(at, min(self._below(self.rate.number - self._kept, 1), self.spare_at - self.clock))

    def take(self, at: float, cadence: Cadence) -> None:
        """Give a slot for ``at``."""
        if cadence is Cadence.BURST:
            if self._below(self.rate.number - self._kept, 1) <= at:
                self.burst += 1
            else:
                self.spare_at = max(self.spare_at, self.clock + at) + self.rate.seconds / self._kept
        elif cadence is Cadence.EVEN:
            late = self.clock + at - min(self.rate.seconds * _CAUGHT_UP, _CAUGHT_UP_SECONDS)  # whoever asked late catches up a little
            self.even_at = max(self.even_at, late) + self.rate.seconds / self.rate.number
        self.open += 1

    @property
    def _kept(self) -> int:
        return self.rate.number // _KEPT

    def near(self, horizon: float) -> int:
        """How many slots the window has room for before ``horizon``."""
        return max(0, self.rate.number - self.used() + sum(number for at, number, _ in self._leaving if at <= horizon))

    def _below(self, number: int, column: int) -> float:
        """When fewer than ``number`` are in the window: of all (column 0), or of those in a burst (1). Since ``begin`` the
        answer only grows, so each bin is looked at once."""
        out = self.burst if column else self.open
        while self._inside[column] + out >= number:
            if self._next[column] == len(self._leaving):
                return inf
            _, number_left, burst_left = self._leaving[self._next[column]]
            self._inside[column] -= burst_left if column else number_left
            self._next[column] += 1
        return max(self._leaving[self._next[column] - 1][0], 0.0) if self._next[column] else 0.0


class Slots(NamedTuple):
    """Slots given out, ``at`` seconds from now each, and when to ask again for more (0: all that were asked for)."""

    at: tuple[float, ...]
    again: float


def grant(buckets: Sequence[Bucket], cadence: Cadence, most: int) -> Slots:
    """Up to ``most`` slots that every one of the buckets (at least one) allows."""
    horizon = min(bucket.horizon for bucket in buckets)
    for bucket in buckets:
        bucket.begin()
    given: list[float] = []
    while len(given) < most:
        at = max(bucket.earliest(cadence) for bucket in buckets)
        if at > horizon:
            return Slots(tuple(given), at)
        for bucket in buckets:
            bucket.take(at, cadence)
        given.append(at)
    return Slots(tuple(given), 0.0)


def fair_share(buckets: Sequence[Bucket], among: int) -> int:
    """How many of the slots that are near one of so many workers may have at a time; at least one."""
    horizon = min(bucket.horizon for bucket in buckets)
    for bucket in buckets:
        bucket.begin()
    return max(1, ceil(min(bucket.near(horizon) for bucket in buckets) / among))


def seconds_for(copies: int, buckets: Iterable[Bucket], cadence: Cadence = Cadence.BURST) -> float:
    """How long so many copies take at least under these limits; 0 when none binds."""
    longest = 0.0
    for bucket in buckets:
        number, seconds = bucket.rate
        free = 0 if cadence is Cadence.EVEN else max(0, number - bucket.used())
        if copies > free:
            longest = max(longest, (copies - free) * seconds / number)
    return longest
