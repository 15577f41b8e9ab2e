"""What one lane cannot write does not keep the others from sending."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from colporteur.daemons.ready import Held, Ready
from colporteur.daemons.settling import MOST_UNSETTLED, Gate, Settling
from colporteur.store.copies import Claimed, Due


class Broken:
    """A ledger that breaks in a way nobody foresaw."""

    async def write(self, *_: object) -> None:
        raise RuntimeError("broken")


def test_a_lane_that_fails_leaves_the_gate_as_it_found_it() -> None:
    gate, message = Gate(), SimpleNamespace(envelope_sender="", prepared=SimpleNamespace(individual=True, needs_utf8=False))
    dues = [Due(1, 0, number, f"a{number}@members.example", "", True, number) for number in range(MOST_UNSETTLED)]
    held = Held(Claimed(1, 0, 1), dues, message, 0.0)  # type: ignore[arg-type]
    broken: Any = Broken()

    async def settle() -> None:
        settling = Settling(1, Ready(250, lambda: None), gate, broken)
        settling.ready.add(held)
        held.left.clear()
        settling.accepted(held, tuple(dues), 0)
        assert gate.shut
        await settling.close()

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(settle())
    assert not gate.shut and gate.unsettled == 0
