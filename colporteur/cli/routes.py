"""Routes on the command line: the same two things for a list, a domain, an organisation and the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from colporteur.cli.output import BY, json_option, now, print_one
from colporteur.domain.routes import Step, read, text_of
from colporteur.flow import routes, transports
from colporteur.flow.routes import Place
from colporteur.store.lists import List
from colporteur.store.transports import Transport

Command = TypeVar("Command", bound=Callable[..., Any])


def route_words(command: Command) -> Command:
    """The words of a route, ``--inherit`` and ``--json``."""
    words = click.argument("words", nargs=-1, metavar="[TRANSPORT[:WEIGHT]... [/ TRANSPORT...]]")
    inherit = click.option("--inherit", is_flag=True, help="Forget the route set here and leave by the inherited one.")
    return words(inherit(json_option(command)))


def set_or_show(place: Place, name: str, words: tuple[str, ...], inherit: bool, as_json: bool) -> None:
    """Set the route of a place when there are words or ``inherit``; print what holds. Raises ``ValueError``."""
    if words and inherit:
        raise ValueError("write a route, or --inherit, not both")
    if words or inherit:
        routes.set_route(place, read(words), now(), by=BY)
    print_one({"place": name, **(_of_list(place) if isinstance(place, List) else _above(place))}, as_json)


def _of_list(list_: List) -> dict[str, Any]:
    route = routes.route_of(list_)
    return {"route": route.text, "from": route.origin.value, "inherited": route.inherited.text if route.inherited else None, "steps": _steps(route.steps, route.transports)}


def _above(place: Place) -> dict[str, Any]:
    steps = routes.own_steps(place)
    known = Transport.objects.in_bulk([step.transport for step in steps])
    return {"route": text_of([step._replace(transport=known[step.transport].name) for step in steps]), "steps": _steps(steps, known)}


def _steps(steps: tuple[Step, ...], known: dict[int, Transport]) -> list[dict[str, Any]]:
    return [
        {"transport": known[step.transport].name, "rank": step.rank, "weight": step.weight, "enabled": known[step.transport].enabled, "health": transports.health(known[step.transport])} for step in steps
    ]
