"""The schema and the key: whether this database is one this release, with this key, may work on."""

from __future__ import annotations

import logging
from enum import StrEnum

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from colporteur.store.organisations import Site

log = logging.getLogger("colporteur.schema")
_LOCK = 0x636F6C70  # advisory lock: one migration at a time, however many machines start


class SchemaError(Exception):
    """This process may not work on this database; the message says what to do."""


class State(StrEnum):
    """The database's schema beside this release's."""

    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"


def state() -> State:
    """Compare the applied migrations with those of this release. Raises ``OperationalError`` when nobody answers."""
    loader = MigrationLoader(connection)
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
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


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


def refuse_ahead(found: State) -> None:
    """Raise ``SchemaError`` when a newer release was here."""
    if found is State.AHEAD:
        raise SchemaError("the database was migrated by a newer release: install that release, or restore a backup made before")
