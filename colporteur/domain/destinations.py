"""Destination groups: which provider a domain's mail ends at, and what its replies ask of us.

A provider counts by who sends, not by who is written to; so the domains it serves share limits, a pace that is halved when
it says slow down and widened while it accepts, and a pause when it refuses us by policy. None of that is a copy's fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class Act(StrEnum):
    """What a reply asks for."""

    NONE = "none"  # it is about its own copy
    SLOW = "slow"  # half the pace, and a moment's rest
    WAIT = "wait"  # nothing for a while, the same pace afterwards
    PAUSE = "pause"  # they do not want our mail: nothing for hours, and somebody should read why


class Stop(StrEnum):
    """Why a stream is stopped."""

    REFUSED = "refused"  # policy refusals in the dialogue follow each other
    REPORTED = "reported"  # reports name our policy, authentication or reputation
    RETURNED = "returned"  # most copies of a message came back


class Answer(NamedTuple):
    """An act and how long the group rests, in seconds."""

    act: Act
    rest: float


NOTHING = Answer(Act.NONE, 0.0)
SLOW_SECONDS, WAIT_SECONDS, PAUSE_SECONDS = 10.0, 300.0, 4 * 3600.0
PATIENCE = 3
"""Policy refusals without an acceptance in between that stop a stream: one alone may be one recipient's own wish."""
LEAST, WIDEN_BY, WIDEN_SECONDS, HALVE_SECONDS = 5, 5, 60.0, 30.0
"""Percent of the limits that are left at least; percent points given back each so many seconds with acceptances; refusals of
the same half minute (they were under way together) halve once."""

REPORTS = 10
"""Addresses whose reports name our policy, authentication or reputation within an hour, that stop a stream."""
RETURNED_LEAST, RETURNED_PART = 20, 0.5
"""Copies of one message to one provider that came back, and the part of them, that stop a stream."""
LONGEST = timedelta(hours=24)

_GREY = re.compile(r"gr[ea]y[ -]?list", re.IGNORECASE)  # about one sender and one recipient, over in minutes by itself
_WAITING = {454}  # RFC 3463 leaves it open; relays answer it while a quota or a connection to somebody else is exhausted


class Pattern(NamedTuple):
    """Words of one provider's replies and what they ask for. ``minutes``: 0 is the usual rest."""

    words: str
    act: Act
    minutes: int = 0


def asked(code: int, text: str, patterns: Sequence[Pattern] = ()) -> Answer:
    """What a refusal (code and text, as RFC 5321 and RFC 3463 have it) asks of us as a whole."""
    for pattern in patterns:
        if re.search(pattern.words, text, re.IGNORECASE):
            return Answer(pattern.act, pattern.minutes * 60.0 or _REST[pattern.act])
    if code in _WAITING:
        return Answer(Act.WAIT, WAIT_SECONDS)
    if code // 100 == 5 and text.startswith("5.7."):
        return Answer(Act.PAUSE, PAUSE_SECONDS)
    if (code == 421 or (code // 100 == 4 and text.startswith("4.7."))) and not _GREY.search(text):
        return Answer(Act.SLOW, SLOW_SECONDS)
    return NOTHING


_REST = {Act.NONE: 0.0, Act.SLOW: SLOW_SECONDS, Act.WAIT: WAIT_SECONDS, Act.PAUSE: PAUSE_SECONDS}


def too_many(ours: int, failed: int, copies: int) -> Stop | None:
    """Whether what came back stops a stream. ``ours``: addresses that refused us lately; ``failed`` of ``copies`` of a message."""
    if ours >= REPORTS:
        return Stop.REPORTED
    return Stop.RETURNED if failed >= RETURNED_LEAST and failed > RETURNED_PART * copies else None


def next_rest(stops: int) -> timedelta:
    """How long a stream rests that was stopped so many times in a row: doubled each time, a day at most."""
    return min(timedelta(seconds=PAUSE_SECONDS * 2.0 ** min(stops, 10)), LONGEST)


def halved(percent: int) -> int:
    """Half the pace."""
    return max(LEAST, percent // 2)


def widened(percent: int) -> int:
    """A little more of it."""
    return min(100, percent + WIDEN_BY)


def part(number: int, percent: int) -> int:
    """That much of a limit, rounded down, at least one."""
    return max(1, number * percent // 100)


class Members(NamedTuple):
    """Who belongs to a group: domains, and names mail exchangers end in."""

    group: int
    domains: frozenset[str]
    exchangers: tuple[str, ...]


def group_of(domain: str, exchangers: Iterable[str], groups: Iterable[Members]) -> int | None:
    """The group of a domain: by its name, else by its best mail exchanger that is known. Names in lower case, no final dot."""
    groups = list(groups)
    for one in groups:
        if domain in one.domains:
            return one.group
    for exchanger in exchangers:
        for one in groups:
            if any(exchanger == known or exchanger.endswith(f".{known}") for known in one.exchangers):
                return one.group
    return None
