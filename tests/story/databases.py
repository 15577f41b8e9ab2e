"""A PostgreSQL of a story's own."""

from __future__ import annotations

import contextlib
import os
import signal
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

    ``blocker`` is the fixture ``django_db_blocker``; the test itself must ask for no other database. On ``machine`` the
    server listens for the other machines of its network too.
    """
    with machine.inside() if machine else contextlib.nullcontext():
        if machine:
            server.options["listen_addresses"] = machine.address
        server.start()
    if machine:
        with open(server.data / "pg_hba.conf", "a") as rules:
            rules.write("host colporteur colporteur samenet trust\n")
        server.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    place = connection.settings_dict
    before = {name: place[name] for name in ("NAME", "USER", "HOST", "PORT")}
    try:
        with blocker.unblock():
            _lead(NAME="colporteur", USER="colporteur", HOST=str(server.sockets), PORT="5432")
            call_command("migrate", verbosity=0)
            yield server
    finally:
        _lead(**before)
        server.stop()


def _lead(**place: str) -> None:
    connection.close()
    connection.settings_dict.update(place)


def walkable(directory: Path) -> Path:
    """``directory``, when the database's own user can walk in: pytest makes its folders 0700."""
    for folder in (directory, *directory.parents):
        if str(folder) != "/" and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    return directory
