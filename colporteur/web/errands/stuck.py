"""Messages to service addresses in quarantine, as a page lists them."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import QuerySet

from colporteur.mail.parse import skim
from colporteur.store.arrivals import Errand, ErrandState

SHOWN = 20
"""More are shown when these are dealt with."""


class Stuck(NamedTuple):
    """One of them; ``sender`` and ``subject`` are "" where they cannot be read."""

    errand: Errand
    sender: str
    subject: str


def stuck(found: QuerySet[Errand]) -> list[Stuck]:
    """Those of ``found`` that could not be processed, the oldest first."""
    return [_shown(errand) for errand in found.filter(state=ErrandState.QUARANTINED).select_related("arrival__blob").order_by("id")[:SHOWN]]


def _shown(errand: Errand) -> Stuck:
    try:
        seen = skim(bytes(errand.arrival.blob.raw))
    except Exception:  # whatever stopped the work may stop the reading, and must not take the page away
        return Stuck(errand, errand.arrival.mail_from, "")
    return Stuck(errand, seen.sender.email if seen.sender else errand.arrival.mail_from, seen.subject)
