"""``run``, the parts one by one, and ``migrate``."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Iterator

import click
from django.conf import settings
from django.db import OperationalError, connections

from colporteur.cli.installation import reached
from colporteur.daemons import binaries, database, greeting, log, parts, ports, serve
from colporteur.daemons.postgresql import Server
from colporteur.daemons.run import Supervisor, parts_of
from colporteur.domain.transports import Share
from colporteur.domain.words import Invalid
from colporteur.store import schema
from colporteur.store.jobs import forget_stalled


@click.command()
def run() -> None:
    """Run everything: database, web, receivers, collectors and workers, until Ctrl-C or SIGTERM."""
    log.set_up("run")
    try:
        with _database() as server:
            ports.check_free("COLPORTEUR_WEB", settings.WEB)
            if settings.LMTP:
                ports.check_free("COLPORTEUR_LMTP", settings.LMTP)
            schema.migrate()
            schema.check()
            if settings.EMBEDDED:
                forget_stalled()  # we own the database: no worker lives that could still be at them
            if settings.DEMO:
                greeting.fill_when_empty()
            link = greeting.sign_in_link()
            connections.close_all()
            asyncio.run(Supervisor(parts_of(settings.WORKERS), lambda: greeting.when_ready(link), server).run())
    except (binaries.DatabaseError, schema.SchemaError, ports.PortTaken) as error:
        raise click.ClickException(str(error)) from None
    except OperationalError as error:
        raise click.ClickException(f"the database does not answer: {' '.join(str(error).split())}") from None


@click.command()
def web() -> None:
    """The web server alone."""
    parts.serve_web(serve.main)


@click.command()
def receive() -> None:
    """The LMTP listener alone."""
    _part("receive", "receive")


@click.command()
def collect() -> None:
    """The IMAP and POP3 collectors alone."""
    _part("collect", "collect")


@click.command()
@click.option("--share", default="1/1", metavar="N/OF", help="Of several on one machine the first does everything, the others only deliver; they share the connections of each transport.")
def worker(share: str) -> None:
    """One worker alone: it judges, plans and delivers; as many as you like, on as many machines."""
    try:
        mine = Share.read(share)
    except Invalid as error:
        raise click.BadParameter(str(error), param_hint="--share") from None
    sign = "worker" if mine.nth == 1 else "delivery"  # it does not stand for the one that judges and plans
    parts.run_part("worker", lambda: importlib.import_module("colporteur.daemons.work").main(mine), sign)


@click.command()
def migrate() -> None:
    """Bring the database to this release's schema. Parts that wait for it go on by themselves."""
    with reached():
        schema.migrate()
        schema.check()
    click.echo("The database has this release's schema.")


def _part(name: str, module: str) -> None:
    parts.run_part(name, importlib.import_module(f"colporteur.daemons.{module}").main)


@contextlib.contextmanager
def _database() -> Iterator[Server | None]:
    if not settings.EMBEDDED:
        yield None
        return
    with database.owned(settings.POSTGRES) as server:
        if not settings.POSTGRES.is_relative_to(settings.DATA):
            click.echo(
                f"The database's user cannot enter {settings.DATA}: the database is in {settings.POSTGRES}, its programs below {binaries.ROOT_PLACE}.", file=sys.stderr
            )
        yield server
