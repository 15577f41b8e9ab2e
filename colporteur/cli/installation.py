"""What every command needs before it may touch a row: the database, a schema of this release, the right key."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from django.conf import settings
from django.db import OperationalError, connections

from colporteur.daemons import database, log
from colporteur.daemons.binaries import DatabaseError
from colporteur.store import schema


@contextmanager
def reached() -> Iterator[bool]:
    """The database; True when it is the embedded one and only short commands use it.

    Raises ``click.ClickException`` with a sentence that says what to do, also for what the body raises about it.
    """
    log.set_up("command")
    try:
        if settings.EMBEDDED:
            with database.in_use(settings.POSTGRES):
                try:
                    yield not database.has_owner(settings.POSTGRES)
                finally:
                    connections.close_all()
        else:
            yield False
    except (DatabaseError, schema.SchemaError) as error:
        raise click.ClickException(str(error)) from None
    except OperationalError as error:
        raise click.ClickException(f"the database does not answer: {' '.join(str(error).split())}") from None


@contextmanager
def installation() -> Iterator[None]:
    """The database with a schema of this release and our key.

    An embedded database nobody runs is migrated on the way; any other is left as it is. Raises ``click.ClickException``.
    """
    with reached() as alone:
        if alone:
            schema.migrate()
        schema.check()
        yield


def with_installation(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` run inside ``installation()``."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with installation():
            return function(*args, **kwargs)

    wrapped.in_installation = True  # type: ignore[attr-defined]
    return wrapped
