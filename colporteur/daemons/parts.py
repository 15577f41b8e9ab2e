"""One part of the installation as a process: log, database, schema, key, then its own main until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from django.conf import settings
from django.db import Error, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from colporteur.daemons import database, health, log
from colporteur.daemons.binaries import DatabaseError
from colporteur.daemons.threads import in_thread
from colporteur.store import schema
from colporteur.store.health import ended

logger = logging.getLogger("colporteur.parts")
_LAST_SECONDS = 5.0
_PASSING = {
    schema.State.BEHIND: "the schema is behind, somebody must run `colporteur migrate`",
    schema.State.RESTORING: "a backup is being restored into this database",
}
Main = Callable[[], Coroutine[Any, Any, None]]


def run_part(name: str, main: Main, sign: str = "") -> None:
    """Run ``main`` until it returns (it drains on SIGTERM and SIGINT itself), giving signs of life beside it, under the name ``sign`` where that is another.

    Exits with status 1 and a sentence when this process may not work on the database, or lost it.
    """
    log.set_up(name)
    connection_created.connect(_noticed_when_gone)
    try:
        with _database():
            wait()
            connections.close_all()
            logger.info("started pid=%d", os.getpid())
            uvloop.run(_beside(sign or name, main))
            logger.info("stopped pid=%d", os.getpid())
    except (DatabaseError, schema.SchemaError, health.DatabaseLost, OSError) as error:
        logger.error("refused reason=%s", error)
        sys.exit(1)
    except Exception:
        logger.exception("failed")
        sys.exit(1)


def serve_web(serve: Callable[[], None]) -> None:
    """The web server as a part: it answers for itself, so it gives no signs of life."""
    log.set_up("web")
    try:
        with _database():
            wait()
            connections.close_all()
            serve()
    except (DatabaseError, schema.SchemaError) as error:
        logger.error("refused reason=%s", error)
        sys.exit(1)


def wait(sleep: Callable[[float], None] = time.sleep) -> None:
    """Return when the database answers, its schema is ours and the key fits; wait while it is away or behind.

    Raises ``SchemaError`` when the schema is ahead or the key another one: waiting would not help.
    """
    told = ""
    while True:
        try:
            found = schema.state()
            if found not in _PASSING:
                schema.refuse_ahead(found)
            reason = _PASSING.get(found, "")
        except OperationalError as error:
            connection.close()
            reason = f"the database does not answer: {' '.join(str(error).split())}"
        if not reason:
            schema.check_session()  # first: a transaction fails where only statements are pooled
            schema.check_key()
            return
        if reason != told:
            logger.warning("waiting reason=%s", reason)
            told = reason
        sleep(1.0)


def _noticed_when_gone(connection: BaseDatabaseWrapper, **_: object) -> None:
    """The server must notice within half a minute that this machine vanished: its sessions may hold locks others wait for."""
    with connection.cursor() as cursor:
        cursor.execute("SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3")


def _database() -> contextlib.AbstractContextManager[object]:
    return database.joined(settings.POSTGRES) if settings.EMBEDDED else contextlib.nullcontext()


async def _beside(name: str, main: Main) -> None:
    work = asyncio.ensure_future(main())
    signs = asyncio.ensure_future(health.give_signs(name))
    await asyncio.wait({work, signs}, return_when=asyncio.FIRST_COMPLETED)
    signs.cancel()
    if not work.done():
        work.cancel()
    done = await asyncio.gather(work, signs, return_exceptions=True)
    failed = [one for one in done if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)]
    # What is left are clean-ups of libraries; without a database, or on a slow disk, one of them may take long: that is no failure.
    last = threading.Timer(_LAST_SECONDS, os._exit, [1 if failed else 0])
    last.daemon = True
    last.start()
    with contextlib.suppress(Error):
        await in_thread(ended, health.HOST, os.getpid())
    for error in failed:
        raise error
