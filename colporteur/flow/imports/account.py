"""The account of an import: every row read is taken or skipped, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Table:
    """Rows of one table. ``skipped``: reason -> rows."""

    read: int = 0
    taken: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def add(self, why: str | None, number: int = 1) -> None:
        """So many rows were skipped for a reason, or (None) taken."""
        if why is None:
            self.taken += number
        else:
            self.skipped[why] = self.skipped.get(why, 0) + number

    def add_all(self, counted: Iterable[tuple[Any, ...]]) -> None:
        """The same of pairs (reason or None, rows)."""
        for why, number in counted:
            self.add(why, number)


@dataclass
class Report:
    """What an import did, or would do: accounts of the tables, how many things are new here, and what somebody should know."""

    tables: dict[str, Table] = field(default_factory=dict)
    people: int = 0
    lists: int = 0
    memberships: int = 0
    left: int = 0  # memberships that are over: they keep imports from bringing them back
    waiting: int = 0  # asked for a subscription and confirmed none
    oppositions: int = 0
    mailings: int = 0
    drafts: int = 0
    copies: int = 0
    segments: int = 0
    transports: int = 0
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As it is printed; ``read`` is counted apart from ``taken`` and ``skipped``."""
        tables = {name: {"read": one.read, "taken": one.taken, "skipped": dict(sorted(one.skipped.items()))} for name, one in sorted(self.tables.items())}
        names = ("people", "lists", "memberships", "left", "waiting", "oppositions", "mailings", "drafts", "copies", "segments", "transports", "notes")
        return {"tables": tables} | {name: getattr(self, name) for name in names}
