"""``colporteur list``: lists, their settings, roles and further addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click
from django.db.models import Count, Q

from colporteur.cli.limits import limit_words
from colporteur.cli.limits import set_or_show as set_or_show_limits
from colporteur.cli.output import BY, json_option, now, page, paged, pairs, plainly, print_one, print_rows, stamp, tell
from colporteur.cli.routes import route_words, set_or_show
from colporteur.flow import life, limits, lists, organisations, roles, routes
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.policies import explained

COLUMNS = ("address", "title", "template", "state", "members", "owners")
_KINDS = {kind.value.replace("_", "-"): kind for kind in RoleKind}


@click.group("list")
def list_() -> None:
    """Lists and their settings."""


@list_.command()
@click.argument("address")
@click.option("--template", default="discussion", show_default=True, metavar="ID", help="What kind of list it is: one of `template list`.")
@click.option("--owner", required=True, metavar="EMAIL", help="Its first owner; becomes a person when unknown.")
@click.option("--title", default="", help="What people read.")
@click.option("--organisation", metavar="ORG", help="Whose list it is, for a group mailbox at an address of another host.")
@click.option("--notify", is_flag=True, help="Tell the owner by mail, with a link that signs in once.")
@json_option
@plainly
def create(address: str, template: str, owner: str, title: str, organisation: str | None, notify: bool, as_json: bool) -> None:
    """Make a list."""
    belongs = organisations.organisation_called(organisation) if organisation else None
    made = lists.create(address, template, owner, now(), title=title, by=BY, organisation=belongs, notify=notify)
    print_one(next(_rows([made])), as_json)


@list_.command()
@click.argument("address")
@json_option
@plainly
def show(address: str, as_json: bool) -> None:
    """One list: its roles, addresses, settings with where each comes from, and what is contradictory."""
    found = lists.find(address)
    settings = [{"key": name, "value": effective.value, "from": effective.origin.value} for name, effective in explained(found).items()]
    print_one(
        {
            **next(_rows([found])),
            "description": found.description,
            "organisation": found.organisation.name,
            "transport": routes.own_text(found) or None,
            "aliases": sorted(found.aliases.values_list("address", flat=True)),
            "created": stamp(found.created),
            "roles": [{"role": holder.kind.value, "address": holder.email, "name": holder.name} for holder in roles.of(found)],
            "settings": settings,
            "warnings": lists.warnings(found),
        },
        as_json,
    )


@list_.command("set")
@click.argument("address")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--inherit", multiple=True, metavar="KEY", help="Go back to the inherited value; may be repeated.")
@json_option
@plainly
def set_(address: str, values: tuple[str, ...], inherit: tuple[str, ...], as_json: bool) -> None:
    """Change settings: KEY=VALUE for each. KEY is a setting of `list show`, or title, description, language, template,
    transport, state (active or off). All of them change or none."""
    found = lists.find(address)
    wanted: dict[str, str | None] = dict(pairs(values))
    if not wanted and not inherit:
        raise ValueError("say what to change: KEY=VALUE, or --inherit KEY")
    wanted |= dict.fromkeys((key.strip().replace("-", "_") for key in inherit), None)
    lists.change_all(found, wanted, now(), by=BY)
    found = lists.find(address)
    for sentence in lists.warnings(found):
        click.echo(f"Warning: {sentence}", err=True)
    print_one(next(_rows([found])), as_json)


@list_.command()
@click.argument("address")
@route_words
@plainly
def route(address: str, words: tuple[str, ...], inherit: bool, as_json: bool) -> None:
    """By which transports a list's mail leaves: shown, or set as MAIN:3 SECOND / RESERVE. Those before the / share the
    mail by weight, those after it stand in when none of the first can."""
    found = lists.find(address)
    set_or_show(found, found.address, words, inherit, as_json)


@list_.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@json_option
@plainly
def delete(addresses: tuple[str, ...], as_json: bool) -> None:
    """Delete lists, all or none: each is hidden with all it has, and can be restored for a time."""
    found = [lists.find(address) for address in dict.fromkeys(addresses)]
    goes = [life.going(one) for one in found]
    life.delete_all(found, now(), by=BY)
    if as_json:
        rows = [{**row, "restorable_until": stamp(one.purge_at)} for row, one in zip(_rows(found), found, strict=True)]
        print_rows(rows, COLUMNS, True) if len(rows) > 1 else print_one(rows[0], True)
        return
    for one, gone in zip(found, goes, strict=True):
        tell(f"{one.address} is deleted with {gone.members} members and {gone.messages} messages; `colporteur list restore {one.address}` brings it back within {gone.days} days")


@list_.command()
@click.argument("address")
@json_option
@plainly
def restore(address: str, as_json: bool) -> None:
    """Bring a deleted list back as it was."""
    print_one(next(_rows([life.restore(address, now(), by=BY)])), as_json)


@list_.command()
@click.argument("address")
@click.argument("new", metavar="NEW")
@click.option("--forget-old", is_flag=True, help="Do not keep the old address as a further one.")
@json_option
@plainly
def move(address: str, new: str, forget_old: bool, as_json: bool) -> None:
    """Rename a list, or move it to another domain: members, messages and List-Id stay, the old address goes on working."""
    found = lists.find(address)
    life.move(found, new, now(), by=BY, keep=not forget_old)
    print_one(next(_rows([found])) | {"aliases": sorted(found.aliases.values_list("address", flat=True)), "list_id": found.list_id}, as_json)


@list_.command()
@click.argument("address")
@click.argument("new", metavar="NEW")
@click.option("--title", default="", help="What people read; without it the same.")
@click.option("--members", is_flag=True, help="With its members.")
@json_option
@plainly
def copy(address: str, new: str, title: str, members: bool, as_json: bool) -> None:
    """Make a new list with the settings, roles and own texts of one that is there."""
    print_one(next(_rows([life.copy(lists.find(address), new, now(), by=BY, title=title, members=members)])), as_json)


@list_.command()
@click.argument("address")
@json_option
@plainly
def close(address: str, as_json: bool) -> None:
    """Close a list whose time is over: mail is refused for good, everything is kept."""
    found = lists.find(address)
    life.close(found, now(), by=BY)
    print_one(next(_rows([found])), as_json)


@list_.command()
@click.argument("address")
@json_option
@plainly
def reopen(address: str, as_json: bool) -> None:
    """Open a closed list again."""
    found = lists.find(address)
    life.reopen(found, now(), by=BY)
    print_one(next(_rows([found])), as_json)


@list_.command()
@click.argument("address")
@json_option
@plainly
def enable(address: str, as_json: bool) -> None:
    """Switch a list's service on."""
    found = lists.find(address)
    life.switch(found, True, now(), by=BY)
    print_one(next(_rows([found])), as_json)


