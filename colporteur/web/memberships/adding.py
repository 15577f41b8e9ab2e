"""Adding members: a few at once; many, or lines that cannot be taken, after a look at what would come of it. All of them or nobody.

Where a CSV file does not say which column is what, one is asked. What was handed over is a row: its page says how far it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from colporteur.domain import entries
from colporteur.domain.attributes import Field
from colporteur.flow import attributes, enrolments, memberships
from colporteur.store.enrolments import Enrolment, EnrolmentState
from colporteur.store.lists import List
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import client_of, list_or_404, person_of
from colporteur.web.memberships.forms import Add
from colporteur.web.saying import inert, said

FEW = 20
"""So many are added without a look first, when every line can be taken."""
SHOWN = 500


@login_required
def add(request: HttpRequest, number: int) -> HttpResponse:
    """Adds one person or a few; goes on to the page of many."""
    list_ = list_or_404(request, number, Right.MANAGE)
    form = Add(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return list_page(request, list_, "members", "memberships/add.html", {"form": form, "open": Enrolment.objects.filter(list=list_, state__in=_OPEN).order_by("-id")[:5]})
    text, found, bring_back = form.text(), None, form.cleaned_data["bring_back"]
    fields = attributes.fields_of(list_)
    if table := entries.table(text, fields):
        if request.POST.get("mapped"):
            found = _chosen(request.POST, len(table.rows[0]))
        if not found and (request.POST.get("mapped") or form.cleaned_data["choose"] or (form.cleaned_data["file"] and table.columns is None)):
            return _ask(request, list_, text, table, bring_back, fields)
    try:
        if (added := _few(request, list_, text, found, bring_back)) is not None:
            messages.success(request, _said(added))
            return redirect("members", list_.pk)
        row = enrolments.begin(list_, text, timezone.now(), person=person_of(request), file=getattr(form.cleaned_data["file"], "name", ""), columns=found, bring_back=bring_back, client=client_of(request))
    except ValueError as error:
        form.add_error(None, said(error))
        return list_page(request, list_, "members", "memberships/add.html", {"form": form}, status=422)
    return redirect("members-adding", list_.pk, row.pk)


_OPEN = (EnrolmentState.READING, EnrolmentState.READY, EnrolmentState.ADDING)


@login_required
def adding(request: HttpRequest, number: int, enrolment: int) -> HttpResponse:
    """What would come of it, how far it is, what came of it. POST: add them, all or without the lines that cannot be taken; or forget it."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = _row(list_, enrolment)
    if request.method == "POST":
        wish = request.POST.get("wish", "")
        if wish in ("add", "skip"):
            try:
                enrolments.accept(row.pk, timezone.now(), skip=wish == "skip")
            except ValueError as error:
                messages.error(request, said(error))
        elif wish == "drop" and enrolments.drop(row.pk, timezone.now()):
            messages.success(request, _("Nobody was added."))
            return redirect("members-add", list_.pk)
        return redirect("members-adding", list_.pk, row.pk)
    whole = row.total + row.already + len(row.left)
    context = {
        "keeps": bool(row.already and attributes.fields_of(list_)), "row": row, "busy": row.state in (EnrolmentState.READING, EnrolmentState.ADDING), "refused": [(line, said(reason), text) for line, reason, text in enrolments.refused_of(row, SHOWN)],
        "more": max(len(row.refused) - SHOWN, 0), "left": row.left[:SHOWN], "share": f"{100 * row.done / max(whole, 1):.1f}", "whole": whole,
    }  # fmt: skip
    return list_page(request, list_, "members", "memberships/adding.html", context)


@require_safe
@login_required
def lines(request: HttpRequest, number: int, enrolment: int) -> HttpResponse:
    """Every line that cannot be taken, as CSV: number, text, reason."""
    row = _row(list_or_404(request, number, Right.MANAGE), enrolment)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["line", "text", "reason"])
    writer.writerows([line, inert(text), said(reason)] for line, reason, text in enrolments.refused_of(row))
    return HttpResponse(written.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="lines.csv"'})


def _row(list_: List, number: int) -> Enrolment:
    row = Enrolment.objects.filter(pk=number, list=list_).first()
    if row is None:
        raise Http404
    return row


def _few(request: HttpRequest, list_: List, text: str, columns: entries.Columns | None, bring_back: bool) -> memberships.Added | None:
    """What came of adding a few of whom all can be taken and nobody left; None when somebody should look first."""
    if len(text) > 100 * FEW:
        return None
    read = entries.read(text, columns, attributes.fields_of(list_))
    found = enrolments.outlook(list_, read, bring_back=bring_back)
    if len(read.taken) > FEW or found.refused or found.left:
        return None
    return memberships.add(list_, read, timezone.now(), by=person_of(request), bring_back=bring_back, given=memberships.Given(client=client_of(request)))


_ATTRIBUTE = "attribute-"
"""Before the key of an attribute, in the choice of what a column is."""


def _chosen(posted: QueryDict, width: int) -> entries.Columns | None:
    """The columns as chosen; None when none, or several, are the addresses'."""
    chosen = [posted.get(f"column-{number}", "") for number in range(min(width, 200))]
    if chosen.count("email") != 1:
        return None
    found: dict[str, Any] = {kind: chosen.index(kind) for kind in ("email", "name", "first_name", "last_name", "delivery") if kind in chosen}
    others = {kind.removeprefix(_ATTRIBUTE): place for place, kind in enumerate(chosen) if kind.startswith(_ATTRIBUTE)}
    return entries.Columns(**found, head=bool(posted.get("head")), attributes=others)


def _ask(request: HttpRequest, list_: List, text: str, table: entries.Table, bring_back: bool, fields: Sequence[Field]) -> HttpResponse:
    width = min(max(len(row) for row in table.rows), 200)
    guess = table.columns._asdict() if table.columns else {}
    named = {place: f"{_ATTRIBUTE}{key}" for key, place in (guess.get("attributes") or {}).items()}
    named |= {guess[kind]: kind for kind in ("delivery", "last_name", "first_name", "name", "email") if guess.get(kind) is not None}
    named = named or {number: "email" for number in range(width) if any("@" in cell for row in table.rows for cell in row[number : number + 1])}
    columns = [request.POST.get(f"column-{number}", named.get(number, "")) for number in range(width)]
    kinds = [("", _("not needed")), ("email", _("Address")), ("name", _("Name")), ("first_name", _("First name")), ("last_name", _("Last name")), ("delivery", _("Delivery")), *((f"{_ATTRIBUTE}{field.key}", field.label) for field in fields)]
    fault = _("Choose exactly one column for the addresses.") if request.POST.get("mapped") else ""
    head = bool(request.POST.get("head")) if fault else not any("@" in cell for cell in table.rows[0])
    context = {"text": text, "columns": columns, "rows": table.rows, "kinds": kinds, "fault": fault, "head": head, "bring_back": bring_back}
    return list_page(request, list_, "members", "memberships/columns.html", context, status=422 if fault else 200)


def _said(added: memberships.Added) -> str:
    new = ngettext("%(n)s person is added.", "%(n)s people are added.", added.added) % {"n": added.added}
    there = ngettext("%(n)s was there already.", "%(n)s were there already.", added.already) % {"n": added.already} if added.already else ""
    return " ".join(filter(None, (new, there, _("Given twice: %(shown)s.") % {"shown": added.twice} if added.twice else "")))
