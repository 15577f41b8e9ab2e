"""Segments of a list: made, changed, counted, and why somebody is in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction

from colporteur.domain import segments as rules
from colporteur.domain.entries import display_name
from colporteur.domain.segments import Condition, Known, Match, Rule
from colporteur.domain.words import Invalid, Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attributes
from colporteur.flow.organisations import actor
from colporteur.store import journal, rights
from colporteur.store.campaigns import CampaignAudience
from colporteur.store.lists import List, ListState
from colporteur.store.people import Address, Person
from colporteur.store.segments import Segment, condition

MOST = 200
"""Segments of one list."""
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition of a rule, and whether it holds for somebody. ``depth``: of the group it stands in, from 0."""

    sentence: Sentence
    holds: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Matching:
    """Whether somebody is in a segment, and by which conditions. ``member``: whether on the list at all."""

    member: bool
    matches: bool
    reasons: list[Reason]


def known(list_: List, person: Person | None = None) -> Known:
    """What a rule of the list may name. ``person``: only lists they may manage, where somebody writes it who is not asked about others."""
    lists = List.objects.filter(organisation=list_.organisation_id).exclude(pk=list_.pk).exclude(state__in=(ListState.DELETED, ListState.PENDING))
    if person is not None:
        lists = lists.filter(pk__in=rights.lists_for(person, rights.Right.MANAGE).values("pk"))
    return Known({field.key: field for field in attributes.fields_of(list_)}, {pk: title or address for pk, title, address in lists.order_by("address").values_list("pk", "title", "address")[:2000]})


@transaction.atomic
def create(list_: List, name: str, rule: object, now: datetime, *, by: Person | str) -> Segment:
    """Give a list a segment. Raises ``Invalid`` when the rule is none or the name is taken."""
    List.objects.select_for_update(no_key=True).get(pk=list_.pk)
    if Segment.objects.filter(list=list_).count() >= MOST:
        raise Invalid(_("a list has at most %(most)s segments"), most=MOST)
    segment = Segment(list=list_, name=_name(list_, name), rule=rules.packed(_rule(list_, rule, by)), created=now)
    segment.save()
    _journal(segment, now, by)
    return segment


@transaction.atomic
def change(segment: Segment, now: datetime, *, by: Person | str, name: str | None = None, rule: object = None) -> Segment:
    """Change a segment; what was sent already stays as it went. Raises ``Invalid``."""
    row = Segment.objects.select_for_update(of=("self",)).select_related("list").get(pk=segment.pk)
    if name is not None and name.strip() != row.name:
        row.name = _name(row.list, name)
    if rule is not None:
        row.rule = rules.packed(_rule(row.list, rule, by, lists_named(rules.parse(row.rule))))
    row.save()
    _journal(row, now, by)
    return row


@transaction.atomic
def delete(segment: Segment, now: datetime, *, by: Person | str) -> None:
    """Remove a segment. Raises ``Invalid`` while a newsletter goes to it, or leaves it out."""
    if used := used_by(segment):
        raise Invalid(_("the newsletter “%(subject)s” uses this segment: take it out there first"), subject=used[0] or "–")
    _journal(segment, now, by)
    segment.delete()


def used_by(segment: Segment) -> list[str]:
    """Subjects of newsletters that name it, ten at most."""
    return list(CampaignAudience.objects.filter(segment=segment).order_by("-id").values_list("campaign__subject", flat=True)[:10])


def find(list_: List, name: str) -> Segment:
    """A segment by its name. Raises ``Invalid`` when there is none."""
    found = Segment.objects.filter(list=list_, name__iexact=name.strip()).first()
    if found is None:
        raise Invalid(_("the list has no segment “%(name)s”"), name=name.strip()[:NAME_LENGTH])
    return found


_FROM = "FROM membership m LEFT JOIN details d ON d.list_id = m.list_id AND d.address_id = m.address_id WHERE m.list_id = %(list)s AND m.until IS NULL"


