"""What was paused, cancelled or switched off is known to every worker at once: the database tells them (a trigger, so that
no way to change these rows can forget it), and they look at what they hold. Without the word they notice a few seconds later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import psycopg
from django.db import connections

CHANNEL = "colporteur_steered"

log = logging.getLogger("colporteur.deliver")
_AGAIN_SECONDS = 2.0


async def listen(told: Callable[[], None]) -> None:
    """Call ``told`` whenever something was steered, until cancelled. A database that went away is asked again."""
    values = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        values.pop(name, None)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**values, autocommit=True) as wire:
                await wire.execute(f"LISTEN {CHANNEL}")
                told()  # what was said while nobody listened
                async for _notification in wire.notifies():
                    told()
        except psycopg.Error as error:
            log.info("not listening reason=%r", str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
