"""Policy options as rows of a page: control, effective value, origin ruler, what would be inherited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from colporteur.domain.policy import OPTIONS, SECTIONS, Effective, Layer, Posting, ReplyTo, Stranger, holds_readers
from colporteur.store.lists import List, RoleKind
from colporteur.store.policies import layers
from colporteur.web.templatetags.look import octets

MEGABYTE = 1024 * 1024
LONG = ("blocked", "footer", "identity", "trusted_servers")


@dataclass
class Row:
    """One option. ``control``: choice, size, number, line or text. ``own``: set at this very place; ``inherited``: what would hold otherwise."""

    name: str
    label: str
    sentence: str
    control: str
    value: str
    choices: Sequence[tuple[str, str]]
    ruler: Sequence[tuple[str, bool]]
    origin: str
    own: bool
    inherited: str
    unit: str = ""
    set_by: str = ""
    set_at: Any = None
    echoes: list[str] = field(default_factory=list)
    fault: str = ""


_LAYERS = {
    Layer.DEFAULT: gettext_noop("Site"), Layer.SITE: gettext_noop("Site"), Layer.ORGANISATION: gettext_noop("Organisation"), Layer.DOMAIN: gettext_noop("Domain"),
    Layer.TEMPLATE: gettext_noop("Template"), Layer.LIST: gettext_noop("List"),
}  # fmt: skip
_UNITS = {"days": gettext_noop("days"), "months": gettext_noop("months"), "bytes": gettext_noop("MB"), "minutes": gettext_noop("minutes"), "percent": "%", "copies": gettext_noop("copies")}


def layer_name(layer: Layer) -> str:
    """The layer as the ruler writes it; a default of the product counts as the site's."""
    return _(_LAYERS[layer])


def shown(name: str, value: Any) -> str:
    """A value in words."""
    option = OPTIONS[name]
    if option.metadata["choices"]:
        return _(option.metadata["choices"][str(value)])
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if option.metadata["unit"] == "bytes":
        return octets(value)
    if option.metadata["unit"] == "days":
        return _("%(n)s days") % {"n": value}
    if option.metadata["unit"] == "months":
        return _("%(n)s months") % {"n": value}
    if option.metadata["unit"]:
        return f"{value} {_unit(name)}"
    return f"« {value} »" if value and "\n" not in str(value) else str(value) if value else _("nothing")


def form_text(name: str, value: Any) -> str:
    """A value as its control holds it: sizes in megabytes, yes and no as words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if OPTIONS[name].metadata["unit"] == "bytes":
        return f"{value / MEGABYTE:.3f}".rstrip("0").rstrip(".")
    return str(value)


def from_form(name: str, text: str) -> str:
    """What ``domain.policy.parse`` reads: megabytes become bytes. Raises ``ValueError`` with a sentence."""
    if OPTIONS[name].metadata["unit"] != "bytes":
        return text.replace("\r\n", "\n")
    try:
        return str(round(float(text.strip().replace(",", ".")) * MEGABYTE))
    except (ValueError, OverflowError):
        raise ValueError(_("Write a number of megabytes, like 5 or 1.5.")) from None


def rows(found: Mapping[str, Effective], here: Layer, places: Sequence[Layer], names: Mapping[Layer, str]) -> dict[str, list[Row]]:
    """Rows by section. ``places``: the layers of the ruler; ``names``: what each of them is called on this page."""
    answer: dict[str, list[Row]] = {}
    for name, option in OPTIONS.items():
        data, effective = option.metadata, found[name]
        if here not in data["only"]:
            continue
        origin = Layer.SITE if effective.origin == Layer.DEFAULT else effective.origin
        ruler = [(layer_name(place), place == origin) for place in places if place != Layer.ORGANISATION or place in (origin, here)]
        own, inherited = effective.origin == here, ""
        if own:
            inherited = _("Would be: %(value)s (%(origin)s)") % {"value": shown(name, effective.inherited), "origin": layer_name(effective.inherited_origin).lower()}
        answer.setdefault(_(SECTIONS[data["section"]]), []).append(Row(
            name, _(data["label"]), _(data["sentence"]), _control(name, effective.value), form_text(name, effective.value), _choices(data["choices"], effective.value), ruler,
            _("The product's own value") if effective.origin == Layer.DEFAULT else names.get(origin, ""), own, inherited,
            unit=_unit(name),
        ))  # fmt: skip
    return answer


def _unit(name: str) -> str:
    """What a number counts, in a word."""
    unit = _UNITS.get(OPTIONS[name].metadata["unit"], "")
    return _(unit) if unit else ""  # of the empty text gettext answers with its own header


def _control(name: str, value: Any) -> str:
    if OPTIONS[name].metadata["choices"] or isinstance(value, bool):
        return "choice"
    if isinstance(value, int):
        return "number"
    return "text" if name in LONG else "line"


def _choices(choices: Mapping[str, str] | None, value: Any) -> list[tuple[str, str]]:
    if choices:
        return [(key, _(words)) for key, words in choices.items()]
    return [("yes", _("Yes")), ("no", _("No"))] if isinstance(value, bool) else []


def echoes(list_: List, values: Mapping[str, Any], kinds: set[str]) -> dict[str, str]:
    """Contradictions said again at the setting that causes them."""
    said = {}
    if values["stranger"] == Stranger.HOLD and not kinds & {RoleKind.OWNER, RoleKind.MODERATOR}:
        said["stranger"] = _("No moderator can let it through.")
    if values["posting"] == Posting.NOBODY and not kinds & {RoleKind.MODERATOR, RoleKind.FREE_SENDER}:
        said["posting"] = _("There is no moderator or free sender.")
    if values["reply_to"] == ReplyTo.ADDRESS and not values["reply_address"]:
        said["reply_address"] = _("Replies should go here, but no address is given.")
    if holds_readers(layers(list_)):
        said["leaving"] = _("People who receive a newsletter must be able to leave it.")
    return said
