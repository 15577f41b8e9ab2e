"""A rule as a form: groups of conditions, each a sentence with a gap. Works by posting back; nothing is kept until it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from colporteur.domain.attributes import AttributeKind
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.segments import OF, OF_KIND, PARTS, WITHOUT_VALUE, About, Condition, Is, Known, Match, Rule
from colporteur.web.memberships.words import delivery_words

ATTRIBUTE = "attribute-"
GROUPS = 10


@dataclass
class Line:
    """One condition as somebody writes it. ``about``: "since", or "attribute-" and the key."""

    number: int
    about: str
    how: str
    value: str
    group: int
    label: str = ""
    hows: Sequence[tuple[str, str]] = ()
    choices: Sequence[tuple[str, str]] = ()  # empty: it is written
    hint: str = ""
    valued: bool = True  # whether it is compared with something


@dataclass
class Group:
    """Lines under one word: all, any or none. Number 0 is the rule itself."""

    number: int
    match: str
    lines: list[Line] = field(default_factory=list)


def matches() -> list[tuple[str, str]]:
    """How many must hold, in words."""
    return [(Match.ALL.value, _("all of these hold")), (Match.ANY.value, _("at least one of these holds")), (Match.NONE.value, _("none of these holds"))]


def hows(known: Known, about: str) -> list[tuple[str, str]]:
    """The ways to compare what a line is about."""
    words = {
        Is.EQUALS: _("is"), Is.DIFFERS: _("is not"), Is.CONTAINS: _("contains"), Is.BEGINS: _("begins with"), Is.IN: _("is one of"), Is.LESS: _("is less than"), Is.MORE: _("is more than"),
        Is.BEFORE: _("is before"), Is.AFTER: _("is on that day or later"), Is.WITHIN: _("is within the last … days"), Is.LONGER: _("is more than … days ago"),
        Is.YES: _("is yes"), Is.NO: _("is no"), Is.SET: _("is known"), Is.UNSET: _("is not known"), Is.ON: _("on"), Is.OFF: _("not on"),
        Is.RECEIVED: _("got one of the last …"), Is.NOT_RECEIVED: _("got none of the last …"), Is.OPENED: _("opened one of the last …"), Is.NOT_OPENED: _("opened none of the last …"),
        Is.CLICKED: _("clicked in one of the last …"), Is.NOT_CLICKED: _("clicked in none of the last …"),
    }  # fmt: skip
    if about.startswith(ATTRIBUTE):
        kind = known.fields[about.removeprefix(ATTRIBUTE)].kind
        return [(how.value, words[how]) for how in OF_KIND[kind]]
    return [(how.value, words[how]) for how in OF[About(about)]]


def abouts(known: Known) -> list[tuple[str, str]]:
    """What a condition can be about, with words."""
    attributes = [(f"{ATTRIBUTE}{key}", one.label) for key, one in known.fields.items()]
    words = {
        About.SINCE: _("Member since"), About.LANGUAGE: _("Language"), About.DOMAIN: _("Domain of the address"), About.DELIVERY: _("How they receive"),
        About.LIST: _("Another list"), About.NEWSLETTERS: _("Newsletters of this list"),
    }  # fmt: skip
    return attributes + [(about.value, label) for about, label in words.items() if about is not About.LIST or known.lists]


def of_rule(rule: Rule, known: Known) -> list[Group] | None:
    """The groups of a rule; None when it is deeper than the form, or names what is gone."""
    groups = [Group(0, rule.match.value)]
    number = 0
    for part in rule.parts:
        several = part.parts if isinstance(part, Rule) else (part,)
        if isinstance(part, Rule):
            groups.append(Group(len(groups), part.match.value))
        for one in several:
            if isinstance(one, Rule) or (one.about is About.ATTRIBUTE and one.key not in known.fields):
                return None
            group = groups[-1] if isinstance(part, Rule) else groups[0]
            group.lines.append(_line(known, number, _about(one), one.how.value, _written(one.value), group.number))
            number += 1
    return groups


def posted(data: QueryDict, known: Known) -> list[Group]:
    """What somebody has before them, with what they just asked for: a line more or less, a group more."""
    groups = {number: Group(number, _match(data.get(f"match-{number}"))) for number in range(GROUPS + 1) if number == 0 or f"match-{number}" in data}
    do = data.get("do", "")
    if do == "group" and len(groups) <= GROUPS:
        groups[max(groups) + 1] = Group(max(groups) + 1, Match.ANY.value)
    about_known = dict(abouts(known))
    kept = 0
    for number in range(PARTS):
        about, group = data.get(f"about-{number}", ""), _number(data.get(f"group-{number}"))
        if about in about_known and group in groups and do != f"remove-{number}":
            groups[group].lines.append(_line(known, kept, about, data.get(f"is-{number}", ""), data.get(f"value-{number}", "").replace("\x00", ""), group))
            kept += 1
    adding = _number(do.removeprefix("add-")) if do.startswith("add-") else None
    if adding in groups and kept < PARTS and (about := data.get(f"new-{adding}", "")) in about_known:
        groups[adding].lines.append(_line(known, kept, about, "", "", adding))
    return [group for number, group in sorted(groups.items()) if do != f"ungroup-{number}" or number == 0]


def given(groups: Sequence[Group]) -> dict[str, Any]:
    """The rule's JSON, for ``domain.segments.parse``; empty groups say nothing."""
    first, *others = groups
    parts: list[dict[str, Any]] = [_packed(line) for line in first.lines]
    parts += [{"match": group.match, "parts": [_packed(line) for line in group.lines]} for group in others if group.lines]
    return {"match": first.match, "parts": parts}


