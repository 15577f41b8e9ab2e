"""What is drawn of a newsletter: points for SVG, made here because the content policy allows neither script nor style in the page.

Plots are stretched to the page and their lines are not; labels stand outside of what is stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

HEIGHT = 100
WIDTH = 80
"""Percent of the page the plot takes; the rest is for the words at the ends of lines."""


@dataclass(frozen=True)
class Label:
    """Words at a place: ``x`` in percent of the page, ``y`` in percent of the plot."""

    words: str
    x: str = "0"
    y: str = "0"


@dataclass(frozen=True)
class Line:
    """A line: ``points`` for a polyline in a box of ``width`` by 100, its last value and its name."""

    points: str
    last: int
    end: str  # height of its end in percent
    words: str = ""


@dataclass(frozen=True)
class Chart:
    """One or two lines over time. ``area``: the first with the ground below it."""

    width: int
    lines: list[Line]
    area: str
    steps: list[tuple[int, str]]  # value, height in percent
    times: list[Label]


def over_week(hours: Sequence[int], words: str, earlier: Sequence[int], earlier_words: str, began: datetime) -> Chart | None:
    """Openings of the first week, beside those of the newsletter before; None when nobody opened either."""
    top = _top(max([*hours, *earlier, 0]))
    if top == 0:
        return None
    lines = [_line([0, *hours], top, words)] + ([_line([0, *earlier], top, earlier_words)] if any(earlier) else [])
    here = timezone.localtime(began)
    days = [Label(date_format(here + timedelta(days=day), "D j" if day in (0, 6) else "D").lower(), f"{WIDTH * day / 7:.1f}") for day in range(7)]
    return Chart(len(hours), _apart(lines), f"0,100 {lines[0].points} {len(hours)},100", _steps(top), days)


def of_growth(counts: Sequence[tuple[datetime, int]]) -> Chart | None:
    """Members over a year; None while there never was any."""
    numbers = [n for _at, n in counts]
    if not any(numbers):
        return None
    low, high = min(numbers), max(numbers)
    span = max(high - low, 1)
    points = " ".join(f"{place},{_of(n - low, span, 8, 92)}" for place, n in enumerate(numbers))
    return Chart(len(numbers) - 1, [Line(points, numbers[-1], _of(numbers[-1] - low, span, 8, 92)), Line("", numbers[0], _of(numbers[0] - low, span, 8, 92))], "", [], [Label(date_format(timezone.localtime(counts[0][0]), "F Y")), Label(date_format(timezone.localtime(counts[-1][0]), "F Y"), str(WIDTH))])


def _line(numbers: Sequence[int], top: int, words: str) -> Line:
    return Line(" ".join(f"{place},{_of(n, top)}" for place, n in enumerate(numbers)), numbers[-1], _of(numbers[-1], top), words)


def _of(n: int, whole: int, first: float = 0, last: float = 100) -> str:
    """The height of a number: 0 at the top of the box."""
    return f"{last - (last - first) * n / whole:.1f}".removesuffix(".0")


def _apart(lines: list[Line]) -> list[Line]:
    """Two ends close to each other have their words set apart."""
    if len(lines) < 2 or abs(float(lines[0].end) - float(lines[1].end)) >= 18:
        return lines
    above = 0 if float(lines[0].end) <= float(lines[1].end) else 1
    middle = min(max((float(lines[0].end) + float(lines[1].end)) / 2, 9), 91)
    ends = (middle - 9, middle + 9) if above == 0 else (middle + 9, middle - 9)
    return [Line(line.points, line.last, f"{end:.1f}", line.words) for line, end in zip(lines, ends, strict=True)]


def _top(most: int) -> int:
    """The end of the scale: a round number two even steps reach."""
    if most == 0:
        return 0
    size = 1
    while True:
        for step in (2, 4, 6, 8, 10, 12, 16):
            if step * size >= most:
                return step * size
        size *= 10


def _steps(top: int) -> list[tuple[int, str]]:
    return [(top, "0"), (top // 2, "50")]
