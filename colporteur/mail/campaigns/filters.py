"""What the fields of a campaign may be put through. Every function takes plain values, costs little and gives little.

Plain: text, a number, yes or no, nothing, or a list of these.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.mail import text

LONGEST = 10_000
"""Characters of a value, and of what a filter makes of it."""
MOST = 1000
"""Items of a list."""
_LARGEST = 10**15
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))  # they would turn round what stands after a value
_STYLE = re.compile(r"[^\w #.,%()-]")
_LEADS = re.compile(r"(?i)(?:https?://|mailto:|tel:)")


def plain(value: Any) -> Any:
    """A value a field may have: text without control characters, lone surrogates and marks that turn the direction round,
    in LF lines. What is not plain becomes text."""
    if isinstance(value, str):
        if not (value.isascii() and value.isprintable()):
            value = text.clean(value.replace("\r\n", "\n").replace("\r", "\n")).translate(_TURNING)
        return value[:LONGEST]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [one if not isinstance(one, list) else "" for one in map(plain, value[:MOST])]
    return plain(str(value))


def shown(value: Any) -> str:
    """How a value reads."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST else _refuse()
    if isinstance(value, list | tuple):
        return short(", ".join(shown(one) for one in value))
    return ""


def short(value: str) -> str:
    """The text itself. Raises ``Invalid`` when it is too long."""
    return value if len(value) <= LONGEST else _refuse()


def number(value: Any) -> int | float:
    """A number that is one. Raises ``Invalid``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(_("“%(value)s” is no number"), value=shown(value)[:60])
    return value if -_LARGEST < value < _LARGEST else _refuse()


def _refuse() -> Any:
    raise Invalid(_("a value becomes too large"))


def _empty(value: Any) -> bool:
    return not (isinstance(value, bool | int | float) or shown(value).strip())


def default(value: Any, instead: Any = "", _anything: Any = False) -> Any:
    return instead if _empty(value) else value


def first_name(value: Any) -> str:
    """The first word of a name; of “LE GOFF, Anne” what stands after the comma."""
    called = shown(value)
    words = (called.partition(",")[2].strip() or called).split()
    return words[0] if words and "@" not in called else called


def title(value: Any) -> str:
    """Each word with a capital, the rest as it is unless all is in capitals."""
    words = shown(value)
    words = words.lower() if words.isupper() else words
    return short(re.sub(r"(^|[\s'’-])(\w)", lambda found: found[1] + found[2].upper(), words))


def capitalize(value: Any) -> str:
    words = shown(value)
    return short(words[:1].upper() + words[1:])


def truncate(value: Any, length: Any = 100, end: Any = "…") -> str:
    words, most = shown(value), max(0, min(int(number(length)), LONGEST))
    return words if len(words) <= most else short(words[:most].rstrip() + shown(end))


def replace(value: Any, old: Any, new: Any) -> str:
    words, before, after = shown(value), shown(old), shown(new)
    if not before or len(words) + words.count(before) * (len(after) - len(before)) > LONGEST:
        return words if not before else _refuse()
    return words.replace(before, after)


def join(value: Any, between: Any = ", ") -> str:
    return short(shown(between).join(shown(one) for one in as_list(value)))


def as_list(value: Any) -> list[Any]:
    """A list as it is; nothing is an empty one. Raises ``Invalid`` for all else."""
    if isinstance(value, list | tuple):
        return list(value[:MOST])
    if _empty(value):
        return []
    raise Invalid(_("“%(value)s” is no list"), value=shown(value)[:60])


def items(value: Any) -> list[Any]:
    """A list written out in a template: of plain values only."""
    if len(value) > MOST:
        _refuse()
    return [one if one is None or isinstance(one, str | bool | int | float) else shown(one) for one in value]


def first(value: Any) -> Any:
    return next(iter(shown(value) if isinstance(value, str) else as_list(value)), "")


def last(value: Any) -> Any:
    held = shown(value) if isinstance(value, str) else as_list(value)
    return held[-1] if held else ""


def length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(as_list(value))


def whole(value: Any, instead: Any = 0) -> Any:
    try:
        return number(int(Decimal(shown(value).strip()[:30].replace(",", "."))))
    except (ArithmeticError, ValueError):
        return instead


def rounded(value: Any, digits: Any = 0) -> int | float:
    places = max(0, min(int(number(digits)), 6))
    found = Decimal(str(number(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return float(found) if places else int(found)


def urlencode(value: Any) -> str:
    return quote(shown(value), safe="@~")


def in_address(value: Any) -> str:
    """A value inside an address of the web."""
    return quote(shown(value).encode("utf-8", "replace"), safe="@~")


def as_address(value: Any) -> str:
    """A value that is an address of the web; anything else leads nowhere."""
    words = shown(value).strip()
    return re.sub(r"[\s<>\"'`\\]+", lambda found: quote(found[0]), words) if _LEADS.match(words) else "#"


def in_style(value: Any) -> str:
    """A value inside a style: words, numbers and colours."""
    return _STYLE.sub("", shown(value).replace("url(", ""))[:200]


def concatenated(values: Any) -> str:
    return short("".join(shown(one) for one in values))


def compared(left: Any, how: str, right: Any) -> bool:
    """Whether two values compare so: numbers as numbers, also when one is written as text, else texts. Nothing is never more or less."""
    if how in ("eq", "ne"):
        return bool(left == right) == (how == "eq")
    if how in ("in", "notin"):
        found = (bool(shown(left)) and shown(left) in right) if isinstance(right, str) else left in as_list(right)
        return found == (how == "in")
    if _empty(left) or _empty(right):
        return False
    one, other = _number_or_none(left), _number_or_none(right)
    if one is None or other is None:
        return bool(_ORDERS[how](shown(left), shown(right)))
    return bool(_ORDERS[how](one, other))


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {"lt": operator.lt, "lteq": operator.le, "gt": operator.gt, "gteq": operator.ge}


def _number_or_none(value: Any) -> Decimal | None:
    try:
        found = Decimal(shown(value).strip()[:30].replace(",", "."))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


def _words(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: short(change(shown(value)))


OURS: dict[str, Callable[..., Any]] = {
    "_in_address": in_address, "_as_address": as_address, "_in_style": in_style, "_items": items, "_concatenated": concatenated, "_compared": compared,
}  # fmt: skip
"""What the sandbox itself puts where it is needed."""
FILTERS: dict[str, Callable[..., Any]] = {
    "default": default, "d": default, "upper": _words(str.upper), "lower": _words(str.lower), "title": title, "capitalize": capitalize, "trim": _words(str.strip),
    "first_name": first_name, "truncate": truncate, "replace": replace, "join": join, "first": first, "last": last, "length": length, "count": length, "int": whole,
    "round": rounded, "urlencode": urlencode,
}  # fmt: skip
"""What a writer may use, by name."""
TESTS: dict[str, Callable[..., bool]] = {
    "defined": lambda value: not _empty(value), "undefined": _empty, "none": _empty, "empty": _empty, "odd": lambda value: number(value) % 2 == 1, "even": lambda value: number(value) % 2 == 0,
    "equalto": lambda value, other: value == other, "eq": lambda value, other: value == other, "ne": lambda value, other: value != other, "in": lambda value, other: compared(value, "in", other),
}  # fmt: skip
