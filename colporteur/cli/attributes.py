"""``colporteur attribute``: what a list knows of its members."""

from __future__ import annotations

import click

from colporteur.cli.output import BY, json_option, now, paged, pairs, part, plainly, print_one, print_rows, tell
from colporteur.domain.addresses import normal
from colporteur.domain.attributes import AttributeKind, values_of
from colporteur.flow import attributes, lists
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.segments import Attribute

COLUMNS = ("key", "label", "kind", "choices", "asked", "required")


def _find(list_: List, key: str) -> Attribute:
    row = Attribute.objects.filter(list=list_, key=key.strip().lower()).select_related("list").first()
    if row is None:
        raise ValueError(f"{list_.address} has no attribute {key!r}: `attribute list` says which there are")
    return row


@click.group()
def attribute() -> None:
    """What a list knows of its members beyond the address."""


@attribute.command("list")
@click.argument("address")
@paged("key")
@plainly
def list_(address: str, limit: int | None, after: str | None, as_json: bool) -> None:
    """The attributes of a list, in their order."""
    rows = [attributes.as_json(row) for row in attributes.of_list(lists.find(address))]
    print_rows(part(rows, "key", limit, after), COLUMNS, as_json)


@attribute.command()
@click.argument("address")
@click.argument("label")
@click.option("--key", default="", help="Its name in files, segments and newsletters; made of the label when not given.")
@click.option("--kind", type=click.Choice([kind.value for kind in AttributeKind]), default=AttributeKind.TEXT.value, show_default=True, help="What values it takes.")
@click.option("--choice", "choices", multiple=True, metavar="TEXT", help="One of the choices; give it several times.")
@click.option("--asked", is_flag=True, help="Ask for it on the public form and on members' own page.")
@click.option("--required", is_flag=True, help="It must be answered on the public form.")
@json_option
@plainly
def add(address: str, label: str, key: str, kind: str, choices: tuple[str, ...], asked: bool, required: bool, as_json: bool) -> None:
    """Let a list know something of its members; LABEL is what people are asked."""
    row = attributes.define(lists.find(address), now(), by=BY, label=label, key=key, kind=kind, choices=choices, asked=asked or required, required=required)
    print_one(attributes.as_json(row), as_json)


@attribute.command("set")
@click.argument("address")
@click.argument("email")
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@plainly
def set_(address: str, email: str, values: tuple[str, ...], as_json: bool) -> None:
    """What is known of one member; an empty value takes it away."""
    found = lists.find(address)
    member = Membership.objects.filter(list=found, address__email=normal(email), until__isnull=True).select_related("address").first()
    if member is None:
        raise ValueError(f"{normal(email)} is not a member of {found.address}")
    said, fields = pairs(values), attributes.fields_of(found)
    for key in said:
        _find(found, key)
    attributes.write(found, member.address, values_of(fields, said), now(), by=BY)
    print_one({"address": member.email, **attributes.values_of(found, [member.address_id]).get(member.address_id, {})}, as_json)


@attribute.command()
@click.argument("address")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@plainly
def delete(address: str, key: str, yes: bool, as_json: bool) -> None:
    """Forget an attribute and what was known by it; nothing brings it back."""
    row = _find(lists.find(address), key)
    if not yes:
        click.confirm(f"Forget {row.label!r} of every member of {row.list.address}?", abort=True)
    n = attributes.delete(row, now(), by=BY)
    if as_json:
        print_one({"key": key, "values": n}, True)
    else:
        tell(f"{row.label} is gone, with the values of {n} members")
