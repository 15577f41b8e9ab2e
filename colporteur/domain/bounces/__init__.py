"""What came back about a copy, and whose fault it is.

Only two kinds ever count against an address: that it is dead, or that its mailbox is full or switched off. A refusal because of
our reputation, our rules, our content or our signatures, and everything temporary, is nobody's fault who reads the list.
"""

from __future__ import annotations

from colporteur.domain.bounces.deciding import Decision, classify, decide, numbers
from colporteur.domain.bounces.kinds import Event, Fault, Kind, Origin, Reason, Severity, Verdict
from colporteur.domain.bounces.reasons import REASONS, verdict_of
from colporteur.domain.bounces.table import TABLE, Row

__all__ = ["REASONS", "TABLE", "Decision", "Event", "Fault", "Kind", "Origin", "Reason", "Row", "Severity", "Verdict", "classify", "decide", "numbers", "verdict_of"]
