"""The way back by the link of a letter: GET asks, POST acts."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.bounces import Kind
from colporteur.flow import standing
from colporteur.store.memberships import Membership


@csrf_exempt  # the token in the address is the whole authority; mail programs' windows keep no cookies
def back(request: HttpRequest, token: str) -> HttpResponse:
    """Whether messages shall come again; the answer is the same when it is said twice."""
    now = timezone.now()
    found = standing.named(token, now)
    if found is None:
        raise Http404
    if not found.good:
        return render(request, "standing/back.html", {"email": found.address.email, "over": True}, status=410)
    done = request.method == "POST"
    if done:
        standing.come_back([found.address.pk], now, by=found.address.email)
    lists = [row.list for row in Membership.objects.filter(address=found.address, until__isnull=True).exclude(list__state="deleted").select_related("list").order_by("list__address")[:100]]
    context = {"email": found.address.email, "ask": found.row is not None and not done, "complained": found.row is not None and found.row.kind == Kind.COMPLAINT, "done": done, "lists": lists}
    return render(request, "standing/back.html", context)
