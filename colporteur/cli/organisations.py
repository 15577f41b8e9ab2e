"""``colporteur organisation``: what all lists of an organisation may send together."""

from __future__ import annotations

import click

from colporteur.cli.limits import limit_words, set_or_show
from colporteur.cli.output import plainly
from colporteur.flow import limits
from colporteur.store.organisations import Organisation


@click.group()
def organisation() -> None:
    """Organisations and what they may send."""


@organisation.command("limits")
@click.argument("name")
@limit_words
@plainly
def limits_(name: str, rates: tuple[str, ...], none: bool, as_json: bool) -> None:
    """Show or set how much the lists of an organisation send together."""
    found = Organisation.objects.filter(name=name).first()
    if found is None:
        raise ValueError(f"there is no organisation called {name!r}")
    set_or_show(limits.of_organisation(found), rates, none, as_json)
