"""The opposition list, changed by an administrator: addresses nobody may add, kept as hashes only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from colporteur.domain.addresses import normal
from colporteur.flow.organisations import actor
from colporteur.store import journal, privacy
from colporteur.store.people import Person


@transaction.atomic
def oppose(emails: Sequence[str], now: datetime, *, by: Person | str) -> int:
    """Nobody may add these addresses; who has one can still join. How many. Raises ``ValueError`` for what is no address."""
    checked = {normal(email) for email in emails}
    privacy.oppose(checked, "asked", now)
    journal.write("opposition.added", now, actor=actor(by), count=len(checked), by=str(by))
    return len(checked)


@transaction.atomic
def end(emails: Sequence[str], now: datetime, *, by: Person | str) -> int:
    """They may be added again. How many were on the list. Raises ``ValueError`` for what is no address."""
    on_it = privacy.opposed({normal(email) for email in emails})
    privacy.admit(on_it)
    journal.write("opposition.ended", now, actor=actor(by), count=len(on_it), by=str(by))
    return len(on_it)
