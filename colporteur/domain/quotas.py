"""Quotas: how much an organisation may have. A parent wins: what site, organisation and domain set, the least counts.

Sources: Plesk's and cPanel's limits by plan, subscription and domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from colporteur.domain.policy import Layer
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _


@dataclass(frozen=True)
class Quota:
    """One quota: label, sentence, and the layers that may set it. ``unit``: "" a number of things, "bytes"."""

    label: str
    sentence: str
    places: tuple[Layer, ...]
    unit: str = ""
    most: int = 10**9


_ABOVE = (Layer.SITE, Layer.ORGANISATION)
_ALL = (Layer.SITE, Layer.ORGANISATION, Layer.DOMAIN)
QUOTAS: dict[str, Quota] = {
    "domains": Quota(_("Domains"), _("How many mail domains the organisation may have."), _ABOVE),
    "lists": Quota(_("Lists"), _("How many lists it may have, deleted ones not counted."), _ALL),
    "members": Quota(_("Members of a list"), _("How many members each list may have."), _ALL),
    "message_size": Quota(_("Size of a message"), _("The most a list may allow, in bytes; 10M is ten megabytes."), _ALL, "bytes"),
    "archive": Quota(_("Archive"), _("How much the messages of all its lists may weigh together, in bytes; 5G is five gigabytes. When it is full messages are still distributed, and their texts not kept."), _ALL, "bytes", 10**15),
}
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


class Effective(NamedTuple):
    """What counts: the value, None for no limit, and the layer that set it, None when none did."""

    value: int | None
    origin: Layer | None


def effective(name: str, layers: Mapping[Layer, Mapping[str, Any]]) -> Effective:
    """The least of what the layers say; of two alike, the upper one's."""
    found = Effective(None, None)
    for layer in Layer:
        value = layers.get(layer, {}).get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0 and (found.value is None or value < found.value):
            found = Effective(value, layer)
    return found


def changed(held: Mapping[str, Any], values: Mapping[str, str], layer: Layer) -> dict[str, int]:
    """Quotas of a layer with some set from texts; an empty text takes one away. Raises ``Invalid`` for every wrong one."""
    kept, wrong = dict(held), []
    for name, text in values.items():
        try:
            number = _parse(name, text, layer)
        except Invalid as error:
            wrong.append(error)
            continue
        kept.pop(name, None)
        if number is not None:
            kept[name] = number
    if wrong:
        raise Invalid.all_of(wrong)
    return kept


def written(name: str, value: int | None) -> str:
    """A quota as people write it, and as ``changed`` reads it: 5G for five gigabytes; "" for none."""
    if value is None:
        return ""
    units = [(letter, size) for letter, size in _UNITS.items() if QUOTAS[name].unit == "bytes" and value and value % size == 0]
    return f"{value // units[-1][1]}{units[-1][0].upper()}" if units else str(value)


def _parse(name: str, text: str, layer: Layer) -> int | None:
    quota = QUOTAS.get(name)
    if quota is None or layer not in quota.places:
        raise Invalid(_("there is no quota %(name)r here; known: %(known)s"), name=name[:40], known=", ".join(key for key, one in QUOTAS.items() if layer in one.places))
    word = "".join(text.split()).lower()
    if not word:
        return None
    unit = _UNITS.get(word[-1:], 0) if quota.unit == "bytes" else 0
    digits = word[:-1] if unit else word
    if not (digits.isascii() and digits.isdigit() and len(digits) < 17) or int(digits) * (unit or 1) > quota.most:
        raise Invalid(_("%(name)s must be a whole number, or empty for no limit"), name=name)
    return int(digits) * (unit or 1)
