"""``colporteur demo``: fill the installation with demo data."""

from __future__ import annotations

import click

from colporteur.cli.output import now, plainly, tell
from colporteur.flow import demo as flow


@click.command()
@plainly
def demo() -> None:
    """Make the demo data: an organisation, a domain, three lists with members, a moderator, a folder for what is sent; in the site's language where that is given, else in the system's (LANG)."""
    if flow.fill(now()):
        tell(f"Made {flow.ORGANISATION}: {flow.AMAPIENS}, {flow.BUREAU}, {flow.LETTRE}. Its administrator is {flow.ADMINISTRATOR}.")
    else:
        tell("The demo data is there already.")
