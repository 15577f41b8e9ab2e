"""Attributes of a list: what it knows of its members, who may change a value, and values that come in many at once.

What a member wrote is the member's (``Details.own``): no import and no source changes it; an owner may, by hand.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from colporteur.domain import segments as rules
from colporteur.domain.attributes import MOST, AttributeKind, Field, Value, choices_of, key_from, key_of, value_of, written
from colporteur.domain.entries import display_name
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List
from colporteur.store.people import Address, Person
from colporteur.store.segments import Attribute, Details, Segment

log = logging.getLogger("colporteur.memberships")

LABEL_LENGTH = 100

_WRITE = """
INSERT INTO details (list_id, address_id, values, own) VALUES (%(list)s, %(address)s, %(values)s::jsonb, %(own)s::jsonb)
ON CONFLICT (list_id, address_id) DO UPDATE SET values = (details.values || excluded.values) - %(gone)s::text[],
  own = (SELECT coalesce(jsonb_agg(DISTINCT key), '[]') FROM jsonb_array_elements_text(details.own || excluded.own) AS key)
"""

_WRITE_MANY = """
INSERT INTO details (list_id, address_id, values, own)
SELECT %(list)s, a.id, e.values::jsonb, '[]' FROM unnest(%(emails)s::text[], %(values)s::text[]) AS e (email, values) JOIN address a USING (email)
 WHERE EXISTS (SELECT 1 FROM membership m WHERE m.list_id = %(list)s AND m.address_id = a.id AND m.until IS NULL) ORDER BY a.id
ON CONFLICT (list_id, address_id) DO UPDATE SET values = details.values || (excluded.values - ARRAY(SELECT jsonb_array_elements_text(details.own)))
 WHERE NOT details.values @> (excluded.values - ARRAY(SELECT jsonb_array_elements_text(details.own)))
