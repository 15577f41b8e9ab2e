"""The opposition list: addresses nobody may add. Only hashes under our key are kept, so one asks it about addresses one knows."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import ngettext

from colporteur.domain import entries
from colporteur.flow import oppositions
from colporteur.store import privacy
from colporteur.store.privacy import Opposition
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said

SHOWN = 50


@admin_only
def page(request: HttpRequest) -> HttpResponse:
    """GET: how many there are, the newest hashes, and a box for addresses. POST: whether they are on it; put on it; taken off."""
    text = request.POST.get("lines", "")
    read = entries.of_lines(entries.lines_of(text))
    emails = list(dict.fromkeys(entry.email for entry in read.taken))
    context = {"text": text, "total": Opposition.objects.count(), "newest": [(bytes(row.digest).hex(), row.at, row.reason) for row in Opposition.objects.order_by("-at")[:SHOWN]], "refused": [(line, said(reason), shown) for line, reason, shown in read.refused]}
    if request.method == "POST" and emails and not read.refused:
        wish, person = request.POST.get("wish", ""), person_of(request)
        if wish == "oppose":
            n = oppositions.oppose(emails, timezone.now(), by=person)
            messages.success(request, ngettext("%(n)s address can be added by nobody but who has it.", "%(n)s addresses can be added by nobody but who has them.", n) % {"n": n})
            return redirect("oppositions")
        if wish == "end":
            n = oppositions.end(emails, timezone.now(), by=person)
            messages.success(request, ngettext("%(n)s address may be added again.", "%(n)s addresses may be added again.", n) % {"n": n})
            return redirect("oppositions")
        opposed = privacy.opposed(emails)
        context["answers"] = [(email, email in opposed) for email in emails]
    return render(request, "privacy/oppositions.html", context, status=422 if read.refused else 200)
