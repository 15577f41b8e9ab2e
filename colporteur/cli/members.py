"""``colporteur member``: members of a list, one by one or from a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import click
from django.db.models import QuerySet

from colporteur.cli import personal
from colporteur.cli.output import BY, Command, complain, json_option, newest, now, paged, plainly, print_one, print_rows, progress, stamp, tell
from colporteur.domain import entries
from colporteur.domain.addresses import normal
from colporteur.flow import attributes, enrolments, everywhere, lists, memberships, organisations, roster
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.memberships import Membership
from colporteur.web.saying import said

COLUMNS = ("address", "name", "state", "delivery", "role", "source", "since")


def _columns(_context: click.Context, _parameter: click.Parameter, text: str | None) -> entries.Columns | None:
    if not text:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    named = dict(word.split("=", 1) for word in words if "=" in word)
    known = ("email", "name", "first_name", "last_name", "delivery")
    if "email" not in named or any(word != "nohead" for word in words if "=" not in word) or not all(number.isdigit() and 0 < int(number) < 1000 for number in named.values()):
        raise click.BadParameter("write it like email=3,first_name=2,last_name=1")
    places = {name: int(number) - 1 for name, number in named.items()}
    others = {name: at for name, at in places.items() if name not in known}
    return entries.Columns(**{name: at for name, at in places.items() if name in known}, head="nohead" not in words, attributes=others)


def _read(list_: List, file: BinaryIO, columns: entries.Columns | None) -> entries.Entries:
    """A file of members with values of the list's attributes. Raises ``ValueError`` when a column is named by a key the list does not have."""
    fields = attributes.fields_of(list_)
    if unknown := set(columns.attributes or () if columns else ()) - {field.key for field in fields}:
        raise ValueError(f"the list has no attribute {', '.join(sorted(unknown))}: `attribute list` says which there are")
    return entries.read(entries.decode(file.read()), columns, fields)


@click.group()
def member() -> None:
    """Members of a list."""


@member.command()
@click.argument("address")
@click.argument("emails", nargs=-1, metavar="[EMAIL...]")
@click.option("--file", "file", type=click.File("rb"), metavar="FILE|-", help="Read members from a file: one per line (`email Name`), or CSV with a header.")
@click.option("--bring-back", is_flag=True, help="Also add who left the list by themselves.")
@click.option("--columns", callback=_columns, metavar="email=N,...", help="Columns of a CSV file, counted from 1: email, name, first_name, last_name, delivery, attributes of the list by their keys; `nohead` when its first line is a person.")
@click.option("--all-or-nothing", is_flag=True, help="Add nobody when a line cannot be taken.")
@click.option("--dry-run", is_flag=True, help="Say what would come of it, and change nothing.")
@json_option
@plainly
def add(address: str, emails: tuple[str, ...], file: BinaryIO | None, bring_back: bool, columns: entries.Columns | None, all_or_nothing: bool, dry_run: bool, as_json: bool) -> None:
    """Add members. Nobody is written to. Whatever happens on the way, all of them are added or nobody.

    Lines that cannot be taken are told on stderr by number and reason, and the status is 1; all others are added, unless
    --all-or-nothing is given.
    """
    found = lists.find(address)
    if not emails and file is None:
        raise ValueError("name the members to add, or read them with --file")
    read = entries.of_pairs((email, "") for email in emails)
    if file is not None:
        from_file = _read(found, file, columns)
        read = entries.Entries(read.taken + from_file.taken, read.refused + from_file.refused)
    given = memberships.Given("import", evidence=getattr(file, "name", "<stdin>")) if file is not None else memberships.Given()
    if dry_run or (all_or_nothing and enrolments.outlook(found, read, bring_back=bring_back).refused):
        outlook = enrolments.outlook(found, read, bring_back=bring_back)
        added = memberships.Added(len(outlook.new) if dry_run else 0, outlook.already, outlook.twice, outlook.refused, outlook.left)
    else:
        with progress(len(read.taken), "Adding members") as tell_progress:
            added = memberships.add(found, read, now(), by=BY, bring_back=bring_back, progress=tell_progress, given=given)
    for line in added.refused:
        complain(f"line {line.line}: {said(line.reason)}")
    if added.left:
        complain(f"{len(added.left)} left the list by themselves and stay away (--bring-back adds them): {', '.join(added.left[:10])}{' ...' if len(added.left) > 10 else ''}")
    if as_json:
        refused = [{"line": line.line, "reason": line.reason, "text": line.text} for line in added.refused]
        print_one({"added": added.added, "already": added.already, "twice": added.twice, "left": added.left, "refused": refused}, True)
    else:
        tell(f"{added.added} {'would be ' * dry_run}added, {added.already} already members, {len(added.left)} left before, {len(added.refused)} refused{f', {added.twice} given twice' if added.twice else ''}")
    if added.refused:
        raise click.exceptions.Exit(1)


