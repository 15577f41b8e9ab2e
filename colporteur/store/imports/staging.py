"""Rows of a foreign file in temporary tables of this connection: checked text by column, to be worked on set by set."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from colporteur.domain.addresses import normal
from colporteur.domain.imports import spip
from colporteur.domain.imports.texts import moment, number

_TYPES = {"n": "bigint", "m": "timestamp", "e": "text", "": "text"}
_FLUSH = 4 << 20  # characters waiting to be written
_TABLES_MOST = 2000
_SPECIAL = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass
class Staged:
    """One table of the file. ``unreadable``: rows that could not be read at all; ``passed``: of ``meta``, settings nobody needs."""

    table: str
    prefix: str
    base: str
    columns: set[str]
    at: str
    read: int = 0
    unreadable: int = 0
    passed: int = 0
    waiting: list[str] = field(default_factory=list)
    size: int = 0


class Staging:
    """Takes the rows of a file, whatever site they are of, and then shows those of one site as ``raw_<table>``."""

    def __init__(self, prefix: str | None) -> None:
        self.prefix, self.tables = prefix, dict[str, Staged]()
        self.doubled: list[Staged] = []  # of the site, under a name that was given up while the new one is there

    def wants(self, table: str) -> bool:
        """Whether rows of this table are read."""
        found = spip.split(table)
        return found is not None and (self.prefix is None or found[0] == self.prefix)

    def take(self, table: str, names: Sequence[str], rows: Iterable[Sequence[str | None]], unreadable: int = 0) -> int:
        """Rows of a table, values in the order of ``names``; how many."""
        staged = self.tables.get(table) or self._begin(table, names)
        staged.unreadable += unreadable
        staged.read += unreadable
        before = staged.read
        for line in _lines(staged, names, rows):
            staged.waiting.append(line)
            staged.size += len(line)
            if staged.size > _FLUSH:
                _write(staged)
        return staged.read - before

    def finish(self) -> tuple[str, list[Staged]]:
        """The prefix of the site and its tables. Raises ``ValueError`` when no site, or several, are in the file."""
        for staged in self.tables.values():
            _write(staged)
        prefix = spip.prefix_of(((one.prefix, one.base, one.columns) for one in self.tables.values()), self.prefix)
        found: dict[str, Staged] = {}
        with connection.cursor() as cursor:
            for staged in sorted(self.tables.values(), key=lambda one: one.base in spip.OLD_NAMES):
                base = spip.OLD_NAMES.get(staged.base, staged.base)
                if staged.prefix != prefix or base in found:
                    cursor.execute(f"DROP TABLE {staged.at}")
                    self.doubled += [staged] if staged.prefix == prefix else []
                else:
                    cursor.execute(f"ALTER TABLE {staged.at} RENAME TO raw_{base}")
                    found[base] = staged
            for base in spip.TABLES:
                if base not in found:
                    _create(f"raw_{base}", base)
                cursor.execute(f"ANALYZE raw_{base}")
        return prefix, list(found.values())

    def _begin(self, table: str, names: Collection[str]) -> Staged:
        prefix, base = spip.split(table) or ("", "")
        if len(self.tables) >= _TABLES_MOST:
            raise ValueError("there are too many tables of newsletters in this file: say which site with --prefix")
        staged = self.tables[table] = Staged(table, prefix, base, set(names), f"staged_{len(self.tables)}")
        _create(staged.at, spip.OLD_NAMES.get(base, base))
        return staged


def begin() -> None:
    """Nothing of an import before on this connection is there any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' AND (relname LIKE 'raw\\_%' OR relname LIKE 'staged\\_%' OR relname LIKE 'im\\_%')")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TABLE pg_temp."{name}"')


def _create(name: str, base: str) -> None:
    parts = ["nr bigint"]
    for column in spip.columns(base):
        parts.append(f'"{column.name}" {_TYPES[column.kind]}')
        if column.kind == "e":
            parts.append("written text")  # the address as it stands there
    if base in spip.OPEN_ENDED:
        parts.append("extra jsonb")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE {name} ({', '.join(parts)})")


def _lines(staged: Staged, names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Iterable[str]:
    """Rows as COPY's text reads them."""
    base = spip.OLD_NAMES.get(staged.base, staged.base)
    wanted = spip.columns(base)
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    kinds = [(place.get(column.name), column.kind) for column in wanted]
    known = {column.name for column in wanted}
    more = [(name, number) for name, number in place.items() if name not in known and spip.attribute_key(name)] if base in spip.OPEN_ENDED else []
    settings = place.get("nom") if base == "meta" else None
    for row in rows:
        staged.read += 1
        if settings is not None and row[settings] not in spip.SETTINGS:
            staged.passed += 1
            continue
        cells = [str(staged.read)]
        for at, kind in kinds:
            cells += _CELLS[kind](None if at is None else row[at])
        if base in spip.OPEN_ENDED:
            cells += _text(json.dumps({spip.attribute_key(name): value[:2000] for name, at in more if (value := row[at])}, ensure_ascii=False))
        yield "\t".join(cells) + "\n"


def _text(value: str | None) -> list[str]:
    return ["\\N" if value is None else value.translate(_SPECIAL)]


def _moment(value: str | None) -> list[str]:
    return [moment(value) or "\\N"] if value else ["\\N"]


def _number(value: str | None) -> list[str]:
    return [number(value) or "\\N"] if value else ["\\N"]


def _address(value: str | None) -> list[str]:
    written = " ".join((value or "").split())
    try:
        found = normal(written).translate(_SPECIAL)
    except ValueError:
        found = "\\N"
    return [found, written[:320].translate(_SPECIAL)]


_CELLS = {"": _text, "m": _moment, "n": _number, "e": _address}


def _write(staged: Staged) -> None:
    if staged.waiting:
        with connection.cursor() as cursor, cursor.copy(f"COPY {staged.at} FROM STDIN") as copy:
            copy.write("".join(staged.waiting))
        staged.waiting, staged.size = [], 0