def counted(list_: List, rule: Rule | Segment) -> int:
    """How many members of the list a rule means now, whether they receive or are paused."""
    sql, bound = condition(_of(rule), values="d.values")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_FROM} AND {sql}", bound | {"list": list_.pk})
        return int(cursor.fetchone()[0])


def some(list_: List, rule: Rule | Segment, most: int = 20) -> list[tuple[str, str]]:
    """The first members a rule means, by address: addresses and names."""
    sql, bound = condition(_of(rule), values="d.values")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT m.email, CASE WHEN p.name <> '' THEN p.name ELSE a.name END FROM (SELECT m.email, m.address_id {_FROM} AND {sql} ORDER BY m.email LIMIT %(most)s) m JOIN address a ON a.id = m.address_id LEFT JOIN person p ON p.id = a.person_id ORDER BY m.email", bound | {"list": list_.pk, "most": most})
        return [(email, name) for email, name in cursor.fetchall()]


def matches(list_: List, rule: Rule | Segment, address: Address) -> Matching:
    """Whether an address is meant by a rule, and which conditions hold for it."""
    rule = _of(rule)
    parts = list(_flat(rule, 0))
    columns: list[str] = []
    bound: dict[str, Any] = {"list": list_.pk, "address": address.pk}
    for number, part in enumerate([rule, *(Rule(Match.ALL, (one,)) for one, _depth in parts)]):
        sql, more = condition(part, values="d.values", prefix=f"segment{number}")
        columns.append(sql)
        bound |= more
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} {_FROM} AND m.address_id = %(address)s", bound)
        row = cursor.fetchone()
    if row is None:
        return Matching(False, False, [])
    names = lists_named(rule)
    return Matching(True, row[0], [Reason(rules.said(one, names), holds, depth) for (one, depth), holds in zip(parts, row[1:], strict=True)])


def lists_named(rule: Rule) -> dict[int, str]:
    """Titles of the lists a rule names, as they are called now."""
    numbers = [one.value for one in rule.conditions() if one.about is rules.About.LIST and isinstance(one.value, int)]
    return {pk: title or address for pk, title, address in List.objects.filter(pk__in=numbers).values_list("pk", "title", "address")} if numbers else {}


def as_json(segment: Segment, *, count: bool = False) -> dict[str, Any]:
    """What ``segment list --json`` prints."""
    found = {"name": segment.name, "rule": segment.rule, "words": rules.words(rules.parse(segment.rule), str, lists_named(rules.parse(segment.rule)))}
    return found | ({"members": counted(segment.list, segment)} if count else {})


# --- how ---


def _of(rule: Rule | Segment) -> Rule:
    return rules.parse(rule.rule) if isinstance(rule, Segment) else rule


def _flat(rule: Rule, depth: int) -> Iterator[tuple[Condition, int]]:
    for part in rule.parts:
        if isinstance(part, Rule):
            yield from _flat(part, depth + 1)
        else:
            yield part, depth


def _name(list_: List, text: str) -> str:
    name = display_name(text)[:NAME_LENGTH]
    if not name:
        raise Invalid(_("a segment needs a name"))
    if Segment.objects.filter(list=list_, name__iexact=name).exists():
        raise Invalid(_("the list has a segment “%(name)s” already"), name=name)
    return name


def _rule(list_: List, rule: object, by: Person | str, named: Mapping[int, str] = MappingProxyType({})) -> Rule:
    """``named``: lists the rule asked about before, which whoever changes something else need not look after."""
    given = rules.packed(rule) if isinstance(rule, Rule) else rule
    found = known(list_, by if isinstance(by, Person) else None)
    return rules.parse(given, Known(found.fields, {**found.lists, **named}))


def _journal(segment: Segment, now: datetime, by: Person | str) -> None:
    journal.write("list.changed", now, actor=actor(by), organisation=segment.list.organisation_id, list=segment.list_id, by=str(by), change=segment.name)
