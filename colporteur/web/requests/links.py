"""Deciding about a requested list by the link of a letter: no signing in needed. GET shows and asks, POST acts."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from colporteur.flow import requests
from colporteur.store.requests import RequestState
from colporteur.web.requests.words import about, told


@csrf_exempt  # the token in the address is the whole authority; mail programs' windows keep no cookies
def one(request: HttpRequest, token: str) -> HttpResponse:
    """The request and its two decisions; when somebody else decided, who."""
    link = requests.read_token(token)
    if link is None:
        raise Http404
    found = link.request
    wish = request.POST.get("decision", "") if request.method == "POST" else ""
    if wish in ("activate", "refuse"):
        decided = requests.decide(found.pk, wish == "activate", timezone.now(), by=link.person, reason=request.POST.get("reason", ""))
        title = _("Thank you") if decided.won else _("This request was already decided")
        return render(request, "requests/decided.html", {"title": title, "sentence": told(decided)}, status=200 if decided.won else 409)
    if found.state != RequestState.OPEN:
        return render(request, "requests/decided.html", {"title": _("This request was already decided"), "sentence": told(requests.Decided(False, found))})
    return render(request, "requests/link.html", about(found) | {"wish": request.GET.get("do", "")})
