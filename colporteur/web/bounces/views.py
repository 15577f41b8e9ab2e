"""What came to a list's addresses as a report and could not be matched with a copy: shown, and never counted."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from colporteur.domain.policy import MembersShown
from colporteur.flow import standing
from colporteur.flow.bounces import WHY
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.lists import List
from colporteur.store.policies import policy
from colporteur.store.rights import Right, rights_on
from colporteur.web.frame import list_page, page_by, whole
from colporteur.web.guard import list_or_404, person_of

RAW = 100_000
"""Bytes of a report that are shown."""


@login_required
def index(request: HttpRequest, number: int) -> HttpResponse:
    """Reports that name none of the list's copies, the newest first."""
    list_ = list_or_404(request, number, Right.MANAGE)
    rows = UnmatchedReport.objects.filter(list=list_).order_by("-id")
    if after := whole(request.GET.get("after")):
        rows = rows.filter(pk__lt=after)
    page = page_by(rows, "pk")
    return list_page(request, list_, "members", "bounces/index.html", {"rows": [_shown(row, _named(request, list_)) for row in page.rows], "next": page.next})


@login_required
def one(request: HttpRequest, number: int, report: int) -> HttpResponse:
    """One report as it came, as text."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = UnmatchedReport.objects.select_related("arrival__blob").filter(pk=report, list=list_).first()
    if row is None or not _named(request, list_):
        raise Http404
    raw = bytes(row.arrival.blob.raw)
    return list_page(request, list_, "members", "bounces/one.html", {"one": _shown(row, True), "text": raw[:RAW].decode("utf-8", "replace"), "cut": len(raw) > RAW})


def _named(request: HttpRequest, list_: List) -> bool:
    """Whether addresses may be read: not where the list shows its members to nobody."""
    return policy(list_).members_shown is not MembersShown.NOBODY or Right.ADMINISTER in rights_on(person_of(request), list_)


def _shown(row: UnmatchedReport, named: bool) -> dict[str, Any]:
    """Who is named and what is said only where addresses may be read; ``says``: why in the reader's language."""
    says = standing.reason_in_words(row.reason)
    return {"row": row, "whom": row.recipients if named else [], "says": says[:1].upper() + says[1:], "why": _(WHY[row.why]) if row.why in WHY else "", "text": row.text if named else "", "named": named}
