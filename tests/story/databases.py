"""A PostgreSQL of a story's own."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from colporteur.daemons.postgresql import Server
from tests.servers.machines import Machine


@contextlib.contextmanager
def elsewhere(server: Server, blocker: Any, machine: Machine | None = None) -> Iterator[Server]:
    """Start ``server``, give it the schema and lead Django's connection of this process there, until the end of the block.
    On ``machine`` it listens for the other machines of its network too. See ``led_to``."""
    with machine.inside() if machine else contextlib.nullcontext():
        if machine:
            server.options["listen_addresses"] = machine.address
        server.start()
    try:
        if machine and server.process:
            with open(server.data / "pg_hba.conf", "a") as rules:
                rules.write("host colporteur colporteur samenet trust\n")
            server.process.send_signal(signal.SIGHUP)
        with led_to(server, blocker):
            call_command("migrate", verbosity=0)
            yield server
    finally:
        server.stop()


@contextlib.contextmanager
def led_to(server: Server, blocker: Any) -> Iterator[None]:
    """Django's connection of this process leads to ``server``, whoever started it.

    ``blocker`` is the fixture ``django_db_blocker``; the test itself must ask for no other database.
    """
    with led(blocker, NAME="colporteur", USER="colporteur", HOST=str(server.sockets), PORT="5432"):
        yield


@contextlib.contextmanager
def led(blocker: Any, **place: Any) -> Iterator[None]:
    """Django's connection of this process leads to ``place``, names and values as in Django's ``DATABASES``. See ``led_to``."""
    before = {name: connection.settings_dict[name] for name in place}
    try:
        with blocker.unblock():
            _lead(**place)
            yield
    finally:
        _lead(**before)


def _lead(**place: Any) -> None:
    connection.close()
    connection.settings_dict.update(place)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder the database's own user can walk in, gone at the end of the block: every pytest that starts shuts the
    folders of all the others (0700)."""
    folder = Path(tempfile.mkdtemp(prefix="colporteur-story-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
