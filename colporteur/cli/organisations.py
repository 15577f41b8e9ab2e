"""``colporteur organisation``: tenants, their administrators, quotas, and what their lists may send together."""

from __future__ import annotations

from typing import Any

import click

from colporteur.cli.limits import limit_words, set_or_show
from colporteur.cli.output import BY, json_option, now, page, paged, pairs, plainly, print_one, print_rows, stamp
from colporteur.flow import administrators, limits, look, organisations, policies, quotas
from colporteur.mail.logo import MOST_BYTES
from colporteur.store.lists import ListState
from colporteur.store.organisations import Domain, Organisation

COLUMNS = ("name", "language", "domains", "lists", "created")


@click.group()
def organisation() -> None:
    """Organisations: administrators, quotas, naming rules, limits."""


@organisation.command("limits")
@click.argument("name")
@limit_words
@plainly
def limits_(name: str, rates: tuple[str, ...], none: bool, as_json: bool) -> None:
    """Show or set how much the lists of an organisation send together."""
    set_or_show(limits.of_organisation(organisations.find(name)), rates, none, as_json)


@organisation.command()
@click.argument("name")
@click.option("--language", default="", help="Of its letters: en or fr.")
@json_option
@plainly
def add(name: str, language: str, as_json: bool) -> None:
    """Add an organisation; one of that name that is there is shown."""
    print_one(_row(organisations.organisation_called(name, language=language)), as_json)


@organisation.command("list")
@paged("name")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Organisations, the newest first."""
    print_rows((_row(row) for row in page(Organisation.objects.all(), limit, organisations.find(after) if after else None)), COLUMNS, as_json)


@organisation.command()
@click.argument("name")
@json_option
@plainly
def show(name: str, as_json: bool) -> None:
    """One organisation: administrators, naming rule, quotas with what counts and whose it is."""
    print_one(_whole(organisations.find(name)), as_json)


@organisation.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@plainly
def set_(name: str, values: tuple[str, ...], as_json: bool) -> None:
    """Change an organisation: name, language, colour (#rrggbb), name_begins, name_reason, forbidden_names."""
    found = organisations.find(name)
    organisations.change(found, pairs(values), now(), by=BY)
    print_one(_whole(found), as_json)


@organisation.command()
@click.argument("name")
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--none", is_flag=True, help="No logo any more.")
@json_option
@plainly
def logo(name: str, file: Any, none: bool, as_json: bool) -> None:
    """Give an organisation a logo, a PNG, JPEG, WebP or GIF (- for standard input), or take it away."""
    found = organisations.find(name)
    if bool(file) == none:
        raise ValueError("name a FILE, or write --none")
    if file:
        look.set_logo(found, file.read(MOST_BYTES + 1), now(), by=BY)
    else:
        look.remove_logo(found, now(), by=BY)
    print_one(_whole(found), as_json)


@organisation.command()
@click.argument("name")
@click.argument("values", nargs=-1, metavar="KEY=NUMBER...")
@click.option("--domain", metavar="DOMAIN", help="Of one of its domains instead.")
@json_option
@plainly
def quota(name: str, values: tuple[str, ...], domain: str | None, as_json: bool) -> None:
    """Show or set quotas: domains, lists, members (of a list), message_size, archive (bytes: 5G); empty for none. NAME - is the whole site."""
    if name == "-":
        site = policies.site()
        quotas.change(site, pairs(values), now(), by=BY)
        print_one({"site": True, **site.quotas}, as_json)
        return
    place = organisations.find_domain(domain) if domain else organisations.find(name)
    if values:
        quotas.change(place, pairs(values), now(), by=BY)
    print_one({"place": str(place), "quotas": _quotas(place)}, as_json)


@organisation.command()
@click.argument("name")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--take", is_flag=True, help="Take the office away instead of giving it.")
@json_option
@plainly
def administrator(name: str, emails: tuple[str, ...], take: bool, as_json: bool) -> None:
    """Make somebody an administrator of an organisation."""
    found = organisations.find(name)
    for email in emails:
        if take and not administrators.take(found, email, now(), by=BY):
            raise ValueError(f"{email} is no administrator of {found.name}")
        if not take:
            administrators.give(found, email, now(), by=BY)
    print_one(_whole(found), as_json)


def _quotas(place: Organisation | Domain) -> list[dict[str, Any]]:
    return [
        {"quota": one.name, "set_here": one.own, "counts": one.effective.value, "from": one.effective.origin.value if one.effective.origin else None, "used": one.used} for one in quotas.show(place)
    ]


def _whole(found: Organisation) -> dict[str, Any]:
    about = {"colour": f"#{found.colour}" if found.colour else None, "logo": bool(found.logo), "name_begins": found.name_begins, "name_reason": found.name_reason, "forbidden_names": found.forbidden_names.split()}
    return _row(found) | about | {"administrators": [person.primary_email for person in administrators.of(found)], "quotas": _quotas(found)}


def _row(found: Organisation) -> dict[str, Any]:
    lists = found.lists.exclude(state=ListState.DELETED).count()
    return {"name": found.name, "language": found.language, "domains": found.domains.count(), "lists": lists, "created": stamp(found.created)}
