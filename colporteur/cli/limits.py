"""Limits on the command line: the same for a transport, its account, an organisation, a list and a group of destinations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from colporteur.cli.output import BY, json_option, now, print_one
from colporteur.domain.pacing import Rate, read_rates
from colporteur.flow import limits
from colporteur.flow.limits import Thing

Command = TypeVar("Command", bound=Callable[..., Any])


def limit_words(command: Command) -> Command:
    """``--set RATE`` (several times), ``--none`` and ``--json``."""
    chosen = click.option("--set", "rates", multiple=True, metavar="RATE", help="A limit, like 200/hour, 2000/day or 30/15 minutes; several times for several. They replace what there is.")
    none = click.option("--none", is_flag=True, help="No limit any more.")
    return chosen(none(json_option(command)))


def set_or_show(thing: Thing, rates: Sequence[str], none: bool, as_json: bool) -> None:
    """Set limits when some are given; print what holds. Raises ``ValueError``."""
    wanted = read_all(rates, none)
    if wanted is not None:
        limits.change(thing, wanted, now(), BY)
    print_one({thing.kind: thing.name, "limits": shown(thing)}, as_json)


def read_all(rates: Sequence[str], none: bool) -> tuple[Rate, ...] | None:
    """The limits meant; None, nothing is to be changed. Raises ``ValueError``."""
    if rates and none:
        raise ValueError("write --set or --none, not both")
    return read_rates("\n".join(rates)) if rates or none else None


def shown(thing: Thing | None) -> list[dict[str, Any]]:
    """Limits with what was used of them in the window that ends now."""
    return [{"limit": str(limit.rate), "used": limit.used, "profile": limit.profile or None} for limit in limits.show(thing)]
