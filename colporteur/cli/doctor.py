"""``doctor``: look at everything an installation stands on, and say what to do about what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import shutil
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import click
from django.conf import settings
from django.db import Error, connection

from colporteur import __version__
from colporteur.adapters import dns, records
from colporteur.cli.installation import reached
from colporteur.cli.output import json_option, print_rows
from colporteur.daemons import ports
from colporteur.domain.addresses import normal
from colporteur.domain.posts import PostState
from colporteur.domain.signing import KeyState, Seen, look
from colporteur.flow import signing
from colporteur.store import health, schema
from colporteur.store.arrivals import Errand, ErrandState
from colporteur.store.mailboxes import Mailbox
from colporteur.store.organisations import Domain
from colporteur.store.posts import Post
from colporteur.store.transports import Transport

OK, WARNING, TROUBLE = "ok", "warning", "trouble"
_LITTLE_SPACE = 1 << 30  # bytes
_CLOCKS_APART = 5.0  # seconds


class Check(NamedTuple):
    """One thing looked at: its name, how it is, and a sentence that says what to do when it is not ok."""

    check: str
    state: str
    says: str


@click.command()
@click.argument("domain", required=False)
@json_option
def doctor(domain: str | None, as_json: bool) -> None:
    """Check database, schema, key, clock, ports, parts, transports and mailboxes; with DOMAIN its DNS too.

    Exits with status 1 when something is in trouble.
    """
    try:
        name = normal(f"postmaster@{domain}").rpartition("@")[2] if domain else ""
    except ValueError:
        raise click.ClickException(f"{domain!r} is not a domain") from None
    found = list(_checks(name))
    print_rows((check._asdict() for check in found), ["check", "state", "says"], as_json)
    sys.exit(any(check.state == TROUBLE for check in found))


def _checks(domain: str) -> Iterator[Check]:
    yield _space()
    yield _base_url()
    try:
        with contextlib.ExitStack() as stack:
            alone = stack.enter_context(reached())
            yield _database(alone)
            yield (schema_check := _schema())
            if schema_check.state == OK and (pooler := _pooler()):
                yield pooler
            elif schema_check.state == OK:
                for questions in (_key, _clock, _parts, _releases, _transports, _mailboxes, _quarantine):
                    yield from questions()
                if domain:
                    yield from _domain_here(domain)
    except click.ClickException as error:
        yield Check("database", TROUBLE, error.message)
    yield from _ports()
    if domain:
        yield from _dns(domain)


def _space() -> Check:
    place = settings.DATA if settings.DATA.exists() else settings.DATA.parent
    free = shutil.disk_usage(place).free
    if free < _LITTLE_SPACE:
        return Check("disk", TROUBLE, f"only {free >> 20} MiB are free in {place}: make room, or mail is refused for a while")
    return Check("disk", OK, f"{free >> 30} GiB are free in {place}")


def _base_url() -> Check:
    base = urlsplit(settings.BASE_URL)
    host = base.hostname or ""
    if base.scheme == "https":
        return Check("base URL", OK, settings.BASE_URL)
    try:
        local = host == "localhost" or not ipaddress.ip_address(host).is_global
    except ValueError:
        local = False
    if local:
        return Check("base URL", WARNING, f"{settings.BASE_URL} is not public: links in letters work on this network only; set COLPORTEUR_BASE_URL")
    return Check("base URL", WARNING, f"{settings.BASE_URL} is not encrypted: put a reverse proxy with TLS before it and set COLPORTEUR_BASE_URL to https://{host}")


def _database(alone: bool) -> Check:
    version = connection.cursor().connection.info.server_version // 10000
    kind = "embedded; `colporteur run` does not run" if alone else "embedded" if settings.EMBEDDED else "of DATABASE_URL"
    if version < 15:
        return Check("database", TROUBLE, f"PostgreSQL {version} is too old: 15 or newer is needed")
    return Check("database", OK, f"PostgreSQL {version}, {kind}")


def _schema() -> Check:
    match schema.state():
        case schema.State.CURRENT:
            return Check("schema", OK, "this release's")
        case schema.State.BEHIND:
            return Check("schema", TROUBLE, "older than this release: run `colporteur migrate`")
        case schema.State.RESTORING:
            return Check("schema", TROUBLE, "a backup is being restored; if nobody is at it any more, run `colporteur restore --replace FILE` again")
        case _:
            return Check("schema", TROUBLE, "newer than this release: install the release that made it")


def _key() -> Iterator[Check]:
    try:
        schema.check_key()
        yield Check("key", OK, f"fingerprint {settings.SECRET_FINGERPRINT}")
    except schema.SchemaError as error:
        yield Check("key", TROUBLE, str(error))


def _pooler() -> Check | None:
    try:
        schema.check_session()
    except schema.SchemaError as error:
        return Check("pooler", TROUBLE, str(error))
    return None


def _releases() -> Iterator[Check]:
    found = health.releases()
    if len(found) > 1:
        which = "; ".join(f"{release or 'unknown'}: {', '.join(places)}" for release, places in found.items())
        yield Check("releases", TROUBLE, f"parts of different releases work on this database ({which}): stop the older ones, install this one there and start them again")
    elif any(release != __version__ for release in found):
        yield Check("releases", TROUBLE, f"the parts that run are of release {next(iter(found))}, this is {__version__}: restart them")
    else:
        yield Check("releases", OK, f"every part is of {__version__}")


def _clock() -> Iterator[Check]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        apart = abs(cursor.fetchone()[0] - time.time())
    if apart > _CLOCKS_APART:
        yield Check("clock", TROUBLE, f"{apart:.0f} s apart from the database's clock: let both follow a time server")
    else:
        yield Check("clock", OK, f"{apart:.1f} s apart from the database's clock")


def _parts() -> Iterator[Check]:
    for part, count in health.look().parts.items():
        yield Check(part, OK if count else TROUBLE, f"{count} running" if count else f"not running: start `colporteur run` or `colporteur {part}`")


def _transports() -> Iterator[Check]:
    if not Transport.objects.exists():
        yield Check("transports", WARNING, "there is none, nothing can be sent: `colporteur transport add NAME URL`")
    for transport in Transport.objects.order_by("name"):
        yield _health(f"transport {transport.name}", transport.enabled, transport.failures, transport.last_error, f"colporteur transport test {transport.name} --to YOU")


def _mailboxes() -> Iterator[Check]:
    for mailbox in Mailbox.objects.select_related("list").order_by("id"):
        address = mailbox.list.address
        yield _health(f"mailbox of {address}", mailbox.enabled, mailbox.failures, mailbox.last_error, f"colporteur mailbox test {address}")


def _health(name: str, enabled: bool, failures: int, last_error: str, command: str) -> Check:
    if not enabled:
        return Check(name, WARNING, "switched off")
    if failures:
        return Check(name, TROUBLE, f"failed {failures} times in a row: {last_error}; try `{command}`")
    return Check(name, OK, "no trouble")


def _quarantine() -> Iterator[Check]:
    posts = Post.objects.filter(state=PostState.QUARANTINED).count()
    errands = Errand.objects.filter(state=ErrandState.QUARANTINED).count()
    if posts or errands:
        yield Check("quarantine", WARNING, f"{posts} messages and {errands} service messages could not be processed: see `colporteur post list ADDRESS --state quarantined`")
    else:
        yield Check("quarantine", OK, "empty")


def _ports() -> Iterator[Check]:
    for name, address in (("web", settings.WEB), ("LMTP", settings.LMTP)):
        if not address:
            yield Check(f"{name} port", OK, "switched off")
        elif ports.answers(address):
            yield Check(f"{name} port", OK, f"{address} answers")
        else:
            yield Check(f"{name} port", TROUBLE, f"nobody answers on {address}: start `colporteur run`")


def _domain_here(domain: str) -> Iterator[Check]:
    with contextlib.suppress(Error):
        found = Domain.objects.filter(name=domain).first()
        if found is None:
            yield Check(f"domain {domain}", WARNING, f"not known here: `colporteur domain add {domain}`")
        else:
            yield Check(f"domain {domain}", OK if found.enabled else WARNING, "its service is on" if found.enabled else f"its service is off: `colporteur domain enable {domain}`")
            yield from _signing(found)


def _signing(domain: Domain) -> Iterator[Check]:
    """The keys mail is signed with, and those that wait for their record."""
    keys = [key for key in signing.of_domain(domain) if key.state != KeyState.RETIRED]
    if not keys:
        yield Check("DKIM", WARNING, f"mail of {domain.name} leaves unsigned: `colporteur domain dkim {domain.name} --make both`")
    found = dict(asyncio.run(dns.texts(key.name for key in keys)))
    for key in keys:
        seen, name = look(found[key.name], key.record), f"DKIM {key.selector}"
        if not signing.readable(key):
            yield Check(name, TROUBLE, "its private key was sealed with another COLPORTEUR_SECRET_KEY: make a new key")
        elif seen is Seen.UNKNOWN:
            yield Check(name, WARNING, f"the DNS does not answer for {key.name}")
        elif seen is not Seen.LIVE:
            state, words = (TROUBLE, "is used, but its record") if key.state == KeyState.USED else (WARNING, "waits: its record")
            yield Check(name, state, f"{words} {_NOT_LIVE[seen]}; publish what `colporteur domain dkim {domain.name}` shows")
        else:
            yield Check(name, OK, "its record is there" + (", mail is signed with it" if key.state == KeyState.USED else f": `colporteur domain dkim {domain.name} --check`"))


_NOT_LIVE = {Seen.MISSING: "is not in the DNS", Seen.OTHER: "is not the one of this key", Seen.SEVERAL: "is not the only one at its name"}


def _dns(domain: str) -> Iterator[Check]:
    found = records.look_up(domain)
    if found.trouble:
        yield Check(f"DNS of {domain}", WARNING, found.trouble)
        return
    yield Check("MX", OK, ", ".join(found.mx)) if found.mx else Check("MX", TROUBLE, f"{domain} has no MX record: no mail reaches its lists; add one that names your mail server")
    yield Check("SPF", OK, found.spf) if found.spf else Check("SPF", WARNING, f"{domain} has no SPF record: add a TXT record that allows your sending servers")
    yield Check("DMARC", OK, found.dmarc) if found.dmarc else Check("DMARC", WARNING, f"_dmarc.{domain} has no DMARC record")

