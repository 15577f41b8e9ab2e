"""Pace: the copies of a lane whose transport is limited. A copy leaves when its path has a slot and its destination room.

A path is what copies have in common for this: the limits they are under and how they use them. Paths take turns, so one that
waits for a slot, or whose destination rests, holds nobody up. Slots are fetched ahead on a thread, never while a connection
asks for its next copy. Without any limit a lane has a plain ``Ready`` instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from colporteur.adapters.transports import Outcome
from colporteur.daemons.ready import TURN, Held, Ready
from colporteur.daemons.threads import in_thread
from colporteur.domain.destinations import PATIENCE, Act, asked
from colporteur.domain.mailings import Priority
from colporteur.domain.pacing import Cadence, cadence_of
from colporteur.flow import destinations, pacing
from colporteur.flow.copies import Work, put_off
from colporteur.flow.destinations import Standing
from colporteur.flow.pacing import Given, Line, Report, Reserved, Want
from colporteur.store.copies import Due

LONG_SECONDS = 30.0
"""A wait that is worth giving slices back for, until it is over."""
_REPORT_SECONDS = 0.2  # answers are told to the buckets at the latest so much later: less than a window less what is given ahead
_STANDING_SECONDS = 2.0  # how old what is known of destination groups, and of paths without limits, may be
_SORTED_SECONDS = 60.0  # how long a domain stays in its group; the DNS may have told more
_MOST_WANTED = 2000
_AT_ONCE = 50  # copies of a slice that one look may let go


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
        return max(0, self.standing.connections - self.air) if self.standing.connections else _AT_ONCE


class Said(NamedTuple):
    """What a round on the thread brought."""

    reserved: Reserved
    standings: dict[int, Standing] | None
    now: datetime


class Pace(Ready):
    """``Ready`` under limits. ``stir`` is called when a copy may leave again, ``soon`` when a slice may be let go."""

    def __init__(self, ahead: int, hungry: Callable[[], None], lane: pacing.Lane, *, by_destination: bool, stir: Callable[[], None]) -> None:
        super().__init__(ahead, hungry)
        self.lane, self.by_destination, self._stir = lane._replace(number=secrets.randbits(62)), by_destination, stir
        self.soon: Callable[[], None] = _nothing
        self._paths: dict[tuple[Line, Cadence], Path] = {}
        self._waiting: deque[Path] = deque()  # with copies that wait; letters' are not in turns but first
        self._groups: dict[int, Group] = {}
        self._of_domain: dict[str, int] = {}
        self._of_list: dict[int, int] = {}
        self._chosen: tuple[Path, Held] | None = None
        self._good_until = 0.0  # slots that were not touched for longer may count as spent
        self._touched: dict[int, float] = {}
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._standing_at = self._told_at = self._sorted_at = 0.0

    # --- what a lane asks: hot, as far as limits let it be ------------------------------------------------------------

    def head(self) -> Held | None:
        """The slice whose first copy leaves next; that copy has its slot."""
        now = time.monotonic()
        if self._chosen and self._chosen[1].left:
            if now <= self._chosen[1].deadline:
                return self._chosen[1]
            self.drop(self._chosen[1])
        for path in sorted(self._waiting, key=_letters_first):
            if (held := self._choose(path, now)) is not None:
                return held
        self._wake_at_next_slot(now)
        if self.left < self.ahead:
            self._hungry()
        return None

    def took(self, number: int) -> None:
        """So many copies were taken from the head."""
        assert self._chosen
        path = self._chosen[0]
        before, self.left = self.left, self.left - number
        if before >= self.ahead > self.left:
            self._hungry()
        path.air += number
        if path.line.group:
            self._groups[path.line.group].air += number
        path.credit -= number
        if path.credit <= 0 and path.waiting:
            path.credit += path.turn
            self._waiting.remove(path)
            self._waiting.append(path)

    @property
    def path(self) -> Path:
        """The path of what was taken last."""
        assert self._chosen
        return self._chosen[0]

    def landed(self, path: Path, number: int) -> None:
        """Copies are no longer under way, whatever became of them: the provider may have counted them until now."""
        path.air -= number
        if not path.free:
            if not path.answered:
                self._changed.set()
            path.answered += [time.monotonic()] * number
        if path.line.group:
            group = self._groups[path.line.group]
            full = not group.room()
            group.air -= number
            if full and group.room():
                self._stir()

    def took_mail(self, path: Path) -> None:
        """The destination accepted a copy."""
        if path.line.group:
            group = self._groups[path.line.group]
            group.accepted, group.policies = True, 0

    def blamed(self, path: Path, outcome: Outcome) -> Act:
        """What a refusal asks of the whole group; NONE, it is the copy's own."""
        group = self._groups.get(path.line.group)
        if group is None or not outcome.code:
            return Act.NONE
        answer = asked(outcome.code, outcome.text, group.standing.patterns)
        group.policies += answer.act is Act.PAUSE
        if answer.act in (Act.SLOW, Act.WAIT) or group.policies >= PATIENCE:
            group.rests_until = max(group.rests_until, time.monotonic() + answer.rest)
        if answer.act is not Act.NONE:
            group.refusals.append((outcome.code, outcome.text))
            self._changed.set()
            if self._chosen and self._chosen[0].line.group == path.line.group:
                self._take_back(*self._chosen)
        return answer.act

    def _take_back(self, path: Path, held: Held) -> None:
        """What was let go and not taken waits again."""
        while held.left:
            self._aside(held, held.left[-1]).appendleft(held.left.pop())
            if not path.free:
                path.slots.appendleft(0.0)

    def _choose(self, path: Path, now: float) -> Held | None:
        """Copies of a path that may leave now are put in front of their slice."""
        most = min(path.waiting, _AT_ONCE)
        if path.line.group:
            group = self._groups[path.line.group]
            most = 0 if group.rests_until > now else min(most, group.room())
        if not path.free:
            most = min(most, sum(1 for _ in _past(path.slots, now))) if now < self._good_until else 0
        if most <= 0:
            return None
        for held, part in list(path.parts.items()):
            if now > held.deadline:
                self.drop(held)
                continue
            number = min(most, len(part))
            for _ in range(number):
                held.left.append(part.popleft())
                if not path.free:
                    path.slots.popleft()
            self._less(path, held, number)
            self._chosen = (path, held)
            return held
        return None

    def _wake_at_next_slot(self, now: float) -> None:
        """Stir the transport when the next copy may leave."""
        moments = [path.slots[0] for path in self._waiting if path.slots]
        moments += [group.rests_until for group in self._groups.values() if group.rests_until > now]
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if later := [moment for moment in moments if moment > now]:
            self._timer = asyncio.get_running_loop().call_later(min(later) - now, self._stir)

    # --- coming and going -----------------------------------------------------------------------------------------------

    async def sort(self, works: Sequence[Work]) -> None:
        """Learn what is needed to add these slices: organisations of lists, groups of domains."""
        if time.monotonic() - self._sorted_at > _SORTED_SECONDS:
            self._of_domain, self._sorted_at = {}, time.monotonic()
        lists = {work.list for work in works} - set(self._of_list)
        domains = {due.email.rpartition("@")[2] for work in works for due in work.copies} - set(self._of_domain) if self.by_destination else set()
        if lists or domains:
            found = await in_thread(_sort, lists, domains)
            self._of_list |= found[0]
            self._of_domain |= found[1]

    def add(self, held: Held) -> None:
        """One more slice: its copies wait aside, by path."""
        self.held[held.claimed.mailing, held.claimed.number] = held
        dues, held.left = held.left, deque()
        self.more(held, dues)

    def more(self, held: Held, dues: Iterable[Due]) -> None:
        """Further copies of a slice, to wait aside."""
        for due in dues:
            self.left += 1
            self._aside(held, due).append(due)

    def back(self, held: Held, due: Due) -> None:
        """A copy that was taken and not sent; it needs another slot."""
        if not held.dropped:
            self.left += 1
            self._aside(held, due).appendleft(due)

    def drop(self, held: Held) -> None:
        """Send no more of this slice."""
        if self._chosen and self._chosen[1] is held:
            self._take_back(*self._chosen)
        for path in [path for path in self._waiting if held in path.parts]:
            number = len(path.parts[held])
            path.parts[held].clear()
            self.left -= number
            self._less(path, held, number)
        super().drop(held)
        self._changed.set()

    def _aside(self, held: Held, due: Due) -> deque[Due]:
        """Where a copy waits."""
        group = self._of_domain.get(due.email.rpartition("@")[2], 0)
        if group and group not in self._groups:
            self._groups[group] = Group()
            self._standing_at = 0.0
        cadence = cadence_of(held.priority, held.message.pace)
        line = Line(self._of_list.get(held.list, 0), held.list, group)
        path = self._paths.setdefault((line, cadence), Path(line, cadence, held.priority))
        held.aside += 1
        if not path.waiting:
            self._waiting.append(path)
        if path.again == inf or not path.waiting:
            path.again = 0.0
            self._changed.set()
        path.waiting += 1
        return path.parts.setdefault(held, deque())

    def _less(self, path: Path, held: Held, number: int) -> None:
        """So many copies of a slice wait no longer on a path."""
        held.aside -= number
        path.waiting -= number
        if not path.parts[held]:
            del path.parts[held]
        if not path.waiting:
            self._waiting.remove(path)

    # --- slots ahead ----------------------------------------------------------------------------------------------------

    async def run(self, ending: asyncio.Event) -> None:
        """Ask for slots and tell what became of them, until ``ending`` and nothing is left to tell."""
        while not ending.is_set():
            now = time.monotonic()
            wants, reports = self._wants(now), self._reports(now)
            if wants or reports or self._news(now):
                await self._ask(wants, reports)
            await self._rest()

    def end(self) -> None:
        """``run`` returns."""
        self._changed.set()

    async def close(self) -> None:
        """Tell the rest and give everything back. All copies have landed."""
        if self._timer:
            self._timer.cancel()
        reports = [_report(path, unused=True) for path in self._paths.values() if path.answered or path.slots]
        await in_thread(pacing.leave, self.lane, reports, self._touched, settings.LEASE, time.monotonic)

    def _wants(self, now: float) -> list[tuple[Path, Want]]:
        wanted = []
        for path in self._waiting:
            missing = min(path.waiting - len(path.slots), _MOST_WANTED)
            if missing > 0 and now >= path.again and not (path.line.group and self._groups[path.line.group].rests_until > now + 1):
                wanted.append((path, Want(path.line, path.cadence, 1 if path.free else missing)))
        return wanted

    def _reports(self, now: float) -> list[Report]:
        """What is to be told now: answers, slots nobody needs, or that slots are still in use."""
        quiet = now - self._told_at < (settings.LEASE / 4)
        old = any(path.answered and now - path.answered[0] >= _REPORT_SECONDS for path in self._paths.values())
        spare = any(len(path.slots) > path.waiting for path in self._paths.values())
        if quiet and not old and not spare:
            return []
        self._paths = {key: path for key, path in self._paths.items() if not path.idle}
        return [_report(path) for path in self._paths.values() if not path.free]

    def _news(self, now: float) -> bool:
        """Whether groups said something, or what is known of them is old."""
        if any(group.refusals for group in self._groups.values()):
            return True
        return bool(self._groups) and self._waiting and now - self._standing_at > _STANDING_SECONDS  # type: ignore[return-value]

    async def _ask(self, wants: Sequence[tuple[Path, Want]], reports: Sequence[Report]) -> None:
        began = time.monotonic()
        refusals = [(id_, reply) for id_, group in self._groups.items() for reply in group.refusals]
        fresh = bool(self._groups) and (bool(refusals) or began - self._standing_at > _STANDING_SECONDS)
        glad = [id_ for id_, group in self._groups.items() if group.accepted] if fresh else []
        for id_ in self._groups:
            self._groups[id_].refusals = []
            self._groups[id_].accepted &= not fresh
        said = await in_thread(_round, self.lane, [want for _, want in wants], reports, self._touched, refusals, glad, fresh)
        if reports or wants:
            self._good_until = began + settings.LEASE * 0.9
            self._told_at = began
            self._touched |= said.reserved.touched
        if said.standings is not None:
            self._standing_at = began
            self._know(said.standings, said.now, began)
        far = [(path, given) for (path, _), given in zip(wants, said.reserved.given, strict=True) if self._give(path, given, began)]
        if later := list(self._far(far, began)):
            await self._put_off(later)
        self._stir()

    def _give(self, path: Path, given: Given, now: float) -> bool:
        """Take slots in; True when the path must wait for long."""
        path.slots.extend(given.slots)
        path.free = given.free
        path.again = now + _STANDING_SECONDS * 2 if given.free else given.again
        if path.again == inf and path.waiting > len(path.slots):
            path.again = 0.0  # more came meanwhile, or more was missing than one asks for
        return not given.free and not path.slots and given.next - now > LONG_SECONDS and given.next != inf

    def _know(self, standings: dict[int, Standing], now: datetime, tick: float) -> None:
        for id_, group in self._groups.items():
            group.standing = standings.get(id_, Standing(0, None, ()))
            rests = group.standing.rests_until
            group.rests_until = tick + (rests - now).total_seconds() if rests and rests > now else 0.0

    async def _rest(self) -> None:
        """Until something changes or is due."""
        now = time.monotonic()
        moments = [now + settings.LEASE / 4]
        moments += [path.again for path in self._waiting if path.waiting > len(path.slots)]
        moments += [path.answered[0] + _REPORT_SECONDS for path in self._paths.values() if path.answered]
        if self._groups and self._waiting:
            moments.append(self._standing_at + _STANDING_SECONDS)
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.01, min(moments) - now)):
                await self._changed.wait()

    # --- long waits -----------------------------------------------------------------------------------------------------

    def _far(self, far: Sequence[tuple[Path, Given]], now: float) -> Iterator[tuple[Path, float, bool]]:
        """Paths to put off, for how many seconds, and whether only their destination group is at fault."""
        for path, given in far:
            whole = given.shared - now > LONG_SECONDS
            yield path, (given.shared if whole else given.next) - now, not whole
        for path in list(self._waiting):
            if path.line.group and (wait := self._groups[path.line.group].rests_until - now) > LONG_SECONDS:
                yield path, wait, True

    async def _put_off(self, paths: Iterable[tuple[Path, float, bool]]) -> None:
        """Give back what waits for long: memory and leases are free, and it is claimed again when its time has come."""
        parts: list[tuple[Held, list[Due], datetime]] = []
        mailings: dict[int, datetime] = {}
        now = timezone.now()
        for path, wait, only_group in paths:
            rests = self._groups[path.line.group].standing.rests_until if path.line.group else None
            due = rests if only_group and rests and rests > now else now + timedelta(seconds=wait)
            for held, part in list(path.parts.items()):
                if only_group:
                    parts.append((held, list(part), due))
                    number = len(part)
                    part.clear()
                    self.left -= number
                    self._less(path, held, number)
                else:
                    mailings[held.claimed.mailing] = held.due = due
                    self.drop(held)
        await in_thread(put_off, self.lane.transport, [(held.claimed, [due.address for due in dues], until) for held, dues, until in parts], mailings)
        self.soon()


