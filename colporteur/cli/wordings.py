"""``colporteur wording``: own texts of letters and footers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

import click

from colporteur import notices
from colporteur.cli.output import BY, json_option, now, paged, part, plainly, print_one, print_rows
from colporteur.flow import lists, organisations, wordings
from colporteur.store.wordings import Place


def placed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whose texts are meant: one of three options, the site's without."""
    for name, sentence in (("organisation", "Texts of this organisation."), ("domain", "Texts of this domain."), ("list", "Texts of the list with this address.")):
        command = click.option(f"--{name}", f"{name}_", metavar=name.upper(), help=sentence)(command)
    return command


in_language = click.option("--language", type=click.Choice(notices.LANGUAGES), required=True, help="Language of the text.")


@click.group()
def wording() -> None:
    """Own texts of letters and of the footer (the letter called "footer"); of the site unless said otherwise."""


@wording.command("list")
@placed
@paged("letter")
@plainly
def list_texts(list_: str | None, domain_: str | None, organisation_: str | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Every letter that can be rewritten there, and in which languages it is."""
    place = _place(list_, domain_, organisation_)
    own = wordings.rewritten(place)
    rows = [{"letter": name, "rewritten": [language for language in notices.LANGUAGES if (name, language) in own], "fields": list(notices.NOTICES.get(name, ()))} for name in wordings.names(place)]
    print_rows(part(rows, "letter", limit, after), ("letter", "rewritten"), as_json)


@wording.command()
@click.argument("letter")
@in_language
@placed
@click.option("--preview", is_flag=True, help="Filled with data of the place.")
@json_option
@plainly
def show(letter: str, language: str, list_: str | None, domain_: str | None, organisation_: str | None, preview: bool, as_json: bool) -> None:
    """The text that holds, and where it comes from."""
    place = _place(list_, domain_, organisation_)
    print_one(_row(place, letter, language, preview), as_json)


@wording.command("set")
@click.argument("letter")
@in_language
@placed
@click.option("--subject", default="", help="Subject of the letter; a footer has none.")
@click.option("--text", "file", type=click.File("r", encoding="utf-8"), required=True, metavar="FILE", help="The text; - reads standard input.")
@json_option
@plainly
def set_(letter: str, language: str, list_: str | None, domain_: str | None, organisation_: str | None, subject: str, file: TextIO, as_json: bool) -> None:
    """Rewrite a text. Fields are written {{ field }} in letters, {field} in the footer."""
    place = _place(list_, domain_, organisation_)
    wordings.rewrite(place, letter, language, subject, file.read(), now(), by=BY)
    print_one(_row(place, letter, language), as_json)


@wording.command()
@click.argument("letter")
@in_language
@placed
@json_option
@plainly
def reset(letter: str, language: str, list_: str | None, domain_: str | None, organisation_: str | None, as_json: bool) -> None:
    """Go back to the inherited text."""
    place = _place(list_, domain_, organisation_)
    wordings.reset(place, letter, language, now(), by=BY)
    print_one(_row(place, letter, language), as_json)


def _place(list_: str | None, domain: str | None, organisation: str | None) -> Place | None:
    if sum(bool(name) for name in (list_, domain, organisation)) > 1:
        raise ValueError("name one of --list, --domain and --organisation")
    if list_:
        return lists.find(list_)
    return organisations.find_domain(domain) if domain else organisations.find(organisation) if organisation else None


def _row(place: Place | None, letter: str, language: str, preview: bool = False) -> dict[str, Any]:
    found = wordings.current(place, letter, language)
    texts = wordings.preview(place, letter, language, found.texts, now()) if preview else found.texts
    origin = "standard" if found.shipped else str(found.origin) if found.origin else "site"
    return {"letter": letter, "language": language, "origin": origin, "subject": texts.subject.strip(), "text": texts.text}