@list_.command()
@click.argument("address")
@json_option
@plainly
def disable(address: str, as_json: bool) -> None:
    """Switch a list's service off: it takes and sends nothing, and loses nothing."""
    found = lists.find(address)
    life.switch(found, False, now(), by=BY)
    print_one(next(_rows([found])), as_json)


@list_.command()
@click.argument("address")
@click.argument("kind", type=click.Choice(list(_KINDS)), metavar="ROLE")
@click.argument("emails", nargs=-1, required=True, metavar="WHO...")
@click.option("--take", is_flag=True, help="Take the role away instead of giving it.")
@json_option
@plainly
def role(address: str, kind: str, emails: tuple[str, ...], take: bool, as_json: bool) -> None:
    """Give somebody a role on a list: owner, moderator, free-sender, allowed-sender or refused-sender. `role add` says more."""
    found = lists.find(address)
    for email in emails:
        if take and not roles.take(found, email, _KINDS[kind], now(), by=BY):
            raise ValueError(f"{email} is no {kind} of {found.address}")
        if not take:
            roles.give(found, email, _KINDS[kind], now(), by=BY)
    rows = ({"role": holder.kind.value, "address": holder.email, "name": holder.name} for holder in roles.of(found))
    print_rows(rows, ("role", "address", "name"), as_json)


@list_.command()
@click.argument("address")
@click.argument("other", metavar="ALIAS")
@click.option("--remove", is_flag=True, help="Take the further address away instead of adding it.")
@json_option
@plainly
def alias(address: str, other: str, remove: bool, as_json: bool) -> None:
    """Give a list a further address."""
    found = lists.find(address)
    if not remove:
        lists.add_alias(found, other, now(), by=BY)
    elif not lists.remove_alias(found, other, now(), by=BY):
        raise ValueError(f"{other} is no further address of {found.address}")
    print_one({"address": found.address, "aliases": sorted(found.aliases.values_list("address", flat=True))}, as_json)


@list_.command("limits")
@click.argument("address")
@limit_words
@plainly
def limits_(address: str, rates: tuple[str, ...], none: bool, as_json: bool) -> None:
    """Show or set how many recipients a list writes to in any window of time."""
    set_or_show_limits(limits.of_list(lists.find(address)), rates, none, as_json)


@list_.command("list")
@click.option("--domain", metavar="NAME", help="Lists of this domain only.")
@click.option("--deleted", is_flag=True, help="Deleted lists instead.")
@paged("address")
@plainly
def list_lists(domain: str | None, deleted: bool, limit: int | None, after: str | None, as_json: bool) -> None:
    """Lists, the newest first."""
    rows = List.objects.filter(state=ListState.DELETED) if deleted else List.objects.exclude(state=ListState.DELETED)
    if domain:
        rows = rows.filter(domain=organisations.find_domain(domain))
    print_rows(_rows(page(rows, limit, lists.find(after) if after else None)), COLUMNS, as_json)


def _rows(found: Iterable[List]) -> Iterator[dict[str, Any]]:
    """The contract's fields; members and owners are asked for 500 lists at a time."""
    rest = iter(found)
    while chunk := list(islice(rest, 500)):
        ids = [row.pk for row in chunk]
        members = dict(Membership.objects.filter(list__in=ids, until__isnull=True).values_list("list_id").annotate(Count("id")))
        owners: dict[int, list[str]] = defaultdict(list)
        held = Role.objects.filter(Q(list__in=ids), kind=RoleKind.OWNER).select_related("person", "address", "group").prefetch_related("person__addresses").order_by("id")
        for role_ in held:
            owners[role_.list_id].append(role_.address.email if role_.address else role_.person.primary_email if role_.person else role_.group.address if role_.group else "")
        for row in chunk:
            yield {"address": row.address, "title": row.title, "template": row.template, "state": row.state, "members": members.get(row.pk, 0), "owners": owners[row.pk]}
