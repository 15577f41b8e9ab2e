"""``colporteur domain``: mail domains and their list service."""

from __future__ import annotations

from typing import Any

import click

from colporteur.cli import signing
from colporteur.cli.output import BY, json_option, now, page, paged, pairs, plainly, print_one, print_rows, stamp
from colporteur.cli.routes import route_words, set_or_show
from colporteur.flow import naming, nesting, organisations
from colporteur.store.lists import ListState
from colporteur.store.organisations import Domain

COLUMNS = ("name", "organisation", "enabled", "lists")


@click.group()
def domain() -> None:
    """Mail domains and their list service."""


domain.add_command(signing.dkim)


@domain.command()
@click.argument("name")
@click.option("--organisation", metavar="ORG", help="Whose domain it is; made when unknown. Without it: the default organisation.")
@json_option
@plainly
def add(name: str, organisation: str | None, as_json: bool) -> None:
    """Add a mail domain."""
    organisations.domain_name(name)  # before an organisation is made for a domain that cannot be
    owner = organisations.organisation_called(organisation) if organisation else None
    print_one(_row(organisations.add_domain(name, owner, now(), by=BY)), as_json)


@domain.command("list")
@paged("name")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Mail domains, the newest first."""
    rows = Domain.objects.select_related("organisation")
    print_rows((_row(row) for row in page(rows, limit, organisations.find_domain(after) if after else None)), COLUMNS, as_json)


@domain.command()
@click.argument("name")
@json_option
@plainly
def enable(name: str, as_json: bool) -> None:
    """Switch the list service of a domain on."""
    found = organisations.find_domain(name)
    organisations.enable(found, now(), by=BY)
    print_one(_row(found), as_json)


@domain.command()
@click.argument("name")
@json_option
@plainly
def disable(name: str, as_json: bool) -> None:
    """Switch the list service of a domain off: its lists take and send nothing, and lose nothing."""
    found = organisations.find_domain(name)
    organisations.disable(found, now(), by=BY)
    print_one(_row(found), as_json)


@domain.command()
@click.argument("name")
@route_words
@plainly
def route(name: str, words: tuple[str, ...], inherit: bool, as_json: bool) -> None:
    """By which transports mail of a domain's lists leaves, as in `colporteur list route`; lists that have a route of their
    own are not concerned."""
    found = organisations.find_domain(name)
    set_or_show(found, found.name, words, inherit, as_json)


@domain.command()
@click.argument("name")
@json_option
@plainly
def show(name: str, as_json: bool) -> None:
    """One domain: who makes lists on it, and what they may be called."""
    print_one(_whole(organisations.find_domain(name)), as_json)


@domain.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@plainly
def set_(name: str, values: tuple[str, ...], as_json: bool) -> None:
    """Change a domain: creation (nobody, administrators, request or anybody: who makes lists), name_begins, name_reason,
    forbidden_names (several with spaces; * stands for anything)."""
    found = organisations.find_domain(name)
    organisations.change_domain(found, pairs(values), now(), by=BY)
    print_one(_whole(found), as_json)


@domain.command("everywhere")
@click.argument("name")
@click.option("--add", "added", multiple=True, metavar="EMAIL", help="Receives every list of the domain from now on; several times for several.")
@click.option("--remove", "removed", multiple=True, metavar="EMAIL", help="Receives only what it is a member of.")
@json_option
@plainly
def everywhere(name: str, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """Show or change who receives what every list of a domain accepts, without being on them."""
    found = organisations.find_domain(name)
    for email in added:
        nesting.put_on_every(found, email, now(), by=BY)
    for email in removed:
        if not nesting.take_off_every(found, email, now(), by=BY):
            raise ValueError(f"{email} is not on every list of {found.name}")
    print_one({"domain": found.name, "everywhere": nesting.on_every(found)}, as_json)


def _whole(found: Domain) -> dict[str, Any]:
    rules = naming.rules(found)
    return _row(found) | {"creation": found.creation, "name_begins": rules.begins, "name_reason": rules.reason, "forbidden_names": list(rules.forbidden)}


def _row(found: Domain) -> dict[str, Any]:
    lists = found.lists.exclude(state=ListState.DELETED).count()
    return {"name": found.name, "organisation": found.organisation.name, "enabled": found.enabled, "lists": lists, "created": stamp(found.created)}
