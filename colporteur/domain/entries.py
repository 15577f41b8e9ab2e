"""Members as people write them down: one per line (``email Name``), or CSV with a header.

Sources: RFC 4180 (CSV), Plesk and Sympa (one per line), spreadsheets in French (semicolons, Windows-1252, a BOM).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from colporteur.domain.addresses import normal
from colporteur.domain.attributes import Field, Value, value_of
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.words import Invalid, Sentence
from colporteur.domain.words import gettext_noop as _

NAME_LENGTH = 200
# In the order they are believed: "adresse" may well be where somebody lives.
_EMAIL_HEADS = ("email", "e-mail", "email address", "e-mail address", "adresse e-mail", "adresse email", "adresse mail", "courriel", "mail", "address", "adresse")
_NAME_HEADS = ("name", "full name", "nom complet", "display name")
_FIRST_HEADS = ("first name", "firstname", "first_name", "prénom", "prenom", "given name")
_LAST_HEADS = ("last name", "lastname", "last_name", "surname", "nom", "nom de famille", "family name")
HEADS = {"email": _EMAIL_HEADS, "name": _NAME_HEADS, "first_name": _FIRST_HEADS, "last_name": _LAST_HEADS}
"""What a column that names a member may be called, folded, in the order believed."""
_DELIVERY_HEADS = ("delivery", "delivery mode", "réception", "reception", "distribution")
_ANGLES = re.compile(r'^\s*"?([^"<>]*)"?\s*<\s*([^<>\s]+)\s*>\s*$')
_SPACES = re.compile(r"\s+")
_DELIMITERS = (";", ",", "\t")
SAMPLE = 20_000  # characters looked at to know what kind of file it is
_ROWS = 5
_RECORD_LINES = 20  # lines a quoted field may span


class Entry(NamedTuple):
    """One line that can be taken: its number (from 1), the address in normal form, a name or "", how the person receives, ""
    where the line does not say, and values of attributes by their keys."""

    line: int
    email: str
    name: str
    delivery: str = ""
    values: Mapping[str, Value] | None = None


class Refused(NamedTuple):
    """One line that cannot: its number (from 1), the reason in words (a ``Sentence`` where it has values), and the line's beginning."""

    line: int
    reason: str
    text: str


class Entries(NamedTuple):
    """What was read; every line that is neither empty nor a comment is in one of the two."""

    taken: list[Entry]
    refused: list[Refused]


class Columns(NamedTuple):
    """Which column (from 0) holds what; ``head``: the first row names the columns; ``attributes``: those of the list, by key."""

    email: int
    name: int | None = None
    first_name: int | None = None
    last_name: int | None = None
    head: bool = True
    delivery: int | None = None
    attributes: Mapping[str, int] | None = None


class Table(NamedTuple):
    """The first rows of a CSV file; ``columns`` None: its header names no address."""

    delimiter: str
    rows: list[list[str]]
    columns: Columns | None


def decode(raw: bytes) -> str:
    """Text of a file of unknown encoding: UTF-8 or UTF-16 by its mark, UTF-8 when valid, else Windows-1252."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace").removeprefix("\ufeff")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Windows-1252 leaves five bytes undefined; Latin-1 knows them all.
        return raw.decode("cp1252", errors="replace")


def read(text: str, columns: Columns | None = None, fields: Sequence[Field] = ()) -> Entries:
    """Read a whole file: CSV when its first line is a header that names an address column, or when ``columns`` says which is what; else one per line.

    ``fields``: attributes of the list, found by their key or label in the header.
    """
    lines = lines_of(text)
    found = table(text, fields)
    if found and (known := columns or found.columns):
        return _read_csv(lines, found.delimiter, known, fields)
    return of_lines(lines)


def lines_of(text: str) -> list[str]:
    """Lines as an editor counts them."""
    return text.removeprefix("\ufeff").replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines() also splits at U+2028 and others


def table(text: str, fields: Sequence[Field] = ()) -> Table | None:
    """The beginning of a CSV file and what its header says of its columns; None when the first line is one column only."""
    lines = [line for line in lines_of(text[:SAMPLE]) if line.strip()][: _ROWS + 1]
    first = lines[0] if lines else ""
    for delimiter in _DELIMITERS:
        head = [cell.strip().strip('"').strip() for cell in first.split(delimiter)]
        email = _column(head, _EMAIL_HEADS)
        if email is not None:
            named = {field.key: at for field in fields if (at := _column(head, (field.key, field.label.casefold()))) not in (None, email)}
            guess = Columns(email, _column(head, _NAME_HEADS), _column(head, _FIRST_HEADS), _column(head, _LAST_HEADS), True, _column(head, _DELIVERY_HEADS), named)
            return Table(delimiter, _rows(lines, delimiter), guess)
    delimiter = max(_DELIMITERS, key=first.count)
    return Table(delimiter, _rows(lines, delimiter), None) if delimiter in first else None


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    return [[display_name(cell)[:80] for cell in row] for _number, row in csv_rows(lines, delimiter, [])]


def of_lines(lines: Iterable[str]) -> Entries:
    """One entry a line: ``email``, ``email Name``, ``Name <email>``; ``#`` begins a comment line."""
    answer = Entries([], [])
    for number, line in enumerate(lines, 1):
        stripped = line.strip().strip("\ufeff\x00").strip()
        if not stripped or stripped.startswith("#"):
            continue
        if found := _ANGLES.match(stripped):
            name, email = found.groups()
        else:
            email, _space, name = _SPACES.sub(" ", stripped).partition(" ")
            email, name = email.strip(",;"), name.strip(" ,;")
        _sort(answer, number, email, name, stripped)
    return answer


