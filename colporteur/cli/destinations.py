"""``colporteur destination``: domains that share a provider, their limits, and how they stand."""

from __future__ import annotations

from typing import Any

import click

from colporteur.cli.limits import limit_words, set_or_show, shown
from colporteur.cli.output import BY, json_option, now, page, paged, plainly, print_one, print_rows, stamp, tell
from colporteur.flow import destinations, limits
from colporteur.store.destinations import DestinationGroup

COLUMNS = ("name", "title", "state", "percent", "connections", "limits", "rests_until", "reason")


@click.group()
def destination() -> None:
    """Groups of domains that share a provider, like Gmail or Orange."""


@destination.command("list")
@paged("name")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Groups with their limits and how they stand: sending, slower, resting or paused."""
    destinations.ship()
    print_rows((_row(row) for row in page(DestinationGroup.objects.all(), limit, _find(after) if after else None)), COLUMNS, as_json)


@destination.command()
@click.argument("name")
@json_option
@plainly
def show(name: str, as_json: bool) -> None:
    """One group: its domains, exchangers, limits and state."""
    _print(_find(name), as_json)


@destination.command("set")
@click.argument("name")
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="A recipient domain of the group; several times, they replace what there is.")
@click.option("--exchanger", "exchangers", multiple=True, metavar="NAME", help="What names of its mail exchangers end in; several times.")
@click.option("--connections", type=click.IntRange(0, 1000), help="Copies under way at once in one worker, 0 for any number.")
@click.option("--messages", type=click.IntRange(0, 10_000), help="Messages one connection carries to it before it is ended, 0 for any number.")
@click.option("--on/--off", "enabled", default=None, help="Whether the group counts at all.")
@json_option
@plainly
def set_(name: str, domains: tuple[str, ...], exchangers: tuple[str, ...], connections: int | None, messages: int | None, enabled: bool | None, as_json: bool) -> None:
    """Change a group."""
    found = _find(name)
    given = {"domains": list(domains) or None, "exchangers": list(exchangers) or None, "connections": connections, "messages": messages, "enabled": enabled}
    destinations.change(found, {key: value for key, value in given.items() if value is not None}, now(), BY)
    _print(found, as_json)


@destination.command("limits")
@click.argument("name")
@limit_words
@plainly
def limits_(name: str, rates: tuple[str, ...], none: bool, as_json: bool) -> None:
    """Show or set how much is sent to a group, whatever the way out."""
    set_or_show(limits.of_group(_find(name)), rates, none, as_json)


@destination.command()
@click.argument("name")
@json_option
@plainly
def resume(name: str, as_json: bool) -> None:
    """Send to a resting group again, at its full pace."""
    found = _find(name)
    if not destinations.resume(found, now(), BY):
        raise ValueError(f"{found.title} neither rests nor was slowed down: nothing was changed")
    if as_json:
        _print(_find(name), True)
    else:
        tell(f"mail to {found.title} goes on")


def _find(name: str) -> DestinationGroup:
    destinations.ship()
    if found := DestinationGroup.objects.filter(name=name.strip().lower()).first():
        return found
    raise ValueError(f"there is no group of destinations called {name}; known: {', '.join(DestinationGroup.objects.order_by('name').values_list('name', flat=True))}")


def _print(found: DestinationGroup, as_json: bool) -> None:
    print_one({**_row(found), "domains": found.domains, "exchangers": found.exchangers, "last_success": stamp(found.last_success), "stopped_streams": _stopped(found)}, as_json)


def _stopped(found: DestinationGroup) -> list[dict[str, Any]]:
    rows = found.streams.filter(until__isnull=False).select_related("transport").order_by("transport__name")
    return [{"transport": row.transport.name, "until": stamp(row.until), "why": row.why, "reason": row.reason} for row in rows]


def _row(found: DestinationGroup) -> dict[str, Any]:
    """A group; one that is not resting itself tells of the stream that was stopped, the one that rests longest."""
    resting = found.rests_until if found.rests_until and found.rests_until > now() else None
    stopped = None if resting else found.streams.filter(until__gt=now()).order_by("-until").first()
    return {
        "name": found.name,
        "title": found.title,
        "state": found.state(now()),
        "percent": found.percent,
        "connections": found.connections,
        "messages": found.messages,
        "limits": [limit["limit"] for limit in shown(limits.of_group(found))],
        "rests_until": stamp(stopped.until if stopped else resting),
        "reason": stopped.reason if stopped else found.reason,
    }
