"""Pacing: slots for copies, from every bucket they go through at once. Called by delivery lanes, a few times a second each.

A lane asks ahead (``domain.pacing.HORIZON``), and reports when its copies were answered. What it has and does not report
counts as if it left now; when the lane is silent for longer than a lease it is dead, and its slots are spent at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from django.db import transaction

from colporteur.domain.pacing import Cadence, fair_share, grant
from colporteur.store import buckets
from colporteur.store.buckets import ACCOUNT, GROUP, LIST, MAILING, ORGANISATION, TRANSPORT, Kept, Limits, Out
from colporteur.store.lists import List

PATIENCE = 4.0
"""Seconds after which a lane asks again at the latest: others may have given something back, or a limit was changed."""
_SOON = 0.1  # when a lane asks again that left slots to others
_TURN, _ALL = 10, 1_000_000_000  # slots a list gets before the next one's turn
_LIVE_SECONDS = 5.0  # a lane that asked since is one of those among whom slots are shared


class Lane(NamedTuple):
    """Who asks: a number of its own, its transport, and the account that has (``user@host``, "" without one)."""

    number: int
    transport: int
    account: str


class Line(NamedTuple):
    """Whose limits copies are under beside the transport's: ids, 0 is none."""

    organisation: int = 0
    list: int = 0
    group: int = 0
    mailing: int = 0  # where it has a limit of its own


class Want(NamedTuple):
    """Slots a lane could use now."""

    line: Line
    cadence: Cadence
    number: int


class Report(NamedTuple):
    """What became of slots: when copies were answered (the lane's monotonic clock), and how many slots are not needed."""

    line: Line
    answered: tuple[float, ...]
    unused: int


class Given(NamedTuple):
    """The answer to a want: times on the lane's monotonic clock. ``free``: nothing limits this line, no slots are needed.

    ``again``: when to ask for more; ``inf``: everything was given. ``next``: when there may be another slot at all, as far as
    known; ``shared``: the same without the destination group's own limits. ``limits``: what that was reckoned with.
    """

    slots: tuple[float, ...]
    again: float
    next: float = 0.0
    shared: float = 0.0
    free: bool = False
    limits: Limits = ()


class Reserved(NamedTuple):
    """Answers in the order of the wants; ``touched``: when each bucket was looked at, to be handed over the next time."""

    given: list[Given]
    touched: dict[int, float]


class _Mine:
    """A bucket with the asking lane's slots apart."""

    __slots__ = ("bucket", "burst", "id", "kind", "lanes", "number")

    def __init__(self, kept: Kept, number: int, burst: int, lanes: int) -> None:
        self.id, self.kind, self.bucket, self.number, self.burst, self.lanes = kept.id, kept.kind, kept.bucket, number, burst, lanes

    def report(self, ages: Iterable[float], unused: int) -> None:
        self._less(unused)
        for age in ages:
            self.bucket.answered(age, 1, self._less(1))

    def _less(self, number: int) -> int:
        """Fewer are out; how many of them were of a burst."""
        number = min(number, self.number)
        burst = min(number, self.burst)
        self.number -= number
        self.burst -= burst
        self.bucket.give_back(number, burst)
        return burst


@transaction.atomic
def reserve(lane: Lane, wants: Sequence[Want], reports: Sequence[Report], touched: Mapping[int, float], lease: float, tick: Callable[[], float]) -> Reserved:
    """Report, then get slots, letters' first. ``touched``: of the lane's last answers. ``tick``: its monotonic clock."""
    lines = {asked.line for asked in wants} | {report.line for report in reports}
    kept = buckets.lock(sorted({thing for line in lines for thing in _things(lane, line)}))
    if not kept:
        return Reserved([Given((), inf, free=True) for _ in wants], {})
    before = tick()
    now = buckets.clock()
    after = tick()
    states = _states(lane, kept, now, {id_: after - since for id_, since in touched.items()}, lease)
    by_thing: dict[tuple[str, str], list[_Mine]] = {}
    for one, state in zip(kept, states, strict=True):
        by_thing.setdefault((one.kind, one.key), []).append(state)
    through = {line: [state for thing in _things(lane, line) for state in by_thing.get(thing, ())] for line in lines}
    for report in reports:
        for state in through[report.line]:
            state.report([before - answered for answered in report.answered], report.unused)
    given = _share_out(wants, through, after)
    buckets.save(kept, now)
    buckets.save_out([Out(state.id, lane.number, state.number, state.burst, state.bucket.clock) for state in states])
    return Reserved(given, {state.id: before for state in states})


