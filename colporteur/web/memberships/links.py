"""Leaving by the link of a copy: GET asks, POST acts, and the mail program's one-click POST acts too (RFC 8058)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.addresses import Service
from colporteur.flow.letters import service_address
from colporteur.flow.memberships import leave_by_token, named_by_token


@csrf_exempt  # RFC 8058 section 3.1: the POST carries no cookie and no other context than the address
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """Whether to leave the list; the answer is the same when it is said twice."""
    found = leave_by_token(token, timezone.now()) if request.method == "POST" else named_by_token(token)
    if found is None:
        raise Http404
    context = {"list": found.list, "email": found.address.email, "allowed": found.allowed, "member": found.member, "path": found.path, "done": request.method == "POST" and found.allowed}
    return render(request, "memberships/leave.html", context | {"owner": service_address(found.list, Service.OWNER)[0]})
