"""A clock that was set back: what waits goes on when it would have."""

from __future__ import annotations

import logging

from django.db import OperationalError, transaction

from colporteur.store import clock

log = logging.getLogger("colporteur.work")


def look() -> int:
    """Follow the database's clock if it was set back; how many seconds, 0 when it was not. Whoever asks next is told
    when this met another transaction in a deadlock."""
    try:
        with transaction.atomic():
            step = clock.step_back()
            if step is None:
                return 0
            clock.follow(step)
    except OperationalError as error:
        if "deadlock" not in str(error):
            raise
        return 0
    log.warning("clock-set-back seconds=%.0f", step.total_seconds())
    return round(step.total_seconds())