def _things(lane: Lane, line: Line) -> list[tuple[str, str]]:
    things = [(TRANSPORT, str(lane.transport)), (ACCOUNT, lane.account), (ORGANISATION, str(line.organisation)), (LIST, str(line.list)), (GROUP, str(line.group)), (MAILING, str(line.mailing))]
    return [(kind, key) for kind, key in things if key not in ("", "0")]


def _states(lane: Lane, kept: Sequence[Kept], now: float, since: Mapping[int, float], lease: float) -> list[_Mine]:
    """Buckets at the present time, with what is out. Slots of dead lanes are spent."""
    rows: dict[int, list[Out]] = {one.id: [] for one in kept}
    for row in buckets.out(list(rows)):
        rows[row.bucket].append(row)
    states, dead = [], []
    for one in kept:
        bucket = one.bucket
        mine = next((row for row in rows[one.id] if row.lane == lane.number), None)
        elapsed = now - one.seen if one.seen else 0.0
        if mine and one.id in since:  # the database's clock was set forward: no more time has passed than we know of
            elapsed = min(elapsed, mine.touched + since[one.id] - bucket.clock)
        bucket.advance(elapsed)
        lost = [row for row in rows[one.id] if row.lane != lane.number and row.touched < bucket.clock - lease]
        bucket.open, bucket.burst = sum(row.number for row in rows[one.id]), sum(row.burst for row in rows[one.id])
        for row in lost:
            bucket.give_back(row.number, row.burst)
            if row.number:
                bucket.answered(0.0, row.number, row.burst)
        dead += lost
        live = sum(row.touched > bucket.clock - _LIVE_SECONDS for row in rows[one.id] if row.lane != lane.number)
        states.append(_Mine(one, mine.number if mine else 0, mine.burst if mine else 0, live + 1))
    buckets.forget_out(dead)
    return states


def _share_out(wants: Sequence[Want], through: Mapping[Line, Sequence[_Mine]], after: float) -> list[Given]:
    """Letters first; then posts, then newsletters, lists in turns: a large one leaves a small one its slots."""
    most = [_most(through[want.line], want) for want in wants]
    given = [Given((), inf, free=not through[want.line]) for want in wants]
    for cadence in Cadence:
        places = [place for place, want in enumerate(wants) if want.cadence is cadence and not given[place].free]
        turn = _TURN if len(places) > 1 else _ALL
        while places:
            for place in places:
                have = given[place].slots
                found = _give(through[wants[place].line], cadence, min(turn, most[place] - len(have)), after)
                given[place] = found._replace(slots=have + found.slots)
            places = [place for place in places if given[place].again == inf and len(given[place].slots) < most[place]]
    return [one._replace(again=after + _SOON) if one.again == inf and not one.free and len(one.slots) < want.number else one for one, want in zip(given, wants, strict=True)]


def _most(through: Sequence[_Mine], want: Want) -> int:
    """What this lane may have now: others ask, too."""
    if want.cadence is Cadence.LETTER or not through:
        for state in through:
            state.bucket.urgent_until = 0.0
        return want.number
    return min(want.number, fair_share([state.bucket for state in through], max(state.lanes for state in through)))


def _give(through: Sequence[_Mine], cadence: Cadence, number: int, after: float) -> Given:
    bursts = [state.bucket.burst for state in through]
    horizon = min(state.bucket.horizon for state in through)
    slots = grant([state.bucket for state in through], cadence, number)
    for state, burst in zip(through, bursts, strict=True):
        state.number += len(slots.at)
        state.burst += state.bucket.burst - burst
    given = tuple(after + at for at in slots.at)
    if len(given) == number:
        return Given(given, inf)
    again = min(max(slots.again - horizon / 2, horizon / 4), PATIENCE)
    if cadence is Cadence.LETTER:  # while it waits nothing else gets a slot, whoever asks
        for state in through:
            state.bucket.urgent_until = state.bucket.clock + horizon + 2 * again
    shared = max((state.bucket.earliest(cadence) for state in through if state.kind != GROUP), default=0.0)
    limits = tuple((state.id, state.bucket.rate.number, state.bucket.rate.seconds) for state in through)
    return Given(given, after + again, after + slots.again, after + shared, limits=limits)


def organisations_of(lists: Iterable[int]) -> dict[int, int]:
    """The organisation of each list, 0 for none."""
    wanted = set(lists)
    return dict.fromkeys(wanted, 0) | dict(List.objects.filter(pk__in=wanted).values_list("pk", "organisation_id"))


@transaction.atomic
def leave(lane: Lane, reports: Sequence[Report], touched: Mapping[int, float], lease: float, tick: Callable[[], float]) -> None:
    """The lane ends: everything is reported, nothing is out any more."""
    if touched:
        done = reserve(lane, (), reports, touched, lease, tick)
        buckets.forget_out([Out(id_, lane.number, 0, 0, 0.0) for id_ in {*touched, *done.touched}])
