"""``colporteur person``: people, administrators, sign-in links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from colporteur.cli.output import json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.flow import people
from colporteur.store.people import Person

COLUMNS = ("name", "addresses", "admin", "created")


@click.group()
def person() -> None:
    """People, administrators and sign-in links."""


@person.command()
@click.argument("email")
@click.option("--name", default="", help="Name shown on screens and in letters.")
@click.option("--admin", is_flag=True, help="Make the person an administrator of the site.")
@json_option
@plainly
def add(email: str, name: str, admin: bool, as_json: bool) -> None:
    """Add a person, or make a known one an administrator."""
    print_one(_row(people.add(email, name, admin, now=now())), as_json)


@person.command("add-address")
@click.argument("email")
@click.argument("other")
@json_option
@plainly
def add_address(email: str, other: str, as_json: bool) -> None:
    """Give the person with the address EMAIL the further address OTHER."""
    people.add_address(_find(email), other, now())
    print_one(_row(_find(email)), as_json)


@person.command("signin-link")
@click.argument("email")
@click.option("--minutes", type=click.IntRange(1, 7 * 24 * 60), metavar="N", default=people.LINK_MINUTES, show_default=True, help="How long the link is good.")
@json_option
@plainly
def signin_link(email: str, minutes: int, as_json: bool) -> None:
    """Print a link that signs the person in, once."""
    moment = now()
    url = people.sign_in_link(email, moment, minutes)
    if as_json:
        print_one({"url": url, "expires": stamp(moment + timedelta(minutes=minutes))}, True)
    else:
        tell(url)


@person.command("list")
@click.option("--admin", is_flag=True, help="Administrators only.")
@paged("email")
@plainly
def list_(admin: bool, limit: int | None, after: str | None, as_json: bool) -> None:
    """People, the newest first."""
    rows = Person.objects.filter(is_admin=True) if admin else Person.objects.all()
    last = _find(after) if after else None
    print_rows((_row(row) for row in page(rows.prefetch_related("addresses"), limit, last)), COLUMNS, as_json)


def _find(email: str) -> Person:
    if found := people.find(email):
        return found
    raise ValueError(f"nobody here has the address {email}")


def _row(found: Person) -> dict[str, Any]:
    addresses = sorted(found.addresses.all(), key=lambda address: (address.verified_at is None, address.id))
    return {"name": found.name, "addresses": [address.email for address in addresses], "admin": found.is_admin, "active": found.is_active, "created": stamp(found.created)}
