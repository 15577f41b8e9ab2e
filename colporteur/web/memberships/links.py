"""Leaving by the link of a copy: GET asks, POST acts, and the mail program's one-click POST acts too (RFC 8058)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.addresses import Service
from colporteur.flow.leaving import by_token
from colporteur.flow.letters import service_address
from colporteur.flow.memberships import named_by_token
from colporteur.web.joining.words import parting


@csrf_exempt  # RFC 8058 section 3.1: the POST carries no cookie and no other context than the address
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """Whether to leave the list; the answer is the same when it is said twice."""
    acted = by_token(token, timezone.now()) if request.method == "POST" else None
    found = acted[0] if acted else named_by_token(token)
    if found is None:
        raise Http404
    context = {"list": found.list, "email": found.address.email, "way": found.way, "member": found.member, "path": found.path}
    if acted and found.way.asked_for:
        context |= dict(zip(("title", "sentence"), parting(acted[1], found.list, found.address.email), strict=True))
    return render(request, "memberships/leave.html", context | {"owner": service_address(found.list, Service.OWNER)[0]})
