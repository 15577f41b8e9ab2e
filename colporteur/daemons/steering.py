"""What was paused, cancelled or switched off is known to every worker at once: the database tells them (a trigger, so that
no way to change these rows can forget it), and they look at what they hold. Without the word they notice a few seconds later.
Whoever leaves is told the same way, by ``store.copies.gone``: a slice may be held for long where copies leave slowly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

import psycopg
from django.db import connections

from colporteur.store.copies import STEERED
from colporteur.store.jobs import DUE

log = logging.getLogger("colporteur.deliver")
_AGAIN_SECONDS = 2.0


async def listen(told: Callable[[Collection[int]], None], due: Callable[[], None]) -> None:
    """Call ``told`` whenever something was steered, or with the ids of addresses that receive no more, and ``due`` when mail became due,
    until cancelled. A database that went away is asked again."""
    values = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        values.pop(name, None)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**values, autocommit=True) as wire:
                await wire.execute(f"LISTEN {STEERED}")
                await wire.execute(f"LISTEN {DUE}")
                told(())  # what was said while nobody listened
                due()
                async for notification in wire.notifies():
                    if notification.channel == DUE:
                        due()
                    else:
                        told({int(number) for number in notification.payload.split(",") if number})
        except psycopg.Error as error:
            log.info("not listening reason=%r", str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
