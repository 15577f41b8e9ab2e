"""The signs of life a part gives."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time

from django.db import DatabaseError

from colporteur.daemons.threads import in_thread
from colporteur.store.health import beat

log = logging.getLogger("colporteur.health")
HOST = socket.gethostname()
_EVERY = 3.0
_PATIENCE = 12.0  # seconds without the database after which a part ends, to be started again
_OUTLIVES_IT = {"receive"}  # holds nothing the database could take back, and "451 try again" is a better answer than no answer


class DatabaseLost(Exception):
    """The database has not answered for a while."""


async def give_signs(part: str) -> None:
    """Renew this process's sign of life for ever, from its event loop, so that a loop that hangs shows.

    Raises ``DatabaseLost`` when the database stays away for 12 seconds; the receiver lives on and answers 451.
    """
    answered = time.monotonic()
    while True:
        try:
            await in_thread(beat, part, HOST, os.getpid())
            answered = time.monotonic()
        except DatabaseError as error:
            log.warning("lost_database error=%s", error)
            if part not in _OUTLIVES_IT and time.monotonic() - answered > _PATIENCE:
                raise DatabaseLost(f"the database has not answered for {_PATIENCE:.0f} s: {error}") from error
        await asyncio.sleep(_EVERY)