def of_pairs(pairs: Iterable[tuple[str, str]]) -> Entries:
    """Pairs (address, name), numbered from 1."""
    answer = Entries([], [])
    for number, (email, name) in enumerate(pairs, 1):
        _sort(answer, number, email, name, email)
    return answer


def display_name(text: str) -> str:
    """A name fit for a header and a screen: one line, no control or direction-changing characters, bounded."""
    if not text.isprintable():
        text = "".join(" " if character.isspace() else character for character in text if character.isspace() or character.isprintable())
    if "  " in text:
        text = _SPACES.sub(" ", text)
    return unicodedata.normalize("NFC", text).strip(" \"'")[:NAME_LENGTH].strip()


def _read_csv(lines: list[str], delimiter: str, columns: Columns, fields: Sequence[Field]) -> Entries:
    answer = Entries([], [])
    head = columns.head
    asked = [(field, (columns.attributes or {})[field.key]) for field in fields if field.key in (columns.attributes or {})]
    for number, row in csv_rows(lines, delimiter, answer.refused):
        if not any(cell.strip() for cell in row):
            continue
        if head:
            head = False
            continue
        email, name, first, last = (row[column].strip() if column is not None and column < len(row) else "" for column in columns[:4])
        delivery = row[columns.delivery].strip().lower() if columns.delivery is not None and columns.delivery < len(row) else ""
        if found := _ANGLES.match(email):
            name, email = name or found.group(1), found.group(2)
        if delivery and delivery not in list(DeliveryMode):
            answer.refused.append(Refused(number, Sentence(_("%(entry)s is no way to receive: write one of %(known)s"), entry=delivery[:40], known=", ".join(DeliveryMode)), delimiter.join(row)[:80]))
            continue
        try:
            values = {field.key: value for field, at in asked if at < len(row) and (value := value_of(field, row[at])) is not None} if asked else None
        except Invalid as error:
            answer.refused.append(Refused(number, error.sentences[0], delimiter.join(row)[:80]))
        else:
            _sort(answer, number, email, name or f"{first} {last}".strip(), delimiter.join(row), delivery, values)
    answer.refused.sort()
    return answer


def csv_rows(lines: list[str], delimiter: str, refused: list[Refused]) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their first line.

    A quote that never closes, or a field beyond the limit, is refused by its line and reading goes on behind it, so
    that one bad quote never swallows the file.
    """
    position = 0
    while position < len(lines):
        taken, reason = 1, ""
        for length in range(1, min(_RECORD_LINES, len(lines) - position) + 1):
            record = [f"{line}\n" for line in lines[position : position + length]]
            try:
                row = next(csv.reader(record, delimiter=delimiter, strict=True))
            except csv.Error as error:
                if "unexpected end" in str(error):  # the quote may close on the next line
                    reason = _("a quotation mark is opened and never closed")
                    continue
                reason = _("this line cannot be read as CSV")
                break
            taken, reason = length, ""
            yield position + 1, row
            break
        if reason:
            refused.append(Refused(position + 1, reason, lines[position][:80]))
        position += taken


def _column(head: list[str], names: Iterable[str]) -> int | None:
    folded = [unicodedata.normalize("NFC", cell).casefold() for cell in head]
    for name in names:
        if name in folded:
            return folded.index(name)
    return None


def _sort(answer: Entries, number: int, email: str, name: str, text: str, delivery: str = "", values: Mapping[str, Value] | None = None) -> None:
    try:
        answer.taken.append(Entry(number, normal(email), display_name(name), delivery, values))
    except Invalid as error:
        answer.refused.append(Refused(number, error.sentences[0] if email.strip() else _("there is no address on this line"), text[:80]))
