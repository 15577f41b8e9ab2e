"""Newsletters: all of them."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.store.rights import Right, lists_for
from colporteur.web.campaigns.rows import campaigns_of, kind_of, rows
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import person_of


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Newsletters of every list the person may send for, newest first."""
    person = person_of(request)
    lists = lists_for(person, Right.MANAGE)
    if not person.is_admin and not lists.exists():
        raise Http404
    chosen = request.GET.get("state", "")
    of = lists.filter(pk=whole(request.GET.get("list")) or 0).first()
    found = campaigns_of(person).filter(kind_of(chosen)).order_by("-pk")
    if of:
        found = found.filter(list=of)
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk", 30)
    states = [("", _("All of them")), ("draft", _("Not sent yet")), ("running", _("On the way")), ("sent", _("Sent"))]
    return render(request, "campaigns/index.html", {"rows": rows(page.rows, timezone.now()), "next": page.next, "states": states, "chosen": chosen, "of": of})
