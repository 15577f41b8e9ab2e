"""The box: one member a line. Editing it edits the list, after a look at who would be added and removed."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain import entries
from colporteur.flow import roster
from colporteur.store.lists import List
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.memberships.forms import Box
from colporteur.web.memberships.seen import shown
from colporteur.web.saying import said

MOST = 20_000
"""Lines a box holds: a browser edits more of them badly; a file replaces a longer list."""


@login_required
def edit(request: HttpRequest, number: int) -> HttpResponse:
    """GET: the box. POST: what would change; with ``seen`` of that page: changed, unless somebody came or went since."""
    list_ = list_or_404(request, number, Right.MANAGE)
    if not shown(request, list_):
        raise Http404
    if request.method != "POST":
        text = roster.lines(list_, MOST)
        return _box(request, list_, Box(initial={"lines": text or ""}), too_many=text is None)
    form = Box(request.POST, request.FILES)
    if not form.is_valid():
        return _box(request, list_, form)
    text, bring_back = form.text(), form.cleaned_data["bring_back"]
    read = entries.read(text) if form.cleaned_data["file"] else entries.of_lines(entries.lines_of(text))
    if request.POST.get("seen") and not request.POST.get("again"):
        try:
            added, removed = roster.edit(list_, read, timezone.now(), by=person_of(request), seen=request.POST["seen"], bring_back=bring_back)
        except roster.Changed as error:
            messages.warning(request, said(error))
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _told(added.added, len(removed.removed)))
            return redirect("members", list_.pk)
    change = roster.compare(list_, read, bring_back=bring_back)
    if change.refused or form.errors:
        return _box(request, list_, form, refused=[(line, said(reason), shown) for line, reason, shown in change.refused[:500]])
    kept = "".join(f"{entry.email} {entry.name}".strip() + "\n" for entry in read.taken)
    context = {"change": change, "text": kept, "bring_back": bring_back, "nothing": not change.added and not change.removed, "everybody": bool(change.removed) and not change.staying and not change.added}
    return list_page(request, list_, "members", "memberships/changes.html", context)


def _box(request: HttpRequest, list_: List, form: Box, too_many: bool = False, refused: list[tuple[int, str, str]] | None = None) -> HttpResponse:
    context = {"form": form, "too_many": too_many, "refused": refused or []}
    return list_page(request, list_, "members", "memberships/box.html", context, status=422 if form.errors or refused else 200)


def _told(added: int, removed: int) -> str:
    said_added = ngettext("%(n)s person is added.", "%(n)s people are added.", added) % {"n": added} if added else ""
    said_removed = ngettext("%(n)s member is removed.", "%(n)s members are removed.", removed) % {"n": removed} if removed else ""
    return f"{said_added} {said_removed}".strip() or _("Nothing was to change.")
