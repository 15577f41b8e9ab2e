"""The schema and the key: whether this database is one this release, with this key, may work on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import StrEnum

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from colporteur.store.organisations import Site

log = logging.getLogger("colporteur.schema")
_LOCK = 0x636F6C70  # advisory lock: one migration at a time, however many machines start
RESTORING = ("store", "restoring")
"""What stands among the applied migrations from the moment a backup is loaded until it may be worked on: no release, this one
or an older one, takes such a database for its own."""


class SchemaError(Exception):
    """This process may not work on this database; the message says what to do."""


class State(StrEnum):
    """The database's schema beside this release's."""

    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"
    RESTORING = "restoring"  # a backup is loaded and what would be sent again is not held back yet


def state() -> State:
    """Compare the applied migrations with those of this release. Raises ``OperationalError`` when nobody answers."""
    loader = MigrationLoader(connection)
    if RESTORING in loader.applied_migrations:
        return State.RESTORING
    ours = set(loader.disk_migrations)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    apps = {app for app, _name in ours}
    if any(key not in ours | replaced for key in loader.applied_migrations if key[0] in apps):
        return State.AHEAD
    return State.CURRENT if set(loader.graph.nodes) <= set(loader.applied_migrations) else State.BEHIND


def migrate() -> None:
    """Apply what is missing; several at once wait for each other. Raises ``SchemaError`` when the schema is ahead."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            refuse_ahead(found := state())
            if found is State.BEHIND:
                log.info("migrating database=%s", connection.settings_dict["NAME"])
                apply()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def apply() -> None:
    """Apply what is missing, whatever else the state is: for ``migrate``, and for a restore that nobody works beside."""
    call_command("migrate", verbosity=0, interactive=False)


def restored() -> None:
    """Take the mark away that a restore left: parts and commands may work on this database."""
    MigrationRecorder(connection).record_unapplied(*RESTORING)


def applied() -> list[str]:
    """The migrations this database has of the programs we bring, as ``app.name``; empty when it is empty."""
    loader = MigrationLoader(connection)
    apps = {app for app, _name in loader.disk_migrations}
    return sorted(f"{app}.{name}" for app, name in loader.applied_migrations if app in apps)


def unknown(names: Iterable[str]) -> list[str]:
    """Those of the migrations ``names`` (``app.name``) this release does not have: a newer one made them."""
    disk = MigrationLoader(None).disk_migrations
    known = set(disk) | {key for migration in disk.values() for key in migration.replaces}
    return [name for name in names if tuple(name.split(".", 1)) not in known]


def check() -> None:
    """Raise ``SchemaError`` unless the schema is this release's and the key is the one this database was made with."""
    found = state()
    refuse_ahead(found)
    if found is State.BEHIND:
        raise SchemaError("the database's schema is older than this release: run `colporteur migrate` first")
    check_key()


def check_key() -> None:
    """The first process leaves the fingerprint of its key in the site's row; one with another key is refused."""
    ours = settings.SECRET_FINGERPRINT
    Site.objects.get_or_create(id=1)
    Site.objects.filter(id=1, key_fingerprint="").update(key_fingerprint=ours)
    theirs = Site.objects.values_list("key_fingerprint", flat=True).get(id=1)
    if theirs != ours:
        raise SchemaError(
            f"COLPORTEUR_SECRET_KEY is not the key this database was made with (fingerprint {ours}, the database has {theirs}): "
            "give every process the same key; with another one no link, no token and no stored password can be read"
        )


def check_session() -> None:
    """Raise ``SchemaError`` behind a pooler that lends a server's session for one transaction only.

    Prepared statements, LISTEN and the locks that say who collects a mailbox belong to a session. Two connections of ours with
    one server process betray such a pooler; one that is very busy may pass unseen.
    """
    other = connection.copy()
    try:
        pids = []
        for one in (connection, other):
            with one.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.append(cursor.fetchone()[0])
    finally:
        other.close()
    if pids[0] == pids[1]:
        raise SchemaError("DATABASE_URL leads to a pooler that shares sessions (PgBouncer: pool_mode = transaction or statement): use pool_mode = session, or connect to PostgreSQL itself")


def refuse_ahead(found: State) -> None:
    """Raise ``SchemaError`` when a newer release was here, or a restore that did not end."""
    if found is State.RESTORING:
        raise SchemaError("a backup is being restored into this database; if nobody is at it any more, run `colporteur restore --replace FILE` again")
    if found is State.AHEAD:
        raise SchemaError("the database was migrated by a newer release: install that release, or restore a backup made before")
