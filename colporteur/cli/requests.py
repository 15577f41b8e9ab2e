"""``colporteur request``: lists that are asked for."""

from __future__ import annotations

from typing import Any

import click

from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp
from colporteur.flow import people, requests
from colporteur.store.requests import ListRequest, RequestState

COLUMNS = ("id", "address", "person", "state", "asked")


@click.group()
def request() -> None:
    """Lists that are asked for, and what is decided about them."""


@request.command()
@click.argument("address")
@click.option("--person", required=True, metavar="EMAIL", help="Who asks; becomes its owner.")
@click.option("--purpose", required=True, help="What the list is for, in words.")
@click.option("--template", default="discussion", show_default=True, help="What kind of list it is.")
@click.option("--title", default="", help="What people read.")
@click.option("--owner", "owners", multiple=True, metavar="EMAIL", help="A further owner; two in all are advised.")
@json_option
@plainly
def add(address: str, person: str, purpose: str, template: str, title: str, owners: tuple[str, ...], as_json: bool) -> None:
    """Ask for a list in somebody's name; the administrators are told by mail."""
    who = people.find(person)
    if who is None:
        raise ValueError(f"nobody here has the address {person}")
    made = requests.ask(who, address, template, purpose, now(), title=title, owners=owners)
    print_one(_row(made), as_json)


@request.command("list")
@click.option("--state", type=click.Choice(list(RequestState.values)), help="Only those.")
@paged("id")
@plainly
def list_(state: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Requests, the newest first."""
    rows = ListRequest.objects.select_related("person", "organisation", "decided_by")
    if state:
        rows = rows.filter(state=state)
    print_rows((_row(row) for row in page(rows, limit, _find(after) if after else None)), COLUMNS, as_json)


@request.command()
@click.argument("number", metavar="ID")
@json_option
@plainly
def show(number: str, as_json: bool) -> None:
    """One request."""
    print_one(_row(_find(number)), as_json)


@request.command()
@click.argument("number", metavar="ID")
@click.option("--reason", default="", help="A word to who asked.")
@json_option
@plainly
def activate(number: str, reason: str, as_json: bool) -> None:
    """Activate the list: it takes members and messages from now on."""
    _decide(number, True, reason, as_json)


@request.command()
@click.argument("number", metavar="ID")
@click.option("--reason", default="", help="Why; sent to who asked.")
@json_option
@plainly
def refuse(number: str, reason: str, as_json: bool) -> None:
    """Refuse the list; who asked is told why."""
    _decide(number, False, reason, as_json)


def _decide(number: str, wanted: bool, reason: str, as_json: bool) -> None:
    decided = requests.decide(_find(number).pk, wanted, now(), by=BY, reason=reason)
    if not decided.won:
        raise ValueError(f"request {number} was already decided: {decided.request.state}")
    print_one(_row(decided.request), as_json)


def _find(number: str) -> ListRequest:
    found = ListRequest.objects.select_related("person", "organisation", "decided_by").filter(pk=int(number)).first() if number.isascii() and number.isdigit() and len(number) < 16 else None
    if found is None:
        raise ValueError(f"there is no request {number}")
    return found


def _row(found: ListRequest) -> dict[str, Any]:
    return {
        "id": found.pk, "address": found.address, "title": found.title, "template": found.template, "purpose": found.purpose, "person": found.person.primary_email, "organisation": found.organisation.name,
        "state": found.state, "reason": found.reason, "asked": stamp(found.asked_at), "decided": stamp(found.decided_at), "decided_by": str(found.decided_by) if found.decided_by else None,
    }  # fmt: skip
