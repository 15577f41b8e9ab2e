"""What a lane claims next: enough to keep sending, and something of every list that has something, so that all take turns.

Claiming ahead of need is bounded per list, per priority and altogether, so memory is too, however slow the transport and
however long the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from colporteur.daemons.ready import Held
from colporteur.domain.mailings import Priority
from colporteur.store.copies import Room

AHEAD, AHEAD_TOGETHER = 250, 1_500
"""Copies in memory below which more are claimed, of a priority and of a list; and where many leave in one transaction, a slice at a time before the
next is there."""
LARGE_HELD, MOST_HELD = 2_000, 8_000
"""Copies of a priority in memory above which only small slices of it are claimed, and above which nothing is."""


def ahead_of(held: Iterable[Held]) -> int:
    """Below how many copies of these slices more are claimed."""
    return AHEAD_TOGETHER if any(one.together for one in held) else AHEAD


def room_of(held: Iterable[Held], ahead: int) -> Room:
    """What there is room for beside the slices held, of each list up to ``ahead`` copies."""
    lists: Counter[tuple[int, int]] = Counter()
    ready: Counter[int] = Counter()
    for one in held:
        lists[one.priority, one.list] += len(one.left) + len(one.unsigned) + one.signing + one.aside
        ready[one.priority] += len(one.left)
    of: Counter[int] = Counter()
    for (priority, _list), copies in lists.items():
        of[priority] += copies
    crowded = [priority for priority, copies in ready.items() if copies >= ahead]
    full, closed = ([int(priority) for priority in Priority if of[priority] >= most] for most in (LARGE_HELD, MOST_HELD))
    return Room(max(LARGE_HELD - of.total(), AHEAD), ahead, {key: copies for key, copies in lists.items() if copies}, crowded, full, closed)


def pressed(room: Room) -> bool:
    """Whether something was left unclaimed for want of room: it is claimed when copies have left, not when somebody wakes us."""
    return bool(room.crowded or room.full) or any(copies >= room.enough for copies in room.held.values())
