"""Digests: how a member can receive, when a digest is due, which messages go into one, and its number.

Sources: Mailman 3 (digest_size_threshold, volume and issue), Sympa (digest, digestplain, notice, nomail), RFC 1153.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class DeliveryMode(StrEnum):
    """How a member receives, the quickest first."""

    EACH = "each"
    SUBJECTS = "subjects"  # subject, author and a link, message by message
    DAILY_MIME = "daily-mime"
    DAILY_PLAIN = "daily-plain"
    WEEKLY_MIME = "weekly-mime"
    WEEKLY_PLAIN = "weekly-plain"
    NONE = "none"  # reads elsewhere, receives nothing, may write

    @property
    def cadence(self) -> Cadence | None:
        """How often its digests come; None when it is no digest."""
        word = self.value.partition("-")[0]
        return Cadence(word) if word in list(Cadence) else None

    @property
    def plain(self) -> bool:
        """Whether its digests are one text (RFC 1153) instead of whole messages (RFC 2046 section 5.1.5)."""
        return self.value.endswith("-plain")

    @property
    def quicker(self) -> tuple[DeliveryMode, ...]:
        """Ways that bring a message sooner: who reads by one of them does not need this one."""
        return tuple(DeliveryMode)[: list(DeliveryMode).index(self)]


class Cadence(StrEnum):
    """How often digests come."""

    DAILY = "daily"
    WEEKLY = "weekly"

    @property
    def modes(self) -> tuple[DeliveryMode, ...]:
        """Deliveries with digests of this cadence."""
        return tuple(mode for mode in DeliveryMode if mode.cadence is self)


class Offered(StrEnum):
    """Which digests members can choose."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"
    BOTH = "both"


class Weekday(StrEnum):
    """The day of weekly digests; in the order of ``date.weekday``."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Timetable(NamedTuple):
    """When digests of a list leave: the hour of day (0 to 23) and the weekday, on the clocks of a time zone."""

    hour: int
    weekday: Weekday
    zone: ZoneInfo


def zone(name: str, otherwise: str = "UTC") -> ZoneInfo:
    """The time zone of a name, or the other one where it is empty or not known here."""
    try:
        return ZoneInfo(name or otherwise)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo(otherwise)


def latest(now: datetime, cadence: Cadence, table: Timetable) -> datetime:
    """The last moment, now or before, at which a digest was due.

    An hour the clocks leap over counts as the one after it; one they run through twice counts once.
    """
    today = now.astimezone(table.zone).date()
    week = list(Weekday).index(table.weekday)
    for back in range(9):
        day = today - timedelta(days=back)
        if cadence is Cadence.WEEKLY and day.weekday() != week:
            continue
        moment = _at(day, table)
        if moment <= now:
            return moment
    raise AssertionError("every weekday comes within nine days")


def _at(day: date, table: Timetable) -> datetime:
    return datetime.combine(day, time(table.hour), table.zone).astimezone(UTC)


class Waiting(NamedTuple):
    """A message that waits for a digest. ``size`` in bytes."""

    id: int
    moment: datetime
    size: int


def issues(waiting: Sequence[Waiting], due: datetime | None, most: int, size: int) -> list[list[Waiting]]:
    """The messages of each digest to make now, in order; what is in none goes on waiting.

    ``due``: the moment of the timetable that has come; None before it, when only full digests leave early. A digest is full
    with ``most`` messages or ``size`` bytes; a message is never cut, so that one may be larger.
    """
    full: list[list[Waiting]] = []
    current: list[Waiting] = []
    held = 0
    for one in sorted(waiting, key=lambda one: (one.moment, one.id)):
        if current and (len(current) >= most or held + one.size > size):
            full.append(current)
            current, held = [], 0
        current.append(one)
        held += one.size
    if current and (len(current) >= most or held >= size or (due is not None and current[0].moment <= due)):
        full.append(current)
    return full


class Number(NamedTuple):
    """Volume (a year of the list's digests) and issue within it, both from 1."""

    volume: int
    issue: int
    year: int


def following(last: Number | None, day: date) -> Number:
    """The number after ``last``: a new volume each calendar year."""
    if last is None or not last.volume:
        return Number(1, 1, day.year)
    return Number(last.volume, last.issue + 1, last.year) if day.year <= last.year else Number(last.volume + 1, 1, day.year)
