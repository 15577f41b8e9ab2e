"""Directories: where members are read from. One small file per kind, one shape; nothing is ever written there.

A directory answers with everything it has or raises ``Trouble``: half an answer would remove people. It stays within
``Asked.seconds`` and the sizes below, and reaches our own network only where ``Asked.internal`` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from colporteur.domain.sources import Table

SECONDS = 60.0
BYTES = 64 * 1024 * 1024
"""Of one answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read from where. ``columns``: those somebody named, key -> column; a directory that must be told what to give asks for these."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    seconds: float = SECONDS
    networks: tuple[str, ...] = ()  # of our own, that it may lie in whoever set it


class Trouble(Exception):
    """Why there is no answer: a sentence with {names}, their values, the other side's own words. ``lasting``: waiting does not help."""

    def __init__(self, sentence: str, *, detail: str = "", lasting: bool = False, **values: str | int) -> None:
        super().__init__(sentence.format(**values))
        self.sentence, self.values, self.lasting = sentence, values, lasting
        self.detail = "".join(sign if sign.isprintable() else " " for sign in detail)[:300].strip()

    @property
    def parts(self) -> tuple[str, dict[str, str | int], str, bool]:
        """Sentence, values, detail, lasting."""
        return self.sentence, self.values, self.detail, self.lasting


Fetch = Callable[[Asked], Table]
"""One directory, read once. Raises ``Trouble``."""