"""


# --- which there are ---


def field_of(row: Attribute) -> Field:
    """An attribute as the domain knows it."""
    return Field(row.key, row.label, AttributeKind(row.kind), tuple(row.choices), row.required)


def of_list(list_: List) -> list[Attribute]:
    """The attributes of a list, in their order."""
    return list(Attribute.objects.filter(list=list_).order_by("position", "id"))


def fields_of(list_: List) -> list[Field]:
    """The same, as the domain knows them."""
    return [field_of(row) for row in of_list(list_)]


def asked_of(list_: List) -> list[Field]:
    """What members are asked on forms and on their own page."""
    return [field_of(row) for row in of_list(list_) if row.asked]


@transaction.atomic
def define(list_: List, now: datetime, *, by: Person | str, label: str, key: str = "", kind: str = AttributeKind.TEXT, choices: Iterable[str] = (), asked: bool = False, required: bool = False, position: int | None = None) -> Attribute:
    """Let a list know something of its members; the key is made of the label when none is given. Raises ``Invalid``."""
    List.objects.select_for_update(no_key=True).get(pk=list_.pk)
    there = of_list(list_)
    if len(there) >= MOST:
        raise Invalid(_("a list has at most %(most)s attributes"), most=MOST)
    row = Attribute(list=list_, key=key_of(key or key_from(label)), kind=_kind(kind), position=there[-1].position + 1 if position is None and there else position or 0)
    if any(one.key == row.key for one in there):
        raise Invalid(_("the list has an attribute %(key)s already"), key=row.key)
    _set(row, label, choices, asked, required)
    row.save()
    _journal(list_, row, now, by)
    return row


@transaction.atomic
def change(attribute: Attribute, now: datetime, *, by: Person | str, label: str | None = None, choices: Iterable[str] | None = None, asked: bool | None = None, required: bool | None = None, position: int | None = None) -> Attribute:
    """Change an attribute; its key and its kind stay, for values and segments are made of them. Raises ``Invalid``."""
    row = Attribute.objects.select_for_update(of=("self",)).select_related("list").get(pk=attribute.pk)
    if position is not None:
        row.position = position
    _set(row, row.label if label is None else label, row.choices if choices is None else choices, row.asked if asked is None else asked, row.required if required is None else required)
    row.save()
    _journal(row.list, row, now, by)
    return row


@transaction.atomic
def delete(attribute: Attribute, now: datetime, *, by: Person | str) -> int:
    """Forget an attribute and what was known by it; how many values went. Raises ``Invalid`` while a segment asks about it."""
    for segment in Segment.objects.filter(list=attribute.list_id):
        if any(one.key == attribute.key for one in rules.parse(segment.rule).conditions()):
            raise Invalid(_("the segment %(segment)s asks about it: change the segment first"), segment=segment.name)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE details SET values = values - %(key)s, own = own - %(key)s WHERE list_id = %(list)s AND (values ? %(key)s OR own ? %(key)s)", {"key": attribute.key, "list": attribute.list_id})
        touched = int(cursor.rowcount)
    _journal(attribute.list, attribute, now, by)
    attribute.delete()
    return touched


# --- values ---


def values_of(list_: List, addresses: Collection[int]) -> dict[int, dict[str, Value]]:
    """What the list knows of some addresses, by the number of the address; those it knows nothing of are not there."""
    return dict(Details.objects.filter(list=list_, address__in=addresses).values_list("address_id", "values"))


@transaction.atomic
def write(list_: List, address: Address, values: Mapping[str, Value | None], now: datetime, *, by: Person | str, own: bool = False) -> list[str]:
    """Keep values of one address, None takes one away; the keys that changed. ``own``: the member says so, which imports and
    sources respect from now on."""
    before = values_of(list_, [address.pk]).get(address.pk, {})
    changed = [key for key, value in values.items() if before.get(key) != value]
    if changed:
        kept = {key: value for key, value in values.items() if value is not None}
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, {"list": list_.pk, "address": address.pk, "values": json.dumps(kept), "own": json.dumps(changed if own else []), "gone": [key for key in values if values[key] is None]})
        journal.write("membership.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, address=address.pk, email=address.email, by=str(by), change=", ".join(changed))
    return changed


def write_many(list_: List, values: Iterable[tuple[str, Mapping[str, Value]]]) -> int:
    """Keep values of members by their address, as an import or a source brings them; how many members changed. What a member wrote stays."""
    some = [(email, json.dumps(dict(known))) for email, known in values if known]
    if not some:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_MANY, {"list": list_.pk, "emails": [email for email, _known in some], "values": [known for _email, known in some]})
        return int(cursor.rowcount)


def read(fields: Sequence[Field], attributes: Mapping[str, object]) -> tuple[dict[str, Value], list[Invalid]]:
    """What a source tells, by attributes of the list: a column is one when it is called like its key or its label. What cannot be read
    is left out, and said."""
    known: dict[str, Value] = {}
    wrong: list[Invalid] = []
    folded = {name.casefold(): value for name, value in attributes.items()}
    for field in fields:
        told = folded.get(field.key, folded.get(field.label.casefold()))
        try:
            value = value_of(field, written(told))
        except Invalid as error:
            wrong.append(error)
        else:
            if value is not None:
                known[field.key] = value
    return known, wrong


def as_json(row: Attribute) -> dict[str, Any]:
    """What ``attribute list --json`` prints."""
    return {"key": row.key, "label": row.label, "kind": row.kind, "choices": row.choices, "asked": row.asked, "required": row.required, "position": row.position}


# --- how ---


def _kind(text: str) -> str:
    if text not in list(AttributeKind):
        raise Invalid(_("%(name)s must be one of: %(known)s"), name="kind", known=", ".join(AttributeKind))
    return AttributeKind(text).value


def _set(row: Attribute, label: str, choices: Iterable[str], asked: bool, required: bool) -> None:
    row.label = display_name(label)[:LABEL_LENGTH]
    if not row.label:
        raise Invalid(_("an attribute needs a label: what people are asked"))
    row.choices = list(choices_of(choices)) if row.kind == AttributeKind.CHOICE else []
    if row.kind == AttributeKind.CHOICE and not row.choices:
        raise Invalid(_("write the choices, one a line"))
    row.asked, row.required = asked, required and asked


def _journal(list_: List, row: Attribute, now: datetime, by: Person | str) -> None:
    journal.write("list.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, by=str(by), change=row.label)
