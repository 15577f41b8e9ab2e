"""``colporteur nest``: lists inside lists, and people left out of one."""

from __future__ import annotations

import click

from colporteur.cli.output import BY, complain, json_option, now, plainly, print_one
from colporteur.flow import lists, nesting
from colporteur.store.lists import List


@click.group()
def nest() -> None:
    """Lists inside lists, and people left out of one."""


@nest.command()
@click.argument("outer")
@click.argument("inner")
@click.option("--ask-again", is_flag=True, help="The inner list's own rules decide once more; otherwise one approval covers it.")
@json_option
@plainly
def add(outer: str, inner: str, ask_again: bool, as_json: bool) -> None:
    """Put the list INNER inside the list OUTER: its members receive what OUTER accepts, each once."""
    found = lists.find(outer)
    nesting.put_inside(found, lists.find(inner), now(), by=BY, covers=not ask_again)
    for sentence in lists.warnings(found):
        complain(f"Warning: {sentence}")
    _show(found, as_json)


@nest.command()
@click.argument("outer")
@click.argument("inner")
@json_option
@plainly
def remove(outer: str, inner: str, as_json: bool) -> None:
    """Take the list INNER out of the list OUTER."""
    found = lists.find(outer)
    if not nesting.take_out(found, lists.find(inner), now(), by=BY):
        raise ValueError(f"{inner} does not stand inside {found.address}")
    _show(found, as_json)


@nest.command()
@click.argument("address")
@click.argument("emails", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--readmit", is_flag=True, help="Leave them out no more.")
@json_option
@plainly
def exclude(address: str, emails: tuple[str, ...], readmit: bool, as_json: bool) -> None:
    """Leave people out of a list, whichever way its messages would come to them."""
    found = lists.find(address)
    for email in emails:
        if readmit and not nesting.readmit(found, email, now(), by=BY):
            raise ValueError(f"{email} is not left out of {found.address}")
        if not readmit:
            nesting.exclude(found, email, now(), by=BY)
    _show(found, as_json)


@nest.command()
@click.argument("address")
@json_option
@plainly
def show(address: str, as_json: bool) -> None:
    """Which lists stand inside a list and around it, and who is left out."""
    _show(lists.find(address), as_json)


def _show(found: List, as_json: bool) -> None:
    edges = [{"address": edge.list.address, "approval": "covers" if edge.covers else "ask-again"} for edge in nesting.edges(found)]
    print_one({"address": found.address, "inside": edges, "around": [one.address for one in nesting.around(found)], "excluded": nesting.excluded(found)}, as_json)
