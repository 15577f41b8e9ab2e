"""What a list knows of its members beyond the address: the keys, and the values each kind takes.

Sources: RFC 3339 section 5.6 (dates); spreadsheets in French (14/07/2026, 3,5, oui).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

KEY_LENGTH = 40
VALUE_LENGTH = 500
CHOICES = 100
MOST = 50
"""Attributes of one list."""

RESERVED = frozenset("email name first_name last_name lists lang status url_unsubscribe url_preferences url_web delivery since line website words".split())
"""Names of what every newsletter can say of its reader, and of columns and fields that are something else."""

_KEY = re.compile(r"[a-z][a-z0-9_]*")
_FRENCH_DATE = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_YES = frozenset(("yes", "oui", "true", "vrai", "on", "1", "y", "o", "x"))
_NO = frozenset(("no", "non", "false", "faux", "off", "0", "n"))

Value = str | int | float | bool
"""As it stands in JSON."""


class AttributeKind(StrEnum):
    """What values an attribute takes."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"  # ISO 8601
    YES_NO = "yes_no"
    CHOICE = "choice"  # one of its choices


class Field(NamedTuple):
    """One attribute of a list."""

    key: str
    label: str
    kind: AttributeKind
    choices: tuple[str, ...] = ()
    required: bool = False


def key_of(text: str) -> str:
    """Checked key of an attribute. Raises ``Invalid`` saying what to write."""
    key = text.strip().lower()
    if not _KEY.fullmatch(key) or len(key) > KEY_LENGTH:
        raise Invalid(_("%(key)s cannot be a key: use a letter, then letters, digits and underscores, 40 at most"), key=text.strip()[:60])
    if key in RESERVED:
        raise Invalid(_("the key %(key)s already means something else: choose another"), key=key)
    return key


def key_from(label: str) -> str:
    """A key made of a label: "Date de naissance" is ``date_de_naissance``; "" when nothing is left."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_").lstrip("0123456789_")[:KEY_LENGTH].rstrip("_")
    return f"{key}_"[:KEY_LENGTH] if key in RESERVED else key


def choices_of(lines: Iterable[str]) -> tuple[str, ...]:
    """The choices, each once, as written one a line. Raises ``Invalid`` when there are too many."""
    found = tuple(dict.fromkeys(one for line in lines if (one := " ".join(line.split())[:100])))
    if len(found) > CHOICES:
        raise Invalid(_("an attribute has at most %(most)s choices"), most=CHOICES)
    return found


def value_of(field: Field, text: str) -> Value | None:
    """What somebody wrote, as it is kept; None for nothing. Raises ``Invalid`` saying what to write."""
    said = " ".join("".join(" " if character.isspace() else character for character in text if character.isspace() or character.isprintable()).split())
    said = unicodedata.normalize("NFC", said)
    if not said:
        return None
    match field.kind:
        case AttributeKind.NUMBER:
            return number_of(said)
        case AttributeKind.DATE:
            return date_of(said).isoformat()
        case AttributeKind.YES_NO:
            return _yes_no(said)
        case AttributeKind.CHOICE:
            for choice in field.choices:
                if choice.casefold() == said.casefold():
                    return choice
            raise Invalid(_("%(text)s is none of the choices: write one of %(known)s"), text=said[:60], known=", ".join(field.choices)[:300])
        case AttributeKind.TEXT:
            return said[:VALUE_LENGTH]


def number_of(text: str) -> int | float:
    """A number as people write it: 3, -2.5, 3,5, 1 200. Raises ``Invalid``."""
    plain = "".join(text.split()).replace(",", ".") if text.count(",") <= 1 else text
    if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,10})?", plain):
        raise Invalid(_("%(text)s is not a number: write digits, as in 12 or 3.5"), text=text[:60])
    return float(plain) if "." in plain else int(plain)


def date_of(text: str) -> date:
    """A day written 2026-07-14 or 14/07/2026. Raises ``Invalid``."""
    try:
        if found := _FRENCH_DATE.fullmatch(text.strip()):
            day, month, year = map(int, found.groups())
            return date(year, month, day)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
            return date.fromisoformat(text.strip())
    except ValueError:
        pass
    raise Invalid(_("%(text)s is not a date: write 2026-07-14 or 14/07/2026"), text=text[:60])


def _yes_no(text: str) -> bool:
    said = text.casefold()
    if said in _YES:
        return True
    if said in _NO:
        return False
    raise Invalid(_("%(text)s says neither yes nor no: write yes or no"), text=text[:60])


def values_of(fields: Iterable[Field], said: Mapping[str, str]) -> dict[str, Value | None]:
    """What somebody wrote of several attributes by their keys; None takes a value away. Raises one ``Invalid`` for all that is wrong."""
    answer: dict[str, Value | None] = {}
    wrong: list[Invalid] = []
    for field in fields:
        if field.key not in said:
            continue
        try:
            answer[field.key] = value_of(field, said[field.key])
        except Invalid as error:
            wrong.append(error)
    if wrong:
        raise Invalid.all_of(wrong)
    return answer


def written(value: object) -> str:
    """A value as it stands in a file and in a form's field: what ``value_of`` reads."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