@member.command("set")
@click.argument("address")
@click.option("--file", "file", type=click.File("rb"), required=True, metavar="FILE|-", help="All the members: one per line (`email Name`), or CSV with a header.")
@click.option("--columns", callback=_columns, metavar="email=N,...", help="Columns of a CSV file, as in `member add`.")
@click.option("--bring-back", is_flag=True, help="Also add who left the list by themselves.")
@click.option("--dry-run", is_flag=True, help="Say who would be added and removed, and change nothing.")
@json_option
@plainly
def set_(address: str, file: BinaryIO, columns: entries.Columns | None, bring_back: bool, dry_run: bool, as_json: bool) -> None:
    """Make the members exactly those of a file.

    Others are removed, new ones added; when a line cannot be taken, nothing is changed: the person on a mistyped line would
    be removed. `member change` decides for single members, how they receive among others.
    """
    found = lists.find(address)
    read = _read(found, file, columns)
    change = roster.compare(found, read, bring_back=bring_back)
    for line in change.refused:
        complain(f"line {line.line}: {said(line.reason)}")
    if not dry_run:
        with progress(len(change.added), "Adding members") as tell_progress:
            roster.edit(found, read, now(), by=BY, seen=change.seen, bring_back=bring_back, progress=tell_progress)
    if as_json:
        print_one({"added": [entry.email for entry in change.added], "removed": change.removed, "unchanged": change.staying, "left": change.left}, True)
    else:
        tell(f"{len(change.added)} {'would be ' * dry_run}added, {len(change.removed)} {'would be ' * dry_run}removed, {change.staying} unchanged, {len(change.left)} left before")
    if change.refused:
        raise click.exceptions.Exit(1)


_EVERYWHERE = (
    click.option("--everywhere", "everywhere_", is_flag=True, help="In all lists; name no list then."),
    click.option("--organisation", metavar="NAME", help="With --everywhere: only in the lists of this organisation."),
    click.option("--file", "file", type=click.File("rb"), metavar="FILE|-", help="Read addresses from a file, one per line."),
)


def _where(command: Command) -> Command:
    for option in reversed(_EVERYWHERE):
        command = option(command)
    return click.argument("words", nargs=-1, metavar="[LIST] [EMAIL]...")(command)


def _meant(words: tuple[str, ...], everywhere_: bool, organisation: str | None, file: BinaryIO | None) -> tuple[QuerySet[List], list[str]]:
    """The lists and the addresses a command is about."""
    emails = list(words if everywhere_ else words[1:])
    if file is not None:
        read = entries.read(entries.decode(file.read()))
        if read.refused:
            raise ValueError("; ".join(f"line {line.line}: {said(line.reason)}" for line in read.refused[:20]))
        emails += [entry.email for entry in read.taken]
    if organisation and not everywhere_:
        raise ValueError("--organisation goes with --everywhere")
    if not emails or (not everywhere_ and not words):
        raise ValueError("name a list and its members, or members with --everywhere")
    if not everywhere_:
        return List.objects.filter(pk=lists.find(words[0]).pk), emails
    alive = List.objects.exclude(state=ListState.DELETED)
    return (alive.filter(organisation=organisations.find(organisation)) if organisation else alive), emails


def _tell_report(report: everywhere.Report, done: str, as_json: bool, missing: bool) -> None:
    if as_json:
        print_one({"changed": report.changed, "nowhere": report.nowhere}, True)
    else:
        for address, emails in report.changed.items():
            tell(f"{address}: {', '.join(emails)}")
        tell(f"{sum(len(emails) for emails in report.changed.values())} {done} in {len(report.changed)} lists")
    for email in report.nowhere if missing else ():
        complain(f"{email} is not a member")
    if missing and report.nowhere:
        raise click.exceptions.Exit(1)


@member.command()
@_where
@json_option
@plainly
def remove(words: tuple[str, ...], everywhere_: bool, organisation: str | None, file: BinaryIO | None, as_json: bool) -> None:
    """Remove members of a list, or of all lists. What they were sent and wrote stays."""
    where, emails = _meant(words, everywhere_, organisation, file)
    if everywhere_:
        _tell_report(everywhere.remove(where, emails, now(), by=BY), "removed", as_json, True)
        return
    removed = memberships.remove(where.get(), emails, now(), by=BY)
    if as_json:
        click.echo(json.dumps({"removed": removed.removed, "unknown": removed.unknown}))
    else:
        tell(f"{len(removed.removed)} removed")
    for email in removed.unknown:
        complain(f"{email} is not a member")
    if removed.unknown:
        raise click.exceptions.Exit(1)