# --- how ---


def _packed(line: Line) -> dict[str, Any]:
    if line.about.startswith(ATTRIBUTE):
        return {"about": About.ATTRIBUTE.value, "key": line.about.removeprefix(ATTRIBUTE), "is": line.how, "value": line.value}
    return {"about": line.about, "is": line.how, "value": line.value}


def _line(known: Known, number: int, about: str, how: str, value: str, group: int) -> Line:
    ways = hows(known, about)
    how = how if how in dict(ways) else ways[0][0]
    choices = _choices(known, about, how)
    if value and choices and value not in dict(choices):
        choices = [*choices, (value, value)]
    return Line(number, about, how, value, group, dict(abouts(known)).get(about, about), ways, choices, _hint(known, about, how), Is(how) not in WITHOUT_VALUE)


def _choices(known: Known, about: str, how: str) -> list[tuple[str, str]]:
    if about.startswith(ATTRIBUTE):
        one = known.fields[about.removeprefix(ATTRIBUTE)]
        return [(choice, choice) for choice in one.choices] if one.kind is AttributeKind.CHOICE and how != Is.IN else []
    of: Mapping[str, Any] = {
        About.LANGUAGE: lambda: [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES],
        About.DELIVERY: lambda: [(mode.value, delivery_words(mode.value)) for mode in DeliveryMode],
        About.LIST: lambda: [(str(pk), title) for pk, title in known.lists.items()],
    }
    return of[about]() if about in of else []


def _hint(known: Known, about: str, how: str) -> str:
    if how in (Is.WITHIN, Is.LONGER):
        return _("days")
    if about == About.NEWSLETTERS:
        return _("newsletters")
    if how == Is.IN:
        return _("several, with commas")
    kind = known.fields[about.removeprefix(ATTRIBUTE)].kind if about.startswith(ATTRIBUTE) else None
    return _("like 14/07/2026") if about == About.SINCE or kind is AttributeKind.DATE else _("like example.org") if about == About.DOMAIN else ""


def _about(one: Condition) -> str:
    return f"{ATTRIBUTE}{one.key}" if one.about is About.ATTRIBUTE else one.about.value


def _written(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def _match(text: str | None) -> str:
    return text if text in list(Match) else Match.ALL.value


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else None
