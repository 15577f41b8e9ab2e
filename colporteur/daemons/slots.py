"""Slots ahead of need: a lane's conversation with the buckets, on a thread, a few times a second at most.

It asks for slots for what waits, tells when copies were answered and what destinations said, and gives back what must wait
for long, so that memory and leases are free.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from colporteur.daemons.pace import Pace
from colporteur.daemons.paths import Path
from colporteur.daemons.threads import in_thread
from colporteur.domain.destinations import Act
from colporteur.flow import destinations, pacing, streams
from colporteur.flow.copies import Later, put_off
from colporteur.flow.destinations import Standing
from colporteur.flow.pacing import Given, Lane, Report, Reserved, Want
from colporteur.store.buckets import Limits, Until

LONG_SECONDS = 30.0
"""A wait that is worth giving slices back for, until it is over."""
_REPORT_SECONDS = 0.2  # answers are told at the latest so much later: less than a window less what is given ahead
_STANDING_SECONDS = 2.0  # how old what is known of destination groups, and of paths without limits, may be
_MOST_WANTED = 2000


class Said(NamedTuple):
    """What a round on the thread brought."""

    reserved: Reserved
    standings: dict[int, Standing] | None
    now: datetime


class Slots:
    """Keeps a ``Pace`` supplied. ``soon`` is called when a slice may be let go."""

    def __init__(self, pace: Pace, transport: int, account: str, soon: Callable[[], None]) -> None:
        self.pace, self.soon = pace, soon
        self.lane = Lane(secrets.randbits(62), transport, account)
        self._touched: dict[int, float] = {}
        self._told_at = 0.0

    async def run(self, ending: asyncio.Event) -> None:
        """Ask for slots and tell what became of them, until ``ending``."""
        while not ending.is_set():
            now = time.monotonic()
            wants, reports = self._wants(now), self._reports(now)
            if wants or reports or self._news(now):
                await self._ask(wants, reports)
            await self._rest()

    async def close(self) -> None:
        """Tell the rest and give everything back. All copies have landed."""
        reports = [path.report(ending=True) for path in self.pace.paths.values() if path.answered or path.slots]
        await in_thread(pacing.leave, self.lane, reports, self._touched, settings.LEASE, time.monotonic)

    def _wants(self, now: float) -> list[tuple[Path, Want]]:
        asking = [path for path in self.pace.waiting if path.missing > 0 and now >= path.again and self.pace.rests(path) <= now + _STANDING_SECONDS]
        return [(path, Want(path.line, path.cadence, 1 if path.free else min(path.missing, _MOST_WANTED))) for path in asking]

    def _reports(self, now: float) -> list[Report]:
        """What is to be told now: answers, slots nobody needs, or that slots are still in use."""
        paths = self.pace.paths.values()
        due = now - self._told_at >= settings.LEASE / 4 or any(path.missing < 0 or (path.answered and now - path.answered[0] >= _REPORT_SECONDS) for path in paths)
        if not due:
            return []
        self.pace.paths = {key: path for key, path in self.pace.paths.items() if not path.idle}
        return [path.report() for path in self.pace.paths.values() if not path.free]

    def _news(self, now: float) -> bool:
        """Whether groups said something, or what is known of them is old while copies wait or were taken."""
        return any(group.refusals for group in self.pace.groups.values()) or (self._concerned() and now - self.pace.standing_at > _STANDING_SECONDS)

    def _concerned(self) -> bool:
        """Whether copies wait, or a group took some and that was not told: one that was stopped may go on."""
        return bool(self.pace.groups) and (bool(self.pace.waiting) or any(group.accepted for group in self.pace.groups.values()))

    async def _ask(self, wants: Sequence[tuple[Path, Want]], reports: Sequence[Report]) -> None:
        began = time.monotonic()
        refusals = [(id_, reply) for id_, group in self.pace.groups.items() for reply in group.refusals]
        fresh = bool(refusals) or (bool(self.pace.groups) and began - self.pace.standing_at > _STANDING_SECONDS)
        glad = [id_ for id_, group in self.pace.groups.items() if group.accepted] if fresh else []
        for group in self.pace.groups.values():
            group.refusals = []
            group.accepted &= not fresh
        said = await in_thread(_round, self.lane, [want for _, want in wants], reports, self._touched, refusals, glad, fresh)
        if reports or wants:
            self.pace.good_until = began + settings.LEASE * 0.9
            self._told_at = began
            self._touched |= said.reserved.touched
        if said.standings is not None:
            self.pace.standing_at = began
            self._know(said.standings, said.now, began)
        far = [(path, given) for (path, _), given in zip(wants, said.reserved.given, strict=True) if self._give(path, given, began)]
        if later := list(self._far(far, began)):
            await self._put_off(later)
        self.pace.stir()

    def _give(self, path: Path, given: Given, now: float) -> bool:
        """Take slots in; True when the path must wait for long."""
        path.slots.extend(given.slots)
        path.free = given.free
        path.again = now + _STANDING_SECONDS * 2 if given.free else given.again
        if path.again == inf and path.missing > 0:
            path.again = 0.0  # more came meanwhile, or more was missing than one asks for
        return not given.free and not path.slots and given.next - now > LONG_SECONDS and given.next != inf

    def _know(self, standings: dict[int, Standing], now: datetime, tick: float) -> None:
        for id_, group in self.pace.groups.items():
            group.standing = standings.get(id_, Standing(0, None, ()))
            rests = group.standing.rests_until
            known = tick + (rests - now).total_seconds() if rests and rests > now else 0.0
            group.rests_until = max(known, group.rests_until) if group.refusals else known  # what it said meanwhile is told next

    async def _rest(self) -> None:
        """Until something changes or is due."""
        now = time.monotonic()
        moments = [now + settings.LEASE / 4]
        moments += [max(path.again, self.pace.rests(path) - _STANDING_SECONDS) for path in self.pace.waiting if path.missing > 0]
        moments += [path.answered[0] + _REPORT_SECONDS for path in self.pace.paths.values() if path.answered]
        if self._concerned():
            moments.append(self.pace.standing_at + _STANDING_SECONDS)
        if any(group.refusals for group in self.pace.groups.values()):
            moments.append(now)
        self.pace.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.01, min(moments) - now)):
                await self.pace.changed.wait()

    # --- long waits -----------------------------------------------------------------------------------------------------

    def _far(self, far: Sequence[tuple[Path, Given]], now: float) -> Iterator[tuple[Path, float, bool, Limits]]:
        """Paths to put off, for how many seconds, whether only their destination group is at fault, and the limits that say so."""
        for path, given in far:
            whole = given.shared - now > LONG_SECONDS
            yield path, (given.shared if whole else given.next) - now, not whole, given.limits
        for path in list(self.pace.waiting):
            if (wait := self.pace.rests(path) - now) > LONG_SECONDS:
                yield path, wait, True, ()

    async def _put_off(self, paths: Iterable[tuple[Path, float, bool, Limits]]) -> None:
        """Give back what waits for long: memory and leases are free, and it is claimed again when its time has come."""
        parts: list[Later] = []
        mailings: dict[int, Until] = {}
        now, tick = timezone.now(), time.monotonic()
        for path, wait, only_group, limits in paths:
            group = path.line.group if only_group and self.pace.rests(path) > tick else 0
            due = now + timedelta(seconds=wait)
            for held in list(path.parts):
                if only_group:
                    parts.append(Later(held.claimed, [copy.address for copy in self.pace.put_aside(path, held)], due, group, () if group else limits))
                else:
                    mailings[held.claimed.mailing] = held.due = Until(due, limits)
                    self.pace.drop(held)
        if not await in_thread(put_off, self.lane.transport, parts, mailings, now):
            self.pace.standing_at = 0.0
        self.soon()


def _round(lane: pacing.Lane, wants: Sequence[Want], reports: Sequence[Report], touched: dict[int, float], refusals: Sequence[tuple[int, tuple[int, str]]], glad: Sequence[int], fresh: bool) -> Said:
    """On a thread: what the groups said, then the slots, then how the groups stand."""
    now = timezone.now()
    for group, (code, text) in refusals:
        answer = destinations.refused(group, code, text, now)
        if answer.act is Act.PAUSE:
            streams.refused(lane.transport, group, f"{code} {text}", timedelta(seconds=answer.rest), now)
    if glad:
        destinations.accepted(glad, now)
        streams.accepted(lane.transport, glad, now)
    reserved = pacing.reserve(lane, wants, reports, touched, settings.LEASE, time.monotonic) if wants or reports else Reserved([], {})
    return Said(reserved, destinations.standings(lane.transport) if fresh else None, timezone.now())

