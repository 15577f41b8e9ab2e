"""``colporteur segment``: some of a list's members, by a rule."""

from __future__ import annotations

from typing import TextIO

import click

from colporteur.cli.output import BY, json_option, now, paged, part, plainly, print_one, print_rows, tell
from colporteur.domain.addresses import normal
from colporteur.flow import lists, segments
from colporteur.store.people import Address
from colporteur.store.segments import Segment

COLUMNS = ("name", "members", "words")


@click.group()
def segment() -> None:
    """Some of a list's members, found by a rule each time."""


@segment.command("list")
@click.argument("address")
@paged("name")
@plainly
def list_(address: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """The segments of a list, with how many members each means now."""
    found = lists.find(address)
    rows = [{"name": row.name, "row": row} for row in Segment.objects.filter(list=found).select_related("list").order_by("name")]
    print_rows((segments.as_json(row["row"], count=True) for row in part(rows, "name", limit, after)), COLUMNS, as_json)


@segment.command()
@click.argument("address")
@click.argument("name")
@click.argument("rule", type=click.File("r", encoding="utf-8"), metavar="FILE|-")
@json_option
@plainly
def add(address: str, name: str, rule: TextIO, as_json: bool) -> None:
    """Give a list a segment; its rule is JSON in a file.

    Like {"match": "all", "parts": [{"about": "attribute", "key": "town", "is": "equals", "value": "Rennes"},
    {"about": "since", "is": "within", "value": 30}]}; a part may be a rule itself, and match is all, any or none.
    """
    print_one(segments.as_json(segments.create(lists.find(address), name, rule.read(1_000_000), now(), by=BY), count=True), as_json)


@segment.command()
@click.argument("address")
@click.argument("name")
@click.option("--who", metavar="EMAIL", help="Also whether this address is in it, and why.")
@json_option
@plainly
def show(address: str, name: str, who: str | None, as_json: bool) -> None:
    """One segment: its rule, how many it means now, and the first of them."""
    found = lists.find(address)
    row = segments.find(found, name)
    told = segments.as_json(row, count=True) | {"some": [email for email, _name in segments.some(found, row)]}
    if who:
        there = Address.objects.filter(email=normal(who)).first()
        why = segments.matches(found, row, there) if there else None
        told["who"] = {"address": normal(who), "member": bool(why and why.member), "matches": bool(why and why.matches), "reasons": [{"words": str(one.sentence), "holds": one.holds} for one in why.reasons] if why else []}
    print_one(told, as_json)


@segment.command()
@click.argument("address")
@click.argument("name")
@json_option
@plainly
def delete(address: str, name: str, as_json: bool) -> None:
    """Remove a segment; nobody leaves the list. Refused while a newsletter uses it."""
    row = segments.find(lists.find(address), name)
    segments.delete(row, now(), by=BY)
    if as_json:
        print_one({"name": row.name}, True)
    else:
        tell(f"the segment {row.name} is gone")
