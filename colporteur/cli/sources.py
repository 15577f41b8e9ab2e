"""``colporteur source``: members, owners, moderators and free senders that follow somebody's own data."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import click
from django.conf import settings
from django.db.models import QuerySet

from colporteur.adapters.directories import Trouble
from colporteur.adapters.directories.kinds import fetch
from colporteur.cli.output import BY, json_option, now, page, paged, pairs, plainly, print_one, print_rows, tell
from colporteur.daemons.sources import ask
from colporteur.domain.entries import Refused
from colporteur.domain.sources import OPTIONS, SECRET, URL, Feeds, Kind, Setting, read_mapping
from colporteur.flow import lists, sources
from colporteur.flow.mailboxes import Failure
from colporteur.store.sealed import SealBroken
from colporteur.store.sources import Source, SourceEntry
from colporteur.web.saying import said

COLUMNS = ("id", "list", "name", "kind", "feeds", "state", "last_good", "next_run", "error")
_KNOWN = "; ".join(f"{kind}: {', '.join(name for name in options if name not in (URL, SECRET))}" for kind, options in OPTIONS.items() if set(options) - {URL, SECRET})


@click.group()
def source() -> None:
    """Members that follow the association's own data."""


@source.command(help=f"Let a list follow a source. KIND: {', '.join(OPTIONS)}; WHERE: its address (or the file, or the other list). --set gives what the kind needs ({_KNOWN}).")
@click.argument("address")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.argument("where")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="Something this kind of source is told; may be repeated.")
@click.option("--secret", "ask_secret", is_flag=True, help="Read a password, or a header like “Authorization: Bearer 1234”, from standard input.")
@click.option("--map", "mapping", default="", metavar="email=COLUMN,name=COLUMN", help="Which column is what; further names become attributes.")
@click.option("--feeds", type=click.Choice([feeds.value for feeds in Feeds]), default="member", show_default=True, help="What those it names become.")
@click.option("--name", default="", help="What owners read about it.")
@click.option("--every", default=3600, show_default=True, metavar="SECONDS", help="How often it is asked.")
@click.option("--refresh", is_flag=True, help="Ask it again before each message to the list is sent.")
@click.option("--internal", is_flag=True, help="It may lie inside the network, or on this server.")
@json_option
@plainly
def add(address: str, kind: str, where: str, options: tuple[str, ...], ask_secret: bool, mapping: str, feeds: str, name: str, every: int, refresh: bool, internal: bool, as_json: bool) -> None:
    secret = sys.stdin.readline().rstrip("\r\n") if ask_secret else ""
    setting = Setting(Kind(kind), where, secret, pairs(options), read_mapping(mapping), Feeds(feeds), name, every, refresh, internal)
    print_one(sources.as_json(sources.add(lists.find(address), setting, now(), by=BY)), as_json)


@source.command()
@click.argument("number", type=int, metavar="ID")
@json_option
@plainly
def show(number: int, as_json: bool) -> None:
    """How one source is set and how it goes; never its secret."""
    print_one(sources.as_json(_find(number)), as_json)


@source.command()
@click.argument("number", type=int, metavar="ID")
@json_option
@plainly
def named(number: int, as_json: bool) -> None:
    """Whom it named when it last answered, with what it told of them."""
    rows = SourceEntry.objects.filter(source=_find(number)).select_related("address").order_by("address__email").iterator(chunk_size=2000)
    print_rows(({"address": row.address.email, "name": row.address.name, "attributes": row.attributes} for row in rows), ("address", "name", "attributes"), as_json)


@source.command("dry-run")
@click.argument("number", type=int, metavar="ID")
@json_option
@plainly
def dry_run(number: int, as_json: bool) -> None:
    """Ask it and say what would be added, removed and left unchanged; nothing is changed."""
    row = _find(number)
    try:
        found = sources.preview(row, None if row.kind == Kind.LIST else fetch(sources.opened(row), networks=settings.NETWORKS))
    except Trouble as trouble:
        raise click.ClickException(Failure(*trouble.parts).shown()) from trouble
    except SealBroken as error:
        raise ValueError(str(error)) from error
    if found.change is None:
        raise click.ClickException(f"nothing would be changed: {found.doubt}")
    change = found.change
    answer = {"added": change.added, "removed": change.removed, "unchanged": change.unchanged, "away": change.away, "waits": found.waits, "some_added": list(change.some_added), "some_removed": list(change.some_removed)}
    print_one({**answer, "refused": _refused(found.refused)}, as_json)


@source.command()
@click.argument("number", type=int, metavar="ID")
@json_option
@plainly
def run(number: int, as_json: bool) -> None:
    """Follow it now; status 1 when it gave no answer that can be used, or waits for an owner."""
    claimed = sources.claim_one(_find(number).pk, now())
    if claimed is None:
        raise click.ClickException("a source of this list is being asked at the moment: try again soon")
    asyncio.run(ask(claimed))
    row = _find(number)
    print_one(sources.as_json(row), as_json)
    if sources.state_of(row) != "ok":
        raise SystemExit(1)


@source.command()
@click.argument("number", type=int, metavar="ID")
@json_option
@plainly
def approve(number: int, as_json: bool) -> None:
    """Agree to the removals that wait; the source is asked again."""
    row = _find(number)
    if not sources.approve(row, now(), by=BY):
        raise click.ClickException("nothing waits there")
    if as_json:
        print_one(sources.as_json(_find(number)), as_json)
    else:
        tell(f"{row}: {_find(number).approved} may go")


@source.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--with-people", is_flag=True, help="Whom it named goes too, unless another source names them.")
@json_option
@plainly
def remove(number: int, with_people: bool, as_json: bool) -> None:
    """Take a source away; whom it named stays, by hand from then on."""
    count = sources.remove(_find(number), now(), by=BY, keep=not with_people)
    if as_json:
        print_one({"id": number, "removed": count if with_people else 0, "kept": 0 if with_people else count}, as_json)
    else:
        tell(f"the source is gone; {count} {'went with it' if with_people else 'stay by hand'}")


@source.command("list")
@click.argument("address", required=False)
@paged("id")
@plainly
def list_(address: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Sources of a list, or all of them, the newest first."""
    rows = _rows().filter(list=lists.find(address)) if address else _rows()
    print_rows((sources.as_json(row) for row in page(rows, limit, _find(int(after)) if after else None)), COLUMNS, as_json)


def _rows() -> QuerySet[Source]:
    return Source.objects.exclude(kind="manual").select_related("list__organisation", "list__domain", "of")


def _find(number: int) -> Source:
    if row := _rows().filter(pk=number).first():
        return row
    raise ValueError(f"there is no source {number}: see `colporteur source list`")


def _refused(refused: Sequence[Refused]) -> list[dict[str, object]]:
    return [{"line": line.line, "reason": said(line.reason), "text": line.text} for line in refused]
