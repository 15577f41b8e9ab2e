"""What a site knew of its subscribers beyond the address, and the segments it made of that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from colporteur.domain import attributes
from colporteur.domain.attributes import AttributeKind
from colporteur.domain.imports import php
from colporteur.domain.segments import parse
from colporteur.domain.words import Invalid
from colporteur.flow.imports import places
from colporteur.flow.imports.account import Report
from colporteur.flow.imports.places import Site
from colporteur.store.imports.loading import do
from colporteur.store.segments import Attribute, Segment


def describe(found: Iterable[tuple[int, str]], report: Report) -> None:
    """Attributes for the columns (list, name) that are not there yet."""
    used: dict[int, int] = {}
    for list_id, column in found:
        key = attributes.key_from(column)
        if not key:
            continue
        used.setdefault(list_id, Attribute.objects.filter(list_id=list_id).count())
        if key != column:
            do("UPDATE im_person SET extra = extra - %(column)s || jsonb_build_object(%(key)s, extra -> %(column)s) WHERE extra ? %(column)s", {"column": column, "key": key})
        if Attribute.objects.filter(list_id=list_id, key=key).exists():
            continue
        if used[list_id] >= attributes.MOST:
            report.notes.append(f"the column {column} of the subscribers is not kept: a list has at most {attributes.MOST} attributes")
            continue
        Attribute.objects.create(list_id=list_id, key=key, label=column.replace("_", " ").capitalize()[:100], kind=AttributeKind.TEXT, position=used[list_id])
        used[list_id] += 1


def segments_of(site: Site, lists: Iterable[tuple[str, str, int]], report: Report) -> dict[str, int]:
    """Segments of lists (identifier, PHP's text, list), as far as they can be said by a rule; identifier and number -> segment."""
    known = places.ours(site, "segment")
    answer: dict[str, int] = {}
    for ident, text, list_id in lists:
        try:
            read = php.read(text)
        except php.NotPlain as error:
            report.notes.append(f"the segments of {ident} cannot be read ({error})")
            continue
        for number, one in read.items() if isinstance(read, dict) else ():
            name = f"{ident.strip()}+{number}"
            if name in known:
                answer |= {name: known[name]} if Segment.objects.filter(pk=known[name]).exists() else {}
            elif made := _segment(list_id, one, name, site, report):
                places.remember(site, "segment", name, made.pk)
                answer[name] = made.pk
                report.segments += 1
    return answer


def _segment(list_id: int, one: Any, name: str, site: Site, report: Report) -> Segment | None:
    """A segment that asks nothing but whether what is known of somebody equals, or is one of, given texts."""
    title = " ".join(str(one.get("titre") or name).split())[:100] if isinstance(one, dict) else name
    asked = {str(key): value for key, value in one.items() if key not in ("id", "titre", "auto_update") and value not in ("", None, {}, 0, False)} if isinstance(one, dict) else {}
    try:
        parts = [_part(list_id, key, value) for key, value in asked.items()]
        if not parts:
            raise Invalid("it has no condition")
        rule = {"match": "all", "parts": parts}
        parse(rule)
    except Invalid as error:
        report.notes.append(f"the segment “{title}” ({name}) is to be made anew: {error}; it was {str(one)[:500]}")
        return None
    while Segment.objects.filter(list_id=list_id, name=title).exists():
        title = f"{title}*"
    return Segment.objects.create(list_id=list_id, name=title, rule=rule, created=site.now)


def _part(list_id: int, key: str, value: Any) -> dict[str, Any]:
    column = key.removeprefix("filtre_")
    wanted = [str(item) for item in value.values()] if isinstance(value, dict) else [str(value)]
    if column == "lang":
        column = "language"
    found = Attribute.objects.filter(list_id=list_id, key=attributes.key_from(column)).first()
    if found is None or any(not isinstance(item, str) for item in wanted):
        raise Invalid("its condition %(key)s is about something that is not known of subscribers here", key=key[:80])
    return {"about": "attribute", "key": found.key, "label": found.label, "kind": "text", "is": "in" if len(wanted) > 1 else "equals", "value": wanted if len(wanted) > 1 else wanted[0]}
