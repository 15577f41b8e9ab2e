"""The consent ledger: who is, or was, on which list since when, how that began, in which words, from where, and the evidence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from colporteur.store.consents import ledger, told
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.store.rights import organisations_for
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import person_of
from colporteur.web.memberships.words import how_words
from colporteur.web.saying import inert

COLUMNS = ("list", "address", "name", "since", "until", "left_by", "how", "by", "client", "evidence", "wording")


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The newest first, searched by the beginning of an address, by list and by day."""
    rows = _found(request)
    if before := whole(request.GET.get("before")):
        rows = rows.filter(pk__lt=before)
    shown = page_by(rows, "pk")
    asked = {name: request.GET.get(name, "") for name in ("q", "list", "since", "until")}
    return render(request, "privacy/consents.html", {"rows": [(row, how_words(row.consent.how) if row.consent else "") for row in shown.rows], "next": shown.next, "asked": asked, "site": person_of(request).is_admin})


@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponseBase:
    """All that match, as CSV (RFC 4180)."""
    rows, writer = _found(request), csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(COLUMNS)
        for row in rows.iterator(2000):
            found = told(row)
            yield writer.writerow([_cell(found[name]) for name in COLUMNS])

    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="consents.csv"'})


class _Echo:
    """A file that hands back what is written: rows leave as they are made."""

    def write(self, value: str) -> str:
        return value


def _cell(value: Any) -> str:
    return timezone.localtime(value).isoformat(timespec="seconds") if isinstance(value, datetime) else inert(str(value or ""))


def _found(request: HttpRequest) -> QuerySet[Membership]:
    words = {name: request.GET.get(name, "").strip().lower().replace("\x00", "")[:320] for name in ("q", "list")}
    until = _morning(request.GET.get("until", ""))
    return ledger(_lists(person_of(request)), words["q"], words["list"], _morning(request.GET.get("since", "")), until + timedelta(days=1) if until else None)


def _lists(person: Person) -> QuerySet[List] | None:
    """The lists whose ledger the person may read; None: all. Owners read it member by member."""
    if person.is_admin:
        return None
    organisations = organisations_for(person)
    if not organisations.exists():
        raise Http404
    return List.objects.filter(organisation__in=organisations)


def _morning(text: str) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, time())) if day else None