def _nothing() -> None:
    """Nobody listens yet."""


def _letters_first(path: Path) -> bool:
    return path.cadence is not Cadence.LETTER


def _past(slots: Iterable[float], now: float) -> Iterator[float]:
    """Slots whose moment has come; they are in order but for those handed back, which are in front."""
    for slot in slots:
        if slot > now:
            return
        yield slot


def _report(path: Path, *, unused: bool = False) -> Report:
    """What happened on a path since the last time."""
    answered, path.answered = path.answered, []
    spare = len(path.slots) if unused else max(0, len(path.slots) - path.waiting)
    for _ in range(spare):
        path.slots.pop()
    return Report(path.line, tuple(answered), spare)


def _sort(lists: Iterable[int], domains: Iterable[str]) -> tuple[dict[int, int], dict[str, int]]:
    """On a thread."""
    return pacing.organisations_of(lists), destinations.groups_of(domains, timezone.now())


def _round(lane: pacing.Lane, wants: Sequence[Want], reports: Sequence[Report], touched: dict[int, float], refusals: Sequence[tuple[int, tuple[int, str]]], glad: Sequence[int], fresh: bool) -> Said:
    """On a thread: what the groups said, then the slots, then how the groups stand."""
    now = timezone.now()
    for group, (code, text) in refusals:
        destinations.refused(group, code, text, now)
    if glad:
        destinations.accepted(glad, now)
    reserved = pacing.reserve(lane, wants, reports, touched, settings.LEASE, time.monotonic) if wants or reports else Reserved([], {})
    return Said(reserved, destinations.standings() if fresh else None, timezone.now())

