"""``colporteur policy``: settings above the lists, of the site, an organisation or a domain."""

from __future__ import annotations

import click

from colporteur.cli.output import BY, json_option, now, pairs, plainly, print_rows
from colporteur.domain.policy import OPTIONS
from colporteur.flow import organisations, policies
from colporteur.flow.policies import Place

COLUMNS = ("key", "value")


@click.group()
def policy() -> None:
    """Settings that hold for every list of the site, an organisation or a domain."""


@policy.command()
@click.argument("place")
@json_option
@plainly
def show(place: str, as_json: bool) -> None:
    """What is set for PLACE: site, the name of an organisation, or @example.org."""
    _show(_place(place), as_json)


@policy.command("set")
@click.argument("place")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--inherit", multiple=True, metavar="KEY", help="Go back to the inherited value; may be repeated.")
@json_option
@plainly
def set_(place: str, values: tuple[str, ...], inherit: tuple[str, ...], as_json: bool) -> None:
    """Change settings of PLACE: site, the name of an organisation, or @example.org. All of them change or none."""
    found = _place(place)
    wanted: dict[str, str | None] = dict(pairs(values))
    wanted |= dict.fromkeys((key.strip().replace("-", "_") for key in inherit), None)
    if not wanted:
        raise ValueError("say what to change: KEY=VALUE, or --inherit KEY")
    policies.set_policy(found, wanted, BY, now())
    _show(found, as_json)


def _place(name: str) -> Place:
    if name == "site":
        return policies.site()
    return organisations.find_domain(name[1:]) if name.startswith("@") else organisations.find(name)


def _show(place: Place, as_json: bool) -> None:
    print_rows(({"key": key, "value": place.policy[key]} for key in OPTIONS if key in place.policy), COLUMNS, as_json)
