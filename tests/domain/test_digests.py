"""When digests leave, which messages go into one, and their numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from colporteur.domain.digests import Cadence, DeliveryMode, Number, Timetable, Waiting, Weekday, following, issues, latest, zone

PARIS = Timetable(18, Weekday.FRIDAY, ZoneInfo("Europe/Paris"))


def at(*parts: int) -> datetime:
    return datetime(2026, *parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "cadence", "moment"),
    [
        (at(11, 21, 16, 59), Cadence.DAILY, at(11, 20, 17)), (at(11, 21, 17), Cadence.DAILY, at(11, 21, 17)), (at(7, 1, 16), Cadence.DAILY, at(7, 1, 16)),
        (at(11, 21, 12), Cadence.WEEKLY, at(11, 20, 17)), (at(11, 20, 16, 59), Cadence.WEEKLY, at(11, 13, 17)), (at(11, 19, 12), Cadence.WEEKLY, at(11, 13, 17)),
    ],
)  # fmt: skip
def test_the_hour_is_that_of_the_lists_clock_in_summer_and_winter(now: datetime, cadence: Cadence, moment: datetime) -> None:
    assert latest(now, cadence, PARIS) == moment


def test_an_hour_that_is_leapt_over_or_comes_twice_is_due_once_a_day() -> None:
    night = Timetable(2, Weekday.SUNDAY, ZoneInfo("Europe/Paris"))
    for first in (at(3, 27, 12), at(10, 23, 12)):
        seen = {latest(first + timedelta(minutes=minutes), Cadence.DAILY, night) for minutes in range(0, 4 * 24 * 60, 15)}
        assert len(seen) == 5 and {moment.astimezone(night.zone).day for moment in seen} == {moment.day for moment in seen}


def waiting(*sizes: int) -> list[Waiting]:
    return [Waiting(number, at(11, 20, 12) + timedelta(minutes=number), size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "due", "made"),
    [
        ((10, 10), False, []), ((10, 10), True, [[0, 1]]), ((10, 10, 10), False, [[0, 1, 2]]), ((10, 10, 10, 10), False, [[0, 1, 2]]), ((10, 10, 10, 10), True, [[0, 1, 2], [3]]),
        ((60, 60), False, [[0]]), ((60, 60), True, [[0], [1]]), ((500,), False, [[0]]), ((10, 500, 10), True, [[0], [1], [2]]), ((), True, []),
    ],
)  # fmt: skip
def test_a_digest_is_full_with_so_many_messages_or_bytes_and_no_message_is_cut(sizes: tuple[int, ...], due: bool, made: list[list[int]]) -> None:
    assert [[one.id for one in issue] for issue in issues(waiting(*sizes), at(11, 20, 17) if due else None, 3, 100)] == made


def test_what_came_after_the_hour_waits_for_the_next() -> None:
    assert issues(waiting(10), at(11, 20, 11), 3, 100) == []


def test_numbers_count_within_a_volume_a_year() -> None:
    first = following(None, date(2026, 12, 30))
    assert first == Number(1, 1, 2026) == following(Number(0, 0, 0), date(2026, 12, 30))
    assert following(first, date(2026, 12, 31)) == Number(1, 2, 2026) and following(Number(1, 2, 2026), date(2027, 1, 1)) == Number(2, 1, 2027)


def test_ways_to_receive_know_their_digest() -> None:
    assert Cadence.WEEKLY.modes == (DeliveryMode.WEEKLY_MIME, DeliveryMode.WEEKLY_PLAIN) and DeliveryMode.EACH.cadence is None
    assert DeliveryMode.DAILY_MIME.quicker == (DeliveryMode.EACH, DeliveryMode.SUBJECTS) and DeliveryMode.WEEKLY_PLAIN.plain


def test_an_unknown_time_zone_is_the_other_one() -> None:
    assert zone("Europe/Paris").key == "Europe/Paris" and zone("Nowhere/At_all", "Europe/Paris").key == "Europe/Paris" and zone("../etc/passwd").key == "UTC"
