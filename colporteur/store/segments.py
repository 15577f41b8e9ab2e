"""What a list knows of its members beyond the address, and the segments these make."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from django.db import models

from colporteur.domain.attributes import AttributeKind
from colporteur.domain.segments import About, Condition, Is, Match, Rule, parse
from colporteur.store.lists import List
from colporteur.store.people import Address


class Attribute(models.Model):
    """Something a list knows of its members: ``key`` names it in fields, files and segments, ``label`` on forms."""

    list = models.ForeignKey(List, models.CASCADE, related_name="attributes")
    key = models.TextField()
    label = models.TextField()
    kind = models.TextField(choices=[(kind.value, kind.value) for kind in AttributeKind], default=AttributeKind.TEXT.value)
    choices = models.JSONField(default=builtins.list)
    asked = models.BooleanField(default=False)  # on the public form and the member's own page
    required = models.BooleanField(default=False)
    position = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "attribute"
        constraints = [models.UniqueConstraint(fields=["list", "key"], name="attribute_once")]


class Details(models.Model):
    """The attributes of one address on one list, as JSON: key -> text, number, true or false."""

    pk = models.CompositePrimaryKey("list_id", "address_id")
    list = models.ForeignKey(List, models.CASCADE, related_name="+", db_index=False)
    address = models.ForeignKey(Address, models.CASCADE, related_name="details")
    values = models.JSONField(default=dict)
    own = models.JSONField(default=builtins.list, db_default=[])  # keys whose value the member wrote: no import and no source changes these

    class Meta:
        db_table = "details"


class Segment(models.Model):
    """Some of a list's members, found by a rule each time they are asked for."""

    list = models.ForeignKey(List, models.CASCADE, related_name="segments")
    name = models.TextField()
    rule = models.JSONField(default=dict)  # domain.segments
    created = models.DateTimeField()

    class Meta:
        db_table = "segment"
        constraints = [models.UniqueConstraint(fields=["list", "name"], name="segment_once")]


class _Sql:
    """SQL of a rule about the membership ``m``, and what it is bound with: every word somebody wrote is a parameter."""

    def __init__(self, m: str, prefix: str, values: str) -> None:
        self.m, self.prefix, self.values = m, prefix, values
        self.bound: dict[str, Any] = {}

    def bind(self, value: object, type_: str) -> str:
        """A parameter's place, with its type."""
        name = f"{self.prefix}_{len(self.bound)}"
        self.bound[name] = value
        return f"%({name})s::{type_}"

    def several(self, values: object) -> str:
        """Texts as an array."""
        return self.bind(builtins.list(values) if isinstance(values, tuple) else [str(values)], "text[]")

    def rule(self, rule: Rule) -> str:
        """All, any or none of its parts; none at all is everybody."""
        parts = [self.rule(part) if isinstance(part, Rule) else self.condition(part) for part in rule.parts]
        if not parts:
            return "true"
        joined = (" AND " if rule.match is Match.ALL else " OR ").join(parts)
        return f"NOT ({joined})" if rule.match is Match.NONE else f"({joined})"

    def condition(self, one: Condition) -> str:
        """True or false, never unknown: what is not known equals nothing, and differs from everything."""
        positive = _NEGATED.get(one.how, one.how)
        found = f"coalesce({_SQL[one.about](self, one, positive)}, false)"
        return found if positive is one.how else f"NOT {found}"


_NEGATED = {Is.DIFFERS: Is.EQUALS, Is.UNSET: Is.SET, Is.OFF: Is.ON, Is.NOT_RECEIVED: Is.RECEIVED}


def _attribute(sql: _Sql, one: Condition, how: Is) -> str:
    key = sql.bind(one.key, "text")
    whole, text = f"({sql.values} -> {key})", f"({sql.values} ->> {key})"
    if how is Is.SET:
        return f"{whole} IS NOT NULL"
    if one.kind is AttributeKind.YES_NO:
        return f"{whole} = {sql.bind('true' if how is Is.YES else 'false', 'jsonb')}"
    if one.kind is AttributeKind.NUMBER:
        return f"CASE WHEN jsonb_typeof({whole}) = 'number' THEN {whole}::numeric {({Is.EQUALS: '=', Is.LESS: '<', Is.MORE: '>'})[how]} {sql.bind(one.value, 'numeric')} END"
    if one.kind is AttributeKind.DATE:
        return f"{text} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' AND {_day(sql, one, how, text)}"
    folded = f"colporteur_folded({text})"
    if how is Is.IN:
        return f"{folded} = ANY (SELECT colporteur_folded(one) FROM unnest({sql.several(one.value)}) one)"
    wanted = f"colporteur_folded({sql.bind(str(one.value), 'text')})"
    return {Is.EQUALS: f"{folded} = {wanted}", Is.CONTAINS: f"position({wanted} in {folded}) > 0", Is.BEGINS: f"starts_with({folded}, {wanted})"}[how]


