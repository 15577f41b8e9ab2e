"""Segments: a rule that tells which members of a list are meant, as a tree of conditions.

JSON of a rule: ``{"match": "all", "parts": [{"about": "attribute", "key": "city", "kind": "text", "is": "equals", "value": "Rennes"}, ...]}``;
a part may be a rule itself. An attribute's condition keeps its kind, so that a rule can be understood without the list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from colporteur.domain.attributes import VALUE_LENGTH, AttributeKind, Field, date_of, number_of, value_of
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.words import Invalid, Sentence
from colporteur.domain.words import gettext_noop as _

PARTS = 50
"""Conditions of one rule, groups counted too."""
DEPTH = 4
NEWSLETTERS = 100
DAYS = 36_500


class Match(StrEnum):
    """How many of a group's parts must hold."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


class About(StrEnum):
    """What a condition looks at."""

    ATTRIBUTE = "attribute"  # one of the list's own, by its key
    SINCE = "since"  # member since
    LANGUAGE = "language"
    DOMAIN = "domain"  # of the address
    DELIVERY = "delivery"
    LIST = "list"  # on another list of the organisation
    NEWSLETTERS = "newsletters"  # the last so many of this list


class Is(StrEnum):
    """How what a condition looks at compares with its value."""

    EQUALS = "equals"
    DIFFERS = "differs"
    CONTAINS = "contains"
    BEGINS = "begins"
    IN = "in"  # one of several, a list
    LESS = "less"
    MORE = "more"
    BEFORE = "before"
    AFTER = "after"  # or on that day
    WITHIN = "within"  # the last so many days
    LONGER = "longer"  # more than so many days ago
    YES = "yes"
    NO = "no"
    SET = "set"
    UNSET = "unset"
    ON = "on"
    OFF = "off"
    RECEIVED = "received"
    NOT_RECEIVED = "not_received"
    OPENED = "opened"  # of those who agreed to be known by name
    NOT_OPENED = "not_opened"
    CLICKED = "clicked"
    NOT_CLICKED = "not_clicked"


_SET = (Is.SET, Is.UNSET)
OF_KIND: dict[AttributeKind, tuple[Is, ...]] = {
    AttributeKind.TEXT: (Is.EQUALS, Is.DIFFERS, Is.CONTAINS, Is.BEGINS, Is.IN, *_SET),
    AttributeKind.NUMBER: (Is.EQUALS, Is.DIFFERS, Is.LESS, Is.MORE, *_SET),
    AttributeKind.DATE: (Is.EQUALS, Is.BEFORE, Is.AFTER, Is.WITHIN, Is.LONGER, *_SET),
    AttributeKind.YES_NO: (Is.YES, Is.NO, *_SET),
    AttributeKind.CHOICE: (Is.EQUALS, Is.DIFFERS, Is.IN, *_SET),
}
"""What can be asked of an attribute."""

OF: dict[About, tuple[Is, ...]] = {
    About.SINCE: (Is.BEFORE, Is.AFTER, Is.WITHIN, Is.LONGER),
    About.LANGUAGE: (Is.EQUALS, Is.DIFFERS),
    About.DOMAIN: (Is.EQUALS, Is.DIFFERS, Is.IN),
    About.DELIVERY: (Is.EQUALS, Is.DIFFERS),
    About.LIST: (Is.ON, Is.OFF),
    About.NEWSLETTERS: (Is.RECEIVED, Is.NOT_RECEIVED, Is.OPENED, Is.NOT_OPENED, Is.CLICKED, Is.NOT_CLICKED),
}
"""What can be asked of everything else."""

WITHOUT_VALUE = frozenset((Is.YES, Is.NO, *_SET))

Value = str | int | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One sentence about a member. ``value`` is a number of days or newsletters, a list's number, an ISO date, a text or several."""

    about: About
    how: Is
    value: Value = None
    key: str = ""
    kind: AttributeKind = AttributeKind.TEXT
    label: str = ""  # of the attribute or list, as it was called when the condition was made


@dataclass(frozen=True, slots=True)
class Rule:
    """A group of conditions. Without any, everybody matches."""

    match: Match = Match.ALL
    parts: tuple[Condition | Rule, ...] = ()

    def conditions(self) -> Iterator[Condition]:
        """Every condition, in reading order."""
        for part in self.parts:
            if isinstance(part, Rule):
                yield from part.conditions()
            else:
                yield part


