"""Adding members: one per line, or a file; where a CSV file does not say which column is what, one is asked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain import entries
from colporteur.flow import memberships
from colporteur.store.lists import List
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.forms import Add
from colporteur.web.saying import said


@login_required
def add(request: HttpRequest, number: int) -> HttpResponse:
    """Adds one person or many. What cannot be taken is told line by line."""
    list_ = list_or_404(request, number, Right.MANAGE)
    form = Add(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return list_page(request, list_, "members", "memberships/add.html", {"form": form})
    text, found = form.text(), None
    if table := entries.table(text):
        if request.POST.get("mapped"):
            found = _chosen(request.POST, len(table.rows[0]))
        if not found and (request.POST.get("mapped") or form.cleaned_data["choose"] or (form.cleaned_data["file"] and table.columns is None)):
            return _ask(request, list_, text, table, form.cleaned_data["bring_back"])
    try:
        added = memberships.add(list_, entries.read(text, found), timezone.now(), by=person_of(request), bring_back=form.cleaned_data["bring_back"])
    except ValueError as error:
        form.add_error(None, said(error))
        return list_page(request, list_, "members", "memberships/add.html", {"form": form}, status=422)
    if added.refused or added.left:
        return list_page(request, list_, "members", "memberships/added.html", {"added": added, "refused": [(line, said(reason), shown) for line, reason, shown in added.refused[:500]]})
    messages.success(request, _said(added))
    return redirect("members", list_.pk)


def _chosen(posted: QueryDict, width: int) -> entries.Columns | None:
    """The columns as chosen; None when none, or several, are the addresses'."""
    chosen = [posted.get(f"column-{number}", "") for number in range(min(width, 200))]
    if chosen.count("email") != 1:
        return None
    found: dict[str, Any] = {kind: chosen.index(kind) for kind in ("email", "name", "first_name", "last_name") if kind in chosen}
    return entries.Columns(**found, head=bool(posted.get("head")))


def _ask(request: HttpRequest, list_: List, text: str, table: entries.Table, bring_back: bool) -> HttpResponse:
    width = min(max(len(row) for row in table.rows), 200)
    guess = table.columns._asdict() if table.columns else {}
    named = {guess[kind]: kind for kind in ("last_name", "first_name", "name", "email") if guess.get(kind) is not None}
    named = named or {number: "email" for number in range(width) if any("@" in cell for row in table.rows for cell in row[number : number + 1])}
    columns = [request.POST.get(f"column-{number}", named.get(number, "")) for number in range(width)]
    kinds = [("", _("not needed")), ("email", _("Address")), ("name", _("Name")), ("first_name", _("First name")), ("last_name", _("Last name"))]
    fault = _("Choose exactly one column for the addresses.") if request.POST.get("mapped") else ""
    head = bool(request.POST.get("head")) if fault else not any("@" in cell for cell in table.rows[0])
    context = {"text": text, "columns": columns, "rows": table.rows, "kinds": kinds, "fault": fault, "head": head, "bring_back": bring_back}
    return list_page(request, list_, "members", "memberships/columns.html", context, status=422 if fault else 200)


def _said(added: memberships.Added) -> str:
    new = ngettext("%(n)s person is added.", "%(n)s people are added.", added.added) % {"n": added.added}
    return f"{new} " + (ngettext("%(n)s was there already.", "%(n)s were there already.", added.already) % {"n": added.already} if added.already else "")
