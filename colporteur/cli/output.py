"""What the commands share: printing one thing or many, as a table or as JSON, dates, paging, and errors in one line."""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import click
from django.db.models import Model, QuerySet
from django.utils import timezone

from colporteur.web.saying import said

BY = "command line"
"""Who did it, in the journal, when it was done by a command."""

Command = TypeVar("Command", bound=Callable[..., Any])
Row = TypeVar("Row", bound=Model)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
_limit_option = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many.")


def paged(what: str) -> Callable[[Command], Command]:
    """``--limit``, ``--after`` (the ``what`` of the last row seen) and ``--json`` for a command that lists things."""
    after = click.option("--after", metavar=what.upper(), help=f"Only what comes after this {what} in the list.")
    return lambda command: _limit_option(after(json_option(command)))


def part(rows: Sequence[dict[str, Any]], what: str, limit: int | None, after: str | None) -> Sequence[dict[str, Any]]:
    """The rows a command ``paged`` by ``what`` prints, of few. Raises ``ValueError`` when no row is called ``after``."""
    places = [number for number, row in enumerate(rows) if row[what] == after] if after else [-1]
    if not places:
        raise ValueError(f"there is no {what} {after!r} in the list")
    return rows[places[-1] + 1 :][:limit]


def plainly(command: Command) -> Command:
    """A wrong input (``ValueError`` of the floors below) becomes one line on stderr and status 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ValueError as error:
            raise click.ClickException(_printable(said(error))) from error

    return wrapped  # type: ignore[return-value]


def pairs(values: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` words; a hyphen in a key is an underscore. Raises ``ValueError`` for a word without ``=``."""
    found = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"write KEY=VALUE, not {text!r}")
        found[key.strip().replace("-", "_")] = value
    return found


def now() -> datetime:
    """The moment of this command."""
    return timezone.now()


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 with offset, in the installation's time zone; None stays None."""
    return timezone.localtime(moment).isoformat(timespec="seconds") if moment else None


def newest(rows: QuerySet[Row], limit: int | None, last: Row | None) -> QuerySet[Row]:
    """Newest first by id: the whole of it, or ``limit`` of those that come after ``last``."""
    rows = rows.order_by("-id")
    if last is not None:
        rows = rows.filter(pk__lt=last.pk)
    return rows[:limit]


def page(rows: QuerySet[Row], limit: int | None, last: Row | None) -> Iterator[Row]:
    """``newest``, fetched 2,000 at a time."""
    return newest(rows, limit, last).iterator(chunk_size=2000)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print many: an array of whole objects, or a table of ``columns``; row by row, however many there are."""
    if as_json:
        click.echo("[", nl=False)
        for number, row in enumerate(rows):
            click.echo(f"{',' if number else ''}\n  {_json(row)}", nl=False)
        click.echo("\n]")
        return
    rest = ([_cell(row.get(column)) for column in columns] for row in rows)
    first = list(itertools.islice(rest, 200))  # widths follow the first rows; a longer cell later only shifts its line
    widths = [max((len(cell) for cell in column), default=0) for column in zip(columns, *first, strict=True)]
    for cells in itertools.chain([columns] if first else [], first, rest):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def print_one(thing: Mapping[str, Any], as_json: bool) -> None:
    """Print one object: as JSON, or one ``field: value`` a line."""
    if as_json:
        click.echo(_json(thing, indent=2))
        return
    width = max(len(field) for field in thing)
    for field, value in thing.items():
        if isinstance(value, list) and value and not isinstance(value[0], str):
            click.echo(f"{field}:")
            for item in value:
                click.echo(f"  {_cell(item)}")
        else:
            click.echo(f"{field.ljust(width)}  {_cell(value)}".rstrip())


def tell(sentence: str) -> None:
    """One line about what was done, on stdout."""
    click.echo(_printable(sentence))


def complain(sentence: str) -> None:
    """One line about what went wrong, on stderr."""
    click.echo(_printable(sentence), err=True)


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for long work, on a terminal only; the function given is told how many are done."""
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=length < 5000 or not sys.stderr.isatty()) as bar:
        yield lambda done: bar.update(done - bar.pos)


def _json(value: Any, indent: int | None = None) -> str:
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    return json.dumps(value, ensure_ascii=plain, indent=indent, default=str)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "  ".join(f"{name}={_cell(item)}" for name, item in value.items() if item not in (None, "", [], {}))
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value) or "-"
    return _printable(str(value))


def _printable(text: str) -> str:
    """Foreign text must not move the cursor or colour the terminal."""
    return text if text.isprintable() else "".join(character if character.isprintable() else "·" for character in text)