def _day(sql: _Sql, one: Condition, how: Is, text: str) -> str:
    """ISO days compare as text: a cast would fail on what is none."""
    if how in (Is.WITHIN, Is.LONGER):
        ago = f"to_char(now() - make_interval(days => {sql.bind(one.value, 'int')}), 'YYYY-MM-DD')"
        return f"{text} COLLATE \"C\" < {ago}" if how is Is.LONGER else f"{text} COLLATE \"C\" BETWEEN {ago} AND to_char(now(), 'YYYY-MM-DD')"
    return f"{text} COLLATE \"C\" {({Is.BEFORE: '<', Is.AFTER: '>=', Is.EQUALS: '='})[how]} {sql.bind(one.value, 'text')}"


def _since(sql: _Sql, one: Condition, how: Is) -> str:
    if how in (Is.WITHIN, Is.LONGER):
        return f"{sql.m}.since {'>=' if how is Is.WITHIN else '<'} now() - make_interval(days => {sql.bind(one.value, 'int')})"
    return f"{sql.m}.since {'<' if how is Is.BEFORE else '>='} {sql.bind(one.value, 'date')}::timestamptz"


def _language(sql: _Sql, one: Condition, _how: Is) -> str:
    own = f"(SELECT nullif(p.language, '') FROM address a JOIN person p ON p.id = a.person_id WHERE a.id = {sql.m}.address_id)"
    usual = f"(SELECT coalesce(nullif(l.language, ''), o.language) FROM list l JOIN organisation o ON o.id = l.organisation_id WHERE l.id = {sql.m}.list_id)"
    return f"coalesce({own}, {usual}) = {sql.bind(one.value, 'text')}"


def _domain(sql: _Sql, one: Condition, _how: Is) -> str:
    return f"split_part({sql.m}.email, '@', 2) = ANY ({sql.several(one.value)})"


def _delivery(sql: _Sql, one: Condition, _how: Is) -> str:
    return f"{sql.m}.delivery = {sql.bind(one.value, 'text')}"


def _list(sql: _Sql, one: Condition, _how: Is) -> str:
    return f"EXISTS (SELECT 1 FROM membership o WHERE o.list_id = {sql.bind(one.value, 'bigint')} AND o.address_id = {sql.m}.address_id AND o.until IS NULL OFFSET 0)"


def _newsletters(sql: _Sql, one: Condition, how: Is) -> str:
    last = f"""(SELECT g.id FROM campaign g JOIN mailing f ON f.id = g.mailing_id WHERE g.list_id = {sql.m}.list_id AND f.finished IS NOT NULL ORDER BY g.id DESC LIMIT {sql.bind(one.value, 'int')}) g"""
    if how is Is.RECEIVED:
        return f"EXISTS (SELECT 1 FROM {last} JOIN mailing s ON s.campaign_id = g.id JOIN copy c ON c.mailing_id = s.id WHERE c.address_id = {sql.m}.address_id AND c.state = 2 OFFSET 0)"
    followed = "" if how in (Is.OPENED, Is.NOT_OPENED) else " AND h.link <> 0"  # who followed a link has opened it, whether or not its image was fetched
    named = f"EXISTS (SELECT 1 FROM {last} JOIN campaign_named_hit h ON h.campaign_id = g.id WHERE h.address_id = {sql.m}.address_id{followed} OFFSET 0)"
    agreed = f"EXISTS (SELECT 1 FROM tracking_consent t JOIN list l ON l.organisation_id = t.organisation_id WHERE l.id = {sql.m}.list_id AND t.address_id = {sql.m}.address_id AND t.until IS NULL OFFSET 0)"
    return named if how in (Is.OPENED, Is.CLICKED) else f"({agreed} AND NOT {named})"  # of whom nothing may be known, nothing is concluded


_SQL: dict[About, Callable[[_Sql, Condition, Is], str]] = {
    About.ATTRIBUTE: _attribute, About.SINCE: _since, About.LANGUAGE: _language, About.DOMAIN: _domain, About.DELIVERY: _delivery, About.LIST: _list, About.NEWSLETTERS: _newsletters,
}  # fmt: skip


def condition(rule: Rule | dict[str, Any], membership_alias: str = "m", *, prefix: str = "segment", values: str = "") -> tuple[str, dict[str, Any]]:
    """SQL that is true for the members a rule means, and what it is bound with (``%(name)s``; no name begins otherwise than ``prefix``).

    For a statement that reads ``membership`` under ``membership_alias``, inside its WHERE. ``values``: an expression for the
    member's attributes where the statement has joined them; else each row asks. Raises ``Invalid`` for what is no rule.
    """
    known = values or f"(SELECT d.values FROM details d WHERE d.list_id = {membership_alias}.list_id AND d.address_id = {membership_alias}.address_id)"
    sql = _Sql(membership_alias, prefix, known)
    return sql.rule(rule if isinstance(rule, Rule) else parse(rule)), sql.bound
