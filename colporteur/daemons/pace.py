"""Pace: the copies of a lane whose transport is limited. A copy leaves when its path has a slot and its destination room.

A path is what copies have in common for this: the limits they are under and how they use them. Paths take turns, so one that
waits for a slot, or whose destination rests, holds nobody up. Slots are fetched ahead (``daemons.slots``), never while a
connection asks for its next copy. Without any limit a lane has a plain ``Ready`` instead.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import inf

from django.utils import timezone

from colporteur.adapters.transports import Outcome
from colporteur.daemons.paths import AT_ONCE, Group, Path
from colporteur.daemons.ready import Held, Ready
from colporteur.daemons.threads import in_thread
from colporteur.domain.destinations import PATIENCE, Act, asked
from colporteur.domain.pacing import Cadence, cadence_of
from colporteur.flow import destinations, pacing
from colporteur.flow.copies import Work
from colporteur.flow.pacing import Line
from colporteur.store.copies import Due

_SORTED_SECONDS = 60.0  # how long a domain stays in its group; the DNS may have told more


class Pace(Ready):
    """``Ready`` under limits. ``stir`` is called when a copy may leave again. ``changed``: there is something to ask or to tell
    the buckets. ``waiting``: paths with copies that wait, in turns; letters' come first all the same."""

    def __init__(self, ahead: int, hungry: Callable[[], None], *, by_destination: bool, stir: Callable[[], None]) -> None:
        super().__init__(ahead, hungry)
        self.by_destination, self.stir = by_destination, stir
        self.changed = asyncio.Event()
        self.paths: dict[tuple[Line, Cadence], Path] = {}
        self.waiting: deque[Path] = deque()
        self.groups: dict[int, Group] = {}
        self.good_until = 0.0  # slots that were not touched for longer may count as spent
        self.standing_at = 0.0  # when the groups' standing was read
        self._of_domain: dict[str, int] = {}
        self._of_list: dict[int, int] = {}
        self._chosen: tuple[Path, Held] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sorted_at = 0.0

    # --- what a lane asks: hot, as far as limits let it be ------------------------------------------------------------

    def head(self) -> Held | None:
        """The slice whose first copy leaves next; that copy has its slot."""
        now = time.monotonic()
        if self._chosen and self._chosen[1].left:
            if now <= self._chosen[1].deadline:
                return self._chosen[1]
            self.drop(self._chosen[1])
        for path in sorted(self.waiting, key=_letters_first):
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
            self.groups[path.line.group].air += number
        path.credit -= number
        if path.credit <= 0 and path.waiting:
            path.credit += path.turn
            self.waiting.remove(path)
            self.waiting.append(path)

    @property
    def path(self) -> Path:
        """The path of what was taken last."""
        assert self._chosen
        return self._chosen[0]

    def cap(self, path: Path) -> tuple[int, int] | None:
        """The destination group of a path and how many messages to it one connection may carry, where it counts them."""
        group = path.line.group
        messages = self.groups[group].standing.messages if group else 0
        return (group, messages) if messages else None

    def landed(self, path: Path, number: int) -> None:
        """Copies are no longer under way, whatever became of them: the provider may have counted them until now."""
        path.air -= number
        if not path.free:
            if not path.answered:
                self.changed.set()
            path.answered += [time.monotonic()] * number
        if path.line.group:
            group = self.groups[path.line.group]
            full = not group.room()
            group.air -= number
            if full and group.room():
                self.stir()

    def took_mail(self, path: Path) -> None:
        """The destination accepted a copy."""
        if path.line.group:
            group = self.groups[path.line.group]
            group.accepted, group.policies = True, 0

    def blamed(self, path: Path, outcome: Outcome) -> Act:
        """What a refusal asks of the whole group; NONE, it is the copy's own."""
        group = self.groups.get(path.line.group)
        if group is None or not outcome.code:
            return Act.NONE
        answer = asked(outcome.code, outcome.text, group.standing.patterns)
        group.policies += answer.act is Act.PAUSE
        if answer.act in (Act.SLOW, Act.WAIT) or group.policies >= (1 if group.standing.sample else PATIENCE):
            group.rests_until = max(group.rests_until, time.monotonic() + answer.rest)
        if answer.act is not Act.NONE:
            group.refusals.append((outcome.code, outcome.text))
            self.changed.set()
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
        most = min(path.waiting, AT_ONCE)
        if path.line.group:
            most = 0 if self.rests(path) > now else min(most, self.groups[path.line.group].room())
        if not path.free:
            most = min(most, path.ready_slots(now)) if now < self.good_until else 0
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
        moments = [path.slots[0] for path in self.waiting if path.slots]
        moments += [group.rests_until for group in self.groups.values() if group.rests_until > now]
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if later := [moment for moment in moments if moment > now]:
            self._timer = asyncio.get_running_loop().call_later(min(later) - now, self.stir)

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
        self.held[held.claimed] = held
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
        for path in [path for path in self.waiting if held in path.parts]:
            self.put_aside(path, held)
        super().drop(held)
        self.changed.set()

    def _aside(self, held: Held, due: Due) -> deque[Due]:
        """Where a copy waits."""
        group = self._of_domain.get(due.email.rpartition("@")[2], 0)
        if group and group not in self.groups:
            self.groups[group] = Group()
            self.standing_at = 0.0
        cadence = cadence_of(held.priority, held.message.pace)
        line = Line(self._of_list.get(held.list, 0), held.list, group, held.claimed.mailing if held.message.limited else 0)
        path = self.paths.setdefault((line, cadence), Path(line, cadence, held.priority))
        held.aside += 1
        if not path.waiting:
            self.waiting.append(path)
        if path.again == inf or not path.waiting:
            path.again = 0.0
            self.changed.set()
        path.waiting += 1
        return path.parts.setdefault(held, deque())

    def _less(self, path: Path, held: Held, number: int) -> None:
        """So many copies of a slice wait no longer on a path."""
        held.aside -= number
        path.waiting -= number
        if not path.parts[held]:
            del path.parts[held]
        if not path.waiting:
            self.waiting.remove(path)

    def put_aside(self, path: Path, held: Held) -> list[Due]:
        """Take the copies of a slice off a path: they are given back to wait elsewhere."""
        dues = list(path.parts[held])
        path.parts[held].clear()
        self.left -= len(dues)
        self._less(path, held, len(dues))
        return dues

    def rests(self, path: Path) -> float:
        """Until when (monotonic seconds) the destination of a path takes nothing; 0, it does."""
        return self.groups[path.line.group].rests_until if path.line.group else 0.0

    def end(self) -> None:
        """Nothing leaves any more."""
        if self._timer:
            self._timer.cancel()
        self.changed.set()


def _letters_first(path: Path) -> bool:
    return path.cadence is not Cadence.LETTER


def _sort(lists: Iterable[int], domains: Iterable[str]) -> tuple[dict[int, int], dict[str, int]]:
    """On a thread."""
    return pacing.organisations_of(lists), destinations.groups_of(domains, timezone.now())
