"""``colporteur role``: who owns, moderates and may write to a list."""

from __future__ import annotations

import click

from colporteur.cli.output import BY, json_option, now, paged, part, plainly, print_rows
from colporteur.flow import lists, roles
from colporteur.store.lists import List, RoleKind

KINDS = {kind.value.removesuffix("_sender"): kind for kind in RoleKind}
COLUMNS = ("role", "address", "name")

_kind = click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="Which role; free: writes without waiting, allowed: where there is one only these may write, refused: may not write.")


@click.group()
def role() -> None:
    """Who owns, moderates and may write to a list."""


@role.command()
@click.argument("address")
@click.argument("who", nargs=-1, required=True, metavar="WHO...")
@_kind
@json_option
@plainly
def add(address: str, who: tuple[str, ...], kind: str, as_json: bool) -> None:
    """Give a role. WHO is an e-mail address, the address of a list for all its members, or @example.org for a whole
    domain (senders only)."""
    found = lists.find(address)
    for one in who:
        roles.give(found, one, KINDS[kind], now(), by=BY)
    _warn(found)
    _show(found, as_json)


@role.command()
@click.argument("address")
@click.argument("who", nargs=-1, required=True, metavar="WHO...")
@_kind
@json_option
@plainly
def remove(address: str, who: tuple[str, ...], kind: str, as_json: bool) -> None:
    """Take a role away. A list always keeps one owner."""
    found = lists.find(address)
    for one in who:
        if not roles.take(found, one, KINDS[kind], now(), by=BY):
            raise ValueError(f"{one} is no {kind} of {found.address}")
    _warn(found)
    _show(found, as_json)


@role.command("list")
@click.argument("address")
@paged("address")
@plainly
def list_(address: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """Everybody with a role on a list."""
    print_rows(part(_rows(lists.find(address)), "address", limit, after), COLUMNS, as_json)


@role.command("hand-over")
@click.argument("address")
@click.argument("before", metavar="FROM")
@click.argument("after", metavar="TO")
@json_option
@plainly
def hand_over(address: str, before: str, after: str, as_json: bool) -> None:
    """Make TO an owner in the place of FROM, in one step."""
    found = lists.find(address)
    roles.hand_over(found, before, after, now(), by=BY)
    _show(found, as_json)


def _warn(found: List) -> None:
    for sentence in lists.warnings(found):
        click.echo(f"Warning: {sentence}", err=True)


def _rows(found: List) -> list[dict[str, str]]:
    return [{"role": holder.kind.value, "address": holder.email, "name": holder.name} for holder in roles.of(found)]


def _show(found: List, as_json: bool) -> None:
    print_rows(_rows(found), COLUMNS, as_json)
