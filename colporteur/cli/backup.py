"""``backup`` and ``restore``: the whole installation in one file, and back."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from django.conf import settings
from django.db import Error, connection, connections

from colporteur.cli.installation import reached
from colporteur.cli.output import BY, json_option, now, print_one, tell
from colporteur.daemons import archive, database, dump, log
from colporteur.daemons.archive import Archive, Manifest
from colporteur.daemons.binaries import DatabaseError
from colporteur.daemons.dump import DumpError
from colporteur.flow import backup as rows
from colporteur.flow.backup import HeldBack
from colporteur.store import schema

_SHOWN = 30  # of what is held back; the rest is counted
_MIB = 1 << 20


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--with-key", is_flag=True, help="Put the secret key in it too: whoever has the file can then read stored passwords and sign links.")
def backup(file: str, with_key: bool) -> None:
    """Write a whole, consistent backup to FILE while everything runs; - is standard output.

    FILE is there when it was written, read again and is on the disk, and replaces the one that was there; mode 0600. Without
    --with-key keep a copy of the secret key elsewhere: the backup holds its fingerprint only.
    """
    if file == "-" and sys.stdout.isatty():
        raise click.ClickException("standard output is a terminal: write `colporteur backup - > FILE`")
    if file != "-" and Path(file).is_dir():
        raise click.ClickException(f"{file} is a directory: name a file in it")
    with _plainly(), reached(), _told("written") as progress:
        tool = dump.tools(dump.server_major())
        if file == "-":
            made = archive.write(sys.stdout.buffer, tool, progress, with_key=with_key)
            sys.stdout.buffer.flush()
        else:
            made = archive.make(Path(file).absolute(), tool, progress, with_key=with_key)
    where = "on standard output, not read again" if file == "-" else f"in {file}, {Path(file).stat().st_size / _MIB:.1f} MiB, read again"
    key = "with the secret key" if with_key else f"without the secret key (fingerprint {made.key_fingerprint}): keep a copy of it elsewhere"
    click.echo(f"Backup of {rows.moment(made.moment)} {where}; {key}.", err=True)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--replace", is_flag=True, help="Into an installation that is not empty: everything in its database is lost.")
@click.option("--nothing-since", is_flag=True, help="Nothing was running since the backup (an upgrade): hold nothing back, limits go on as they were.")
@click.option("--check", is_flag=True, help="Only read the whole backup and say what it is; the database is not touched.")
@json_option
def restore(file: Path, replace: bool, nothing_since: bool, check: bool, as_json: bool) -> None:
    """Put the backup FILE back into an empty installation whose parts are stopped.

    Nothing that was under way when it was made leaves by itself, because it may have left since: what is held back, and how
    to let it go on, is printed.
    """
    log.set_up("restore")
    with _plainly(), archive.opened(file) as found:
        manifest = found.manifest
        with _told("read", found.size) as progress:
            found.verify(dump.tools(0, manifest.pg_dump), progress)
        if check:
            print_one({**asdict(manifest), "schema": manifest.schema if as_json else manifest.schema[-1], "bytes": found.size}, as_json)
            return
        if unknown := schema.unknown(manifest.schema):
            raise DumpError(f"the backup was made by a newer release ({manifest.colporteur}, {unknown[0]}): install that release, then restore")
        with database.owned(settings.POSTGRES) if settings.EMBEDDED else contextlib.nullcontext():
            try:
                held = _restore(found, replace, nothing_since)
            finally:
                connections.close_all()
    if as_json:
        print_one({"backup": manifest.at, **asdict(held)}, True)
    else:
        _tell(manifest, held)


def _restore(found: Archive, replace: bool, nothing_since: bool) -> HeldBack:
    tool = dump.tools(dump.server_major(), found.manifest.pg_dump)
    _nobody_else()
    if not replace and not _empty():
        raise DumpError("there is an installation in this database: restore into an empty one, or add --replace, and all that is in it is lost")
    key = _key(found)
    with found.reading() as source, _told("restored", found.size) as progress:
        dump.load(tool, source, progress)
    if key and settings.KEY_FILE:
        _keep_key(key, settings.KEY_FILE)
    schema.apply()
    held = rows.hold_back(found.manifest.moment, now(), BY, nothing_since=nothing_since)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return held


def _nobody_else() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(coalesce(nullif(application_name, ''), 'unnamed')) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        others, name = cursor.fetchone()
    if others:
        raise DumpError(f"{others} other connections are open to this database ({name}): stop every part (web, receive, collect, worker) on every machine first")


def _empty() -> bool:
    """Whether there is nothing to lose: no tables of ours, or nothing that somebody put in them."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        if not there:
            return True
        if not {"person", "list", "arrival", "mailing", "organisation"} <= there:
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM person) OR EXISTS (SELECT FROM list) OR EXISTS (SELECT FROM arrival) OR EXISTS (SELECT FROM mailing) OR EXISTS (SELECT FROM organisation)")
        return not cursor.fetchone()[0]


