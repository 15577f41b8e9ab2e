"""What standings are called and look like on screens."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

from colporteur.domain.bounces import Kind
from colporteur.domain.standing import Standing
from colporteur.flow import standing
from colporteur.store.standing import AddressStanding


class Shown(NamedTuple):
    """An address in trouble as pages show it."""

    row: AddressStanding
    shape: str
    words: str
    why: str
    complained: bool

    @classmethod
    def of(cls, row: AddressStanding) -> Shown:
        """With all words in the active language."""
        shape, words = state_words(row)
        return cls(row, shape, words, standing.in_words(row), row.kind == Kind.COMPLAINT)


def state_words(row: AddressStanding) -> tuple[str, str]:
    """(shape of the dot, words)."""
    if row.kind == Kind.COMPLAINT and row.standing >= Standing.PAUSED:
        return "broken", _("Reported as spam")
    return {
        Standing.GOOD: ("done", _("Receives")), Standing.SHAKY: ("shaky", _("Shaky address")), Standing.PAUSED: ("paused", _("Address paused")), Standing.GONE: ("broken", _("Address lost")),
    }[row.standing]  # fmt: skip
