"""Health checks: a transport in trouble is opened without mail when it is time; let in again, its part of the work comes back."""

from __future__ import annotations

import asyncio
import logging

from django.utils import timezone

from colporteur.adapters.transports import Stage, Trouble, open_transport
from colporteur.daemons.threads import in_thread
from colporteur.flow import routes, trouble
from colporteur.flow.routes import Check

log = logging.getLogger("colporteur.deliver")

EVERY_SECONDS = 5.0
_LONGEST_SECONDS = 60.0


async def check_due() -> int:
    """Look at the transports that are due, all at once; 0, nothing is left to call again for."""
    await asyncio.gather(*(_check(one) for one in await in_thread(routes.checks_due, timezone.now())))
    return 0


async def _check(one: Check) -> None:
    try:
        said = await _look(one.url)
    except Trouble as found:
        await in_thread(trouble.stop_transport, one.transport, f"check: {found}", timezone.now(), lasting=not found.temporary)
    else:
        log.info("checked transport=%d said=%r", one.transport, said)
        await in_thread(trouble.over, one.transport, timezone.now(), looked=True)


async def _look(url: str) -> str:
    """What the transport says of itself. Raises ``Trouble``, also for a URL nobody can use and one that never answers."""
    try:
        transport = open_transport(url, 1)
    except ValueError as error:
        raise Trouble(Stage.CONNECT, 0, str(error), temporary=False) from None
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            return await transport.check()
    except TimeoutError:
        raise Trouble(Stage.CONNECT, 0, f"no answer within {_LONGEST_SECONDS:.0f} s") from None
    finally:
        await transport.close()
