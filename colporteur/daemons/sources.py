"""The worker asks sources: what is due is fetched on threads of its own, a few at a time, and handed to ``flow``.

A slow one stands in no other's way; a worker that ends leaves its runs to others when their lease is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.utils import timezone

from colporteur.adapters.directories import Trouble
from colporteur.adapters.directories.kinds import fetch
from colporteur.daemons.collect import in_own_thread
from colporteur.daemons.threads import in_thread
from colporteur.domain.sources import Kind
from colporteur.flow import sources
from colporteur.flow.mailboxes import Failure
from colporteur.flow.sources import Claimed

log = logging.getLogger("colporteur.sources")

AT_ONCE = 4


class Asking:
    """Sources being asked by this worker. ``done`` is called after each."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._at_work: set[asyncio.Task[None]] = set()

    async def look(self) -> int:
        """Begin with what is due, as far as there is room; 0: the rest has time until the next look."""
        while len(self._at_work) < AT_ONCE and (claimed := await in_thread(sources.claim, timezone.now())):
            task = asyncio.create_task(self._ask(claimed))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)
        return 0

    async def _ask(self, claimed: Claimed) -> None:
        try:
            await ask(claimed)
        except Exception as error:
            log.exception("source not followed source=%s", claimed.id)
            with contextlib.suppress(Exception):  # the database itself may be away: its lease ends the run then
                await in_thread(sources.failed, claimed, Failure("{error}", {"error": type(error).__name__}), timezone.now())
        self._done()


async def ask(claimed: Claimed) -> None:
    """One run to its end. Raises ``django.db.Error``."""
    if claimed.setting is None:
        await in_thread(sources.failed, claimed, sources.BROKEN_SEAL, timezone.now())
        return
    try:
        table = None if claimed.kind == Kind.LIST else await in_own_thread(partial(fetch, networks=settings.NETWORKS), claimed.setting)
    except Trouble as trouble:
        await in_thread(sources.failed, claimed, Failure(*trouble.parts), timezone.now())
    except Exception as error:  # a library stumbled over what came: as good as no answer
        log.exception("source not read source=%s", claimed.id)
        await in_thread(sources.failed, claimed, Failure("{error}", {"error": type(error).__name__}, lasting=True), timezone.now())
    else:
        await in_thread(sources.take, claimed, table, timezone.now())