@member.command()
@_where
@json_option
@plainly
def pause(words: tuple[str, ...], everywhere_: bool, organisation: str | None, file: BinaryIO | None, as_json: bool) -> None:
    """Stop sending to members of a list, or of all lists; they stay members."""
    where, emails = _meant(words, everywhere_, organisation, file)
    _tell_report(everywhere.pause(where, emails, now(), by=BY), "paused", as_json, True)


@member.command()
@_where
@json_option
@plainly
def resume(words: tuple[str, ...], everywhere_: bool, organisation: str | None, file: BinaryIO | None, as_json: bool) -> None:
    """Send again to members who are paused, on a list or on all lists."""
    where, emails = _meant(words, everywhere_, organisation, file)
    _tell_report(everywhere.pause(where, emails, now(), by=BY, paused=False), "receive again", as_json, True)


@member.command()
@click.argument("emails", nargs=-1, metavar="[EMAIL]...")
@click.option("--organisation", metavar="NAME", help="Only in the lists of this organisation.")
@click.option("--file", "file", type=click.File("rb"), metavar="FILE|-", help="Read addresses from a file, one per line.")
@json_option
@plainly
def find(emails: tuple[str, ...], organisation: str | None, file: BinaryIO | None, as_json: bool) -> None:
    """Say which lists the addresses are on. Status 1 when one of them is on none."""
    where, wanted = _meant(emails, True, organisation, file)
    places = everywhere.find(where, wanted)
    rows = [{"address": place.email, "list": place.list_address, "state": "paused" if place.paused else "active", "delivery": place.delivery, "since": stamp(place.since)} for place in places]
    print_rows(rows, ("address", "list", "state", "delivery", "since"), as_json)
    known, missing = {place.email for place in places}, False
    for email in dict.fromkeys(normal(email) for email in wanted):
        if email not in known:
            missing = True
            complain(f"{email} is on none")
    if missing:
        raise click.exceptions.Exit(1)


@member.command()
@click.argument("address")
@click.argument("email")
@json_option
@plainly
def consent(address: str, email: str, as_json: bool) -> None:
    """How somebody came to be on a list: when, by whom, what they said yes to, and the evidence."""
    rows = Membership.objects.filter(list=lists.find(address), address__email=normal(email)).select_related("consent").order_by("id")
    if not rows:
        raise ValueError(f"{email} was never a member of {address}")
    told = ({"since": stamp(row.since), "until": stamp(row.until)} | ({name: getattr(row.consent, name) for name in ("how", "by", "client", "evidence", "wording")} if row.consent else {}) for row in rows)
    print_rows(told, ("since", "until", "how", "by", "evidence"), as_json)


@member.command("list")
@click.argument("address")
@paged("address")
@plainly
def list_(address: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """Members of a list, the newest first."""
    found = lists.find(address)
    rows = Membership.objects.filter(list=found, until__isnull=True)
    last = rows.filter(address__email=normal(after)).first() if after else None
    if after and last is None:
        raise ValueError(f"{after} is not a member")
    print_rows(_rows(found, newest(rows, limit, last).values_list(*_VALUES).iterator(chunk_size=2000)), COLUMNS, as_json)


# Values, not objects: a list may have 100,000 members.
_CHOICES = ("pause_from", "pause_until", "posting", "own_copy", "hidden", "note")
_VALUES = ("address__email", "address__name", "address__person__name", "paused", "delivery", "source__name", "since", "address_id", "address__person_id", *_CHOICES)


def _rows(found: List, rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    order = list(RoleKind)
    by_person: dict[int, str] = {}
    by_address: dict[int, str] = {}
    for role in sorted(Role.objects.filter(list=found), key=lambda role: order.index(RoleKind(role.kind))):
        if role.person_id:
            by_person.setdefault(role.person_id, role.kind)
        elif role.address_id:
            by_address.setdefault(role.address_id, role.kind)
    for email, name, person_name, paused, delivery, source, since, address, person, pause_from, pause_until, posting, own_copy, hidden, note in rows:
        yield {
            "address": email,
            "name": person_name or name,
            "state": "paused" if paused else "active",
            "delivery": delivery,
            "role": by_address.get(address) or by_person.get(person) or "member",
            "source": source or "manual",
            "since": stamp(since),
            "pause_from": stamp(pause_from),
            "pause_until": stamp(pause_until),
            "posting": posting or "list",
            "own_copy": own_copy,
            "hidden": hidden,
            "note": note,
        }


for _command in personal.COMMANDS:
    member.add_command(_command)
