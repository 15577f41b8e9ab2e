"""``colporteur template``: kinds of list, shipped and made here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from colporteur.cli.output import BY, json_option, now, paged, pairs, part, plainly, print_one, print_rows, tell
from colporteur.domain.templates import TEMPLATES
from colporteur.flow import organisations, policies, templates
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Organisation
from colporteur.store.templates import OwnTemplate

COLUMNS = ("id", "title", "organisation", "lists", "sentence")


@click.group()
def template() -> None:
    """Templates: kinds of list and the values they set."""


@template.command("list")
@paged("id")
@plainly
def list_(limit: int | None, after: str | None, as_json: bool) -> None:
    """Every template: those made here, the newest first, then the shipped ones."""
    print_rows(part(list(_rows()), "id", limit, after), COLUMNS, as_json)


@template.command()
@click.argument("key", metavar="ID")
@json_option
@plainly
def show(key: str, as_json: bool) -> None:
    """One template with the values it sets."""
    found = next((row for row in _rows() if row["id"] == key), None)
    if found is None:
        raise ValueError(f"there is no template {key}")
    print_one(found, as_json)


@template.command()
@click.argument("title")
@click.option("--from", "based_on", default="discussion", show_default=True, metavar="ID", help="Begin with the values of this template.")
@click.option("--organisation", metavar="ORG", help="For the lists of this organisation only.")
@click.option("--sentence", default="", help="What it is for.")
@click.option("--id", "key", default="", help="What commands call it; made from the title.")
@json_option
@plainly
def add(title: str, based_on: str, organisation: str | None, sentence: str, key: str, as_json: bool) -> None:
    """Make a template from another one."""
    whose = organisations.find(organisation) if organisation else None
    made = templates.make(title, based_on, now(), by=BY, organisation=whose, sentence=sentence, key=key)
    print_one(_own(made), as_json)


@template.command("set")
@click.argument("key", metavar="ID")
@click.argument("values", nargs=-1, metavar="KEY=VALUE...")
@click.option("--inherit", multiple=True, metavar="KEY", help="Say nothing about it any more; may be repeated.")
@json_option
@plainly
def set_(key: str, values: tuple[str, ...], inherit: tuple[str, ...], as_json: bool) -> None:
    """Change values of a template made here; its lists follow where they have no value of their own."""
    found = templates.find(key)
    wanted: dict[str, str | None] = {**pairs(values), **dict.fromkeys((name.strip().replace("-", "_") for name in inherit), None)}
    if not wanted:
        raise ValueError("say what to change: KEY=VALUE, or --inherit KEY")
    policies.set_policy(found, wanted, BY, now())
    print_one(_own(found), as_json)


@template.command()
@click.argument("key", metavar="ID")
@json_option
@plainly
def delete(key: str, as_json: bool) -> None:
    """Delete a template made here that no list follows."""
    found = templates.find(key)
    row = _own(found)
    templates.delete(found, now(), by=BY)
    if as_json:
        print_one(row, True)
    else:
        tell(f"the template {key} is deleted")


def _rows() -> Iterator[dict[str, Any]]:
    for found in OwnTemplate.objects.select_related("organisation").order_by("-id"):
        yield _own(found)
    for shipped in TEMPLATES.values():
        yield {"id": shipped.id, "title": shipped.title, "sentence": shipped.sentence, "organisation": None, "shipped": True, "lists": _lists(shipped.id), "policy": shipped.policy}


def _own(found: OwnTemplate) -> dict[str, Any]:
    organisation: Organisation | None = found.organisation
    return {"id": found.key, "title": found.title, "sentence": found.sentence, "organisation": organisation.name if organisation else None, "shipped": False, "lists": _lists(found.key), "policy": found.policy}


def _lists(key: str) -> int:
    return List.objects.filter(template=key).exclude(state=ListState.DELETED).count()
