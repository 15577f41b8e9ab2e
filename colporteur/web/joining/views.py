"""Who asks to join a list: the owners' queue."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from colporteur.flow import joining
from colporteur.flow.joining import Outcome
from colporteur.flow.strangers import may_know
from colporteur.store.joining import JoinRequest, JoinState
from colporteur.store.policies import policy
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.joining.words import admitted

SHOWN = 200


@login_required
def waiting(request: HttpRequest, number: int) -> HttpResponse:
    """Those who wait for a decision, the oldest first, and the invitations that are out."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = JoinRequest.objects.filter(list=list_).select_related("address").order_by("id")
    rules = policy(list_)
    public = f"{settings.BASE_URL}{reverse('join-list', args=[list_.host, list_.name])}" if may_know(list_) else ""
    context = {"public": public, "question": rules.join_question, "asking": found.filter(state=JoinState.WAITING)[:SHOWN], "invited": found.filter(state=JoinState.INVITED)[:SHOWN]}
    return list_page(request, list_, "members", "joining/waiting.html", context)


@require_POST
@login_required
def decide(request: HttpRequest, number: int, request_number: int) -> HttpResponse:
    """Admits or refuses one."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = JoinRequest.objects.filter(list=list_, pk=request_number).first()
    if row is None:
        raise Http404
    wish = request.POST.get("decision", "")
    if wish in ("accept", "refuse"):
        outcome = joining.decide(row.pk, wish == "accept", timezone.now(), by=person_of(request), reason=request.POST.get("reason", ""))
        found = JoinRequest.objects.select_related("list", "address").get(pk=row.pk)
        won = outcome is not Outcome.OVER
        (messages.success if won else messages.warning)(request, admitted(found, won=won))
    return redirect("joining", list_.pk)