def _key(found: Archive) -> str:
    """The key to be put into the data directory, "" when ours is the right one. Raises ``DumpError``."""
    theirs = found.manifest.key_fingerprint
    if theirs == settings.SECRET_FINGERPRINT:
        return ""
    if settings.KEY_FILE and (key := found.key()):
        return key
    place = f"put the right one into {settings.KEY_FILE}" if settings.KEY_FILE else "give the right one in COLPORTEUR_SECRET_KEY"
    raise DumpError(f"the backup was made with another secret key (fingerprint {theirs}, ours is {settings.SECRET_FINGERPRINT}): {place}; with another key no stored password and no link can be read")


def _keep_key(key: str, path: Path) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())


def _tell(manifest: Manifest, held: HeldBack) -> None:
    tell(f"Restored: the installation as it was at {rows.moment(manifest.moment)}. Everybody signs in anew.")
    if held == rows.NOTHING:
        tell("Nothing is held back.")
        return
    tell("What was under way then is held back, because it may have left or been done since. Look before you let it go on.")
    for one in held.mailings[:_SHOWN]:
        copies = "its copies were not all written" if one.open is None else f"{one.open} copies open"
        tell(f"  mailing {one.id}, {one.list}: {one.subject!r}, {copies}")
    _more(held.mailings, "mailings", "`colporteur mailing list --held-back`")
    if held.mailings:
        tell("    `colporteur mailing resume ID` sends exactly the copies that were open then, `colporteur mailing cancel ID` abandons them")
    _some("letters (notices, sign-in links)", held.letters, "`colporteur mailing resume ID...` sends them, `colporteur mailing cancel ID...` abandons them", "`colporteur mailing list --held-back --letters`")
    _some("messages nobody had judged", held.unjudged, "set aside: `colporteur post retry ID` processes one, `colporteur post discard ID` throws it away", "`colporteur post list ADDRESS --state quarantined`")
    _some("messages that wait for a moderator", held.waiting, "they wait without an end now, and say why", "`colporteur post list ADDRESS --state held`")
    _some("service messages nobody had looked at", held.errands, f"set aside: see {settings.BASE_URL}/ as administrator", "the same page")
    _some("mailboxes switched off", held.mailboxes, "`colporteur mailbox enable ADDRESS` collects again; what still lies there may have been taken since", "`colporteur mailbox list`")


def _some(what: str, found: tuple[Any, ...], then: str, rest: str) -> None:
    if found:
        tell(f"  {what}: {', '.join(map(str, found[:_SHOWN]))}")
        _more(found, "", rest)
        tell(f"    {then}")


def _more(found: tuple[Any, ...], what: str, how: str) -> None:
    if len(found) > _SHOWN:
        tell(f"    and {len(found) - _SHOWN} more {what}: {how}".replace(" :", ":"))


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except (DumpError, DatabaseError, schema.SchemaError) as error:
        raise click.ClickException(str(error)) from None
    except (Error, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None


@contextlib.contextmanager
def _told(what: str, of: int = 0) -> Iterator[Callable[[int], None]]:
    """How far it is, on stderr, on a terminal only; told at most a few times a second."""
    shown = 0.0

    def progress(done: int) -> None:
        nonlocal shown
        if (at := time.monotonic()) - shown > 0.3:
            shown = at
            share = f" of {of / _MIB:.0f}" if of else ""
            click.echo(f"\r{done / _MIB:.0f}{share} MiB {what} ", err=True, nl=False)

    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    yield progress
    click.echo("\r\033[K", err=True, nl=False)
