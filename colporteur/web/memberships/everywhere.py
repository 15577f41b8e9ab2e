"""People found in all lists one may manage, or those of one organisation; paused or removed there, with a report."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from colporteur.domain import entries
from colporteur.flow import everywhere
from colporteur.store.lists import List
from colporteur.store.organisations import Organisation
from colporteur.store.rights import Right, lists_for
from colporteur.web.frame import whole
from colporteur.web.guard import person_of
from colporteur.web.saying import said

SHOWN = 500


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """GET: where addresses are written. POST: where they are members; with ``wish``: done, and told list by list."""
    mine = lists_for(person_of(request), Right.MANAGE)
    if not mine.exists():
        raise Http404
    organisations = list(Organisation.objects.filter(pk__in=mine.values("organisation")).order_by("name")[:SHOWN])
    text, chosen = request.POST.get("lines", "") or request.GET.get("q", ""), whole(request.POST.get("organisation"))
    context: dict[str, Any] = {"text": text, "organisations": organisations if len(organisations) > 1 else [], "chosen": chosen}
    if request.method == "POST":
        context |= _answer(request, mine.filter(organisation=chosen) if chosen else mine, text)
    return render(request, "memberships/everywhere.html", context, status=422 if context.get("refused") else 200)


def _answer(request: HttpRequest, lists: QuerySet[List], text: str) -> dict[str, Any]:
    read = entries.of_lines(entries.lines_of(text))
    if read.refused or not read.taken:
        return {"refused": [(line, said(reason), shown) for line, reason, shown in read.refused[:SHOWN]], "nobody": not read.taken and not read.refused}
    emails, wish = list(dict.fromkeys(entry.email for entry in read.taken)), request.POST.get("wish", "")
    by, now = person_of(request), timezone.now()
    if wish == "remove":
        report = everywhere.remove(lists, emails, now, by=by)
    elif wish in ("pause", "resume"):
        report = everywhere.pause(lists, emails, now, by=by, paused=wish == "pause")
    else:
        places = everywhere.find(lists, emails)
        known = {place.email for place in places}
        return {"asked": True, "places": places[:SHOWN], "number": len(places), "people": len(known), "nowhere": [email for email in emails if email not in known]}
    return {"done": wish, "report": [(address, len(who), who[:20]) for address, who in report.changed.items()], "number": sum(map(len, report.changed.values())), "nowhere": report.nowhere}
