"""Newsletters that need the sandbox are worked out ahead of the sending, but only so far ahead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from colporteur.daemons.personal import MOST_MADE, PersonalHeld
from colporteur.daemons.ready import Ready
from colporteur.daemons.signing import BATCH, THREADS, Signing
from colporteur.flow.copies import Message
from colporteur.mail.campaigns.message import Manner, Newsletter, compose, prepare
from colporteur.store.copies import Claimed, Due

COPIES = 400


def a_slice(text: str, bad: int = -1) -> PersonalHeld:
    raw = compose(Newsletter("News", "news@lists.example", "s", text, "", "m@lists.example", datetime(2026, 11, 21, tzinfo=UTC), "en"))
    dues = [Due(1, 0, number, f"a{number}@members.example", "", True, number) for number in range(COPIES)]
    readers = {due.address: {"email": due.email, "name": due.name, "boxes": "many" if due.address == bad else due.address} for due in dues}
    return PersonalHeld(Claimed(1, 0, 1), dues, Message(prepare(raw, Manner(attributes=("boxes",))), "", "news"), 1e12, readers=readers)


async def sent(held: PersonalHeld) -> tuple[dict[int, bytes], int]:
    """Every copy as a lane takes them, and the most that were ready at a time."""
    wires: dict[int, bytes] = {}
    most, stirred, ending = 0, asyncio.Event(), asyncio.Event()
    ready = Ready(250, lambda: None)
    signing = Signing(ready, stirred.set, stirred.set)
    running = asyncio.create_task(signing.run(ending))
    assert held.prepares
    signing.add(held)
    while len(wires) + len(held.refused) < COPIES:
        if ready.head() is None:
            stirred.clear()
            await stirred.wait()
            continue
        due = held.left.popleft()
        ready.took(1)
        wires[due.address] = held.wire(due, held.tokens[due.address])
        most = max(most, len(held.made))
        if due.address % 50 == 0:
            await asyncio.sleep(0)
    while not signing.idle:
        await asyncio.sleep(0)
    assert not held.made and not held.unsigned
    ending.set()
    signing.end()
    await running
    return wires, most


def test_all_copies_are_made_and_memory_holds_only_some_of_them() -> None:
    wires, most = asyncio.run(sent(a_slice("{% if boxes % 2 %}odd{% else %}even{% endif %} {{ boxes }}")))
    assert len(wires) == COPIES and all((b"odd" if address % 2 else b"even") in wire and f"To: a{address}@".encode() in wire for address, wire in wires.items())
    assert 0 < most <= MOST_MADE + BATCH * (THREADS + 1)


def test_what_cannot_be_worked_out_is_refused_and_the_others_leave() -> None:
    held = a_slice("{{ boxes + 1 }}", bad=7)
    wires, _most = asyncio.run(sent(held))
    [refused] = held.refused
    assert len(wires) == COPIES - 1 and refused.address == 7 and refused.final and refused.text == "5.6.5 copy not completed: “many” is no number"
