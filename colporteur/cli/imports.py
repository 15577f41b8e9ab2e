"""``colporteur import``: moving in from SPIP and other newsletter tools."""

from __future__ import annotations

from pathlib import Path

import click

from colporteur.cli.output import BY, complain, json_option, now, plainly, print_one, progress, tell
from colporteur.domain.addresses import normal
from colporteur.domain.imports.tables import FIELDS
from colporteur.flow.imports import sheets
from colporteur.flow.imports import spip as of_spip
from colporteur.flow.imports.account import Report

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Do everything, say what came of it, and take it back.")


@click.group("import")
def import_() -> None:
    """Move in from other systems. Nobody is written to."""


@import_.command()
@_FILE
@_DRY_RUN
@click.option("--domain", metavar="DOMAIN", help="Domain that takes the lists; needed when there are several.")
@click.option("--prefix", metavar="PREFIX", help="Only the tables that begin so; found by itself when the file holds one site.")
@click.option("--owner", metavar="EMAIL", help="Who owns the lists; else an administrator of this installation, or the webmaster of the site.")
@click.option("--source", metavar="NAME", help="What the site is called among imports, by its own address otherwise: what was imported under that name is not imported again.")
@click.option("--keys", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The site's config/cles.php (SPIP 4.1 and later): with it the links to unsubscribe in newsletters it sent go on to work here.")
@json_option
@plainly
def spip(file: Path, dry_run: bool, domain: str | None, prefix: str | None, owner: str | None, source: str | None, keys: Path | None, as_json: bool) -> None:
    """Import the newsletters of a SPIP site: a MySQL dump (.sql, .sql.gz) or SPIP's own backup (.sqlite).

    Mailshot, Mailsubscribers, Newsletters, SPIP-Listes, SPIP-Lettres, CleverMail and MesAbonnés are read. Run again, it takes only
    what is new.
    """
    with progress(file.stat().st_size, "Reading") as told:
        wanted = of_spip.File(file, domain, prefix, normal(owner) if owner else None, source, keys)
        report = of_spip.run(wanted, now(), by=BY, dry_run=dry_run, progress=told)
    _print(report, dry_run, as_json)


@import_.command("csv")
@_FILE
@_DRY_RUN
@click.option("--list", "list_address", required=True, metavar="ADDRESS", help="List the subscribers come to.")
@click.option("--map", "mapped", multiple=True, metavar="COLUMN=FIELD", help=f"What a column means, several times: {', '.join(FIELDS)}, the key of an attribute, or - for nothing.")
@json_option
@plainly
def csv_(file: Path, dry_run: bool, list_address: str, mapped: tuple[str, ...], as_json: bool) -> None:
    """Import subscribers from the CSV file of any newsletter tool (Mailchimp, Brevo, listmonk, Sendy, phpList, Keila ...).

    Who left over there counts as having left here, who bounced is not written to, who never confirmed is not taken.
    """
    chosen = {}
    for text in mapped:
        column, equals, field = text.rpartition("=")
        if not equals:
            raise ValueError(f"write COLUMN=FIELD, not {text!r}")
        chosen[column] = field.strip()
    _print(sheets.run(file, list_address, now(), by=BY, chosen=chosen, dry_run=dry_run), dry_run, as_json)


def _print(report: Report, dry_run: bool, as_json: bool) -> None:
    whole = report.as_dict()
    if as_json:
        print_one(whole, True)
        return
    for name, table in whole["tables"].items():
        tell(f"{name}: {table['read']} rows read, {table['taken']} taken")
        for why, number in table["skipped"].items():
            tell(f"  {number} skipped: {why}")
    counts = ", ".join(f"{whole[name]} {name}" for name in whole if name not in ("tables", "notes"))
    tell(f"{'It would make' if dry_run else 'Made'}: {counts}")
    for note in whole["notes"]:
        complain(f"note: {note}")