@dataclass(frozen=True, slots=True)
class Known:
    """What the conditions of a list may name: its attributes, and other lists of its organisation by number."""

    fields: Mapping[str, Field]
    lists: Mapping[int, str]


def parse(given: object, known: Known | None = None) -> Rule:
    """A rule from its JSON (text or read). ``known``: for a rule that somebody writes; without it for one that was kept.

    Raises ``Invalid`` for what is no rule, or names what is not there.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise Invalid(_("this is not a rule: it cannot be read as JSON")) from None
    rule = _rule(given if given != {} else {"match": "all", "parts": []}, known, 1)
    if sum(1 for _part in _every(rule)) > PARTS:
        raise Invalid(_("a rule has at most %(most)s conditions"), most=PARTS)
    return rule


def _every(rule: Rule) -> Iterator[Condition | Rule]:
    for part in rule.parts:
        yield part
        if isinstance(part, Rule):
            yield from _every(part)


def _rule(given: object, known: Known | None, depth: int) -> Rule:
    if not isinstance(given, dict) or given.get("match") not in list(Match) or not isinstance(given.get("parts"), list):
        raise Invalid(_("a rule says whether all, any or none of its conditions hold, and which these are"))
    if depth > DEPTH:
        raise Invalid(_("groups are nested at most %(most)s deep"), most=DEPTH)
    return Rule(Match(given["match"]), tuple(_rule(part, known, depth + 1) if isinstance(part, dict) and "match" in part else condition(part, known) for part in given["parts"][: PARTS + 1]))


def condition(given: object, known: Known | None = None) -> Condition:
    """One condition from its JSON. Raises ``Invalid``."""
    if not isinstance(given, dict) or given.get("about") not in list(About) or given.get("is") not in list(Is):
        raise Invalid(_("a condition says what it is about and how that compares"))
    about, how, value = About(given["about"]), Is(given["is"]), given.get("value")
    if isinstance(value, list) and len(value) <= 200 and all(isinstance(one, str) for one in value):
        value = ", ".join(value) if how is not Is.IN else tuple(value)
    if not isinstance(value, str | int | float | tuple | None) or isinstance(value, bool):
        raise Invalid(_("the value of a condition is a text, a number or some texts"))
    if about is About.ATTRIBUTE:
        return _of_attribute(given, how, value, known)
    if how not in OF[about]:
        raise Invalid(_("this cannot be asked here: write one of %(known)s"), known=", ".join(OF[about]))
    return _READ[about](how, value, known)


def _of_attribute(given: Mapping[str, Any], how: Is, value: Value, known: Known | None) -> Condition:
    key = given.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 64 or "\x00" in key:
        raise Invalid(_("a condition about an attribute names it by its key"))
    if known is None:
        if given.get("kind") not in list(AttributeKind):
            raise Invalid(_("a condition about an attribute names it by its key"))
        field = Field(key, str(given.get("label", key))[:200], AttributeKind(given["kind"]))
    elif key in known.fields:
        field = known.fields[key]
    else:
        raise Invalid(_("the list has no attribute %(key)s"), key=key[:60])
    if how not in OF_KIND[field.kind]:
        raise Invalid(_("this cannot be asked here: write one of %(known)s"), known=", ".join(OF_KIND[field.kind]))
    return Condition(About.ATTRIBUTE, how, _attribute_value(field, how, value, known), key, field.kind, field.label)


def _attribute_value(field: Field, how: Is, value: Value, known: Known | None) -> Value:
    if how in WITHOUT_VALUE:
        return None
    if how in (Is.WITHIN, Is.LONGER):
        return _whole(value, DAYS)
    if how is Is.IN:
        several = _several(value)
        return tuple(str(value_of(field, one)) for one in several) if known else several
    text = str(value if value is not None else "").strip()[:VALUE_LENGTH]
    if field.kind is AttributeKind.NUMBER:
        return number_of(text)
    if field.kind is AttributeKind.DATE:
        return date_of(text).isoformat()
    if not text or "\x00" in text:
        raise Invalid(_("%(label)s: write what it is compared with"), label=field.label)
    return str(value_of(field, text)) if known else text


def _since(how: Is, value: Value, _known: Known | None) -> Condition:
    if how in (Is.WITHIN, Is.LONGER):
        return Condition(About.SINCE, how, _whole(value, DAYS))
    return Condition(About.SINCE, how, date_of(str(value or "")).isoformat())


def _language(how: Is, value: Value, _known: Known | None) -> Condition:
    said = str(value or "").strip().lower()
    if not (2 <= len(said) <= 10 and said.replace("-", "").isalnum() and said.isascii()):
        raise Invalid(_("a language is written as its code, as in fr or en"))
    return Condition(About.LANGUAGE, how, said)


def _domain(how: Is, value: Value, _known: Known | None) -> Condition:
    several = _several(value)
    hosts = []
    for one in several:
        host = one.strip().rpartition("@")[2].lower()
        try:
            hosts.append(host if host.isascii() else host.encode("idna").decode("ascii"))
        except UnicodeError:
            raise Invalid(_("%(domain)r is not a valid domain name"), domain=host[:80]) from None
        if not host or any(character in host for character in " /\x00"):
            raise Invalid(_("%(domain)r is not a valid domain name"), domain=host[:80])
    return Condition(About.DOMAIN, how, tuple(hosts) if how is Is.IN else hosts[0])


def _delivery(how: Is, value: Value, _known: Known | None) -> Condition:
    if value not in list(DeliveryMode):
        raise Invalid(_("%(entry)s is no way to receive: write one of %(known)s"), entry=str(value)[:40], known=", ".join(DeliveryMode))
    return Condition(About.DELIVERY, how, str(value))


def _list(how: Is, value: Value, known: Known | None) -> Condition:
    number = _whole(value, 2**62)
    if known is not None and number not in known.lists:
        raise Invalid(_("the organisation has no such list"))
    return Condition(About.LIST, how, number, label=known.lists[number] if known else "")


def _newsletters(how: Is, value: Value, _known: Known | None) -> Condition:
    return Condition(About.NEWSLETTERS, how, _whole(value, NEWSLETTERS))


_READ: dict[About, Callable[[Is, Value, Known | None], Condition]] = {
    About.SINCE: _since, About.LANGUAGE: _language, About.DOMAIN: _domain, About.DELIVERY: _delivery, About.LIST: _list, About.NEWSLETTERS: _newsletters,
}  # fmt: skip


def _whole(value: Value, most: int) -> int:
    text = str(value if value is not None else "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= most):
        raise Invalid(_("write a whole number from 1 to %(most)s"), most=most)
    return int(text)


def _several(value: Value) -> tuple[str, ...]:
    parts = value if isinstance(value, tuple) else str(value if value is not None else "").split(",")
    found = tuple(dict.fromkeys(one.strip()[:VALUE_LENGTH] for one in parts if one.strip() and "\x00" not in one))
    if not found:
        raise Invalid(_("write at least one value, several with commas between them"))
    return found[:200]


def packed(rule: Rule) -> dict[str, Any]:
    """A rule as JSON; ``parse`` reads it."""
    return {"match": rule.match.value, "parts": [packed(part) if isinstance(part, Rule) else packed_condition(part) for part in rule.parts]}


def packed_condition(one: Condition) -> dict[str, Any]:
    """A condition as JSON."""
    found: dict[str, Any] = {"about": one.about.value, "is": one.how.value}
    if one.about is About.ATTRIBUTE:
        found |= {"key": one.key, "kind": one.kind.value}
    if one.label:
        found["label"] = one.label
    if one.value is not None:
        found["value"] = list(one.value) if isinstance(one.value, tuple) else one.value
    return found


WORDS: dict[tuple[About, Is], str] = {
    (About.ATTRIBUTE, Is.EQUALS): _("%(label)s is %(value)s"),
    (About.ATTRIBUTE, Is.DIFFERS): _("%(label)s is not %(value)s"),
    (About.ATTRIBUTE, Is.CONTAINS): _("%(label)s contains %(value)s"),
    (About.ATTRIBUTE, Is.BEGINS): _("%(label)s begins with %(value)s"),
    (About.ATTRIBUTE, Is.IN): _("%(label)s is one of %(value)s"),
    (About.ATTRIBUTE, Is.LESS): _("%(label)s is less than %(value)s"),
    (About.ATTRIBUTE, Is.MORE): _("%(label)s is more than %(value)s"),
    (About.ATTRIBUTE, Is.BEFORE): _("%(label)s is before %(value)s"),
    (About.ATTRIBUTE, Is.AFTER): _("%(label)s is on %(value)s or later"),
    (About.ATTRIBUTE, Is.WITHIN): _("%(label)s is within the last %(value)s days"),
    (About.ATTRIBUTE, Is.LONGER): _("%(label)s is more than %(value)s days ago"),
    (About.ATTRIBUTE, Is.YES): _("%(label)s: yes"),
    (About.ATTRIBUTE, Is.NO): _("%(label)s: no"),
    (About.ATTRIBUTE, Is.SET): _("%(label)s is known"),
    (About.ATTRIBUTE, Is.UNSET): _("%(label)s is not known"),
    (About.SINCE, Is.BEFORE): _("member since before %(value)s"),
    (About.SINCE, Is.AFTER): _("member since %(value)s or later"),
    (About.SINCE, Is.WITHIN): _("member for no more than %(value)s days"),
    (About.SINCE, Is.LONGER): _("member for more than %(value)s days"),
    (About.LANGUAGE, Is.EQUALS): _("reads in the language %(value)s"),
    (About.LANGUAGE, Is.DIFFERS): _("reads in another language than %(value)s"),
    (About.DOMAIN, Is.EQUALS): _("the address is at %(value)s"),
    (About.DOMAIN, Is.DIFFERS): _("the address is not at %(value)s"),
    (About.DOMAIN, Is.IN): _("the address is at one of %(value)s"),
    (About.DELIVERY, Is.EQUALS): _("receives: %(value)s"),
    (About.DELIVERY, Is.DIFFERS): _("does not receive: %(value)s"),
    (About.LIST, Is.ON): _("is also on %(value)s"),
    (About.LIST, Is.OFF): _("is not on %(value)s"),
    (About.NEWSLETTERS, Is.RECEIVED): _("got one of the last %(value)s newsletters"),
    (About.NEWSLETTERS, Is.NOT_RECEIVED): _("got none of the last %(value)s newsletters"),
    (About.NEWSLETTERS, Is.OPENED): _("opened one of the last %(value)s newsletters, as far as he or she agreed to our knowing it"),
    (About.NEWSLETTERS, Is.NOT_OPENED): _("agreed to our knowing it, and opened none of the last %(value)s newsletters"),
    (About.NEWSLETTERS, Is.CLICKED): _("clicked in one of the last %(value)s newsletters, as far as he or she agreed to our knowing it"),
    (About.NEWSLETTERS, Is.NOT_CLICKED): _("agreed to our knowing it, and clicked in none of the last %(value)s newsletters"),
}
"""A condition as a sentence."""

MATCHED = {Match.ALL: _("all of these hold"), Match.ANY: _("at least one of these holds"), Match.NONE: _("none of these holds")}


def said(one: Condition, lists: Mapping[int, str] | None = None) -> Sentence:
    """A condition in words; ``lists``: what lists are called now."""
    value: object = one.value
    if one.about is About.LIST and isinstance(value, int):
        value = (lists or {}).get(value) or one.label or value
    elif isinstance(value, tuple):
        value = ", ".join(value)
    return Sentence(WORDS[one.about, one.how], label=one.label or one.key, value=value)


def words(rule: Rule, translate: Callable[[str], str], lists: Mapping[int, str] | None = None) -> str:
    """A whole rule as one sentence, for instance ``Town is Rennes · member since 2026-01-01 or later``."""
    if not rule.parts:
        return translate(_("everybody"))
    parts = [f"({words(part, translate, lists)})" if isinstance(part, Rule) else said(part, lists).into(translate) for part in rule.parts]
    listed = " · ".join(parts)
    return listed if rule.match is Match.ALL else translate(_("%(match)s: %(conditions)s")) % {"match": translate(MATCHED[rule.match]), "conditions": listed}
