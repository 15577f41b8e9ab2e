"""What comes back about copies: reports are matched with the copies they are about, and end in events like refusals in the dialogue."""

from __future__ import annotations

from colporteur.flow.bounces.dialogue import refused, untold
from colporteur.flow.bounces.matching import WHY, Arrived
from colporteur.flow.bounces.taking import take
from colporteur.flow.bounces.told import Heeded, heeded, told

__all__ = ["WHY", "Arrived", "Heeded", "heeded", "refused", "take", "told", "untold"]
