"""Who asks to join or to leave a list: the owners' queue."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from colporteur.domain import entries
from colporteur.flow import joining, leaving
from colporteur.flow.joining import Outcome
from colporteur.flow.strangers import may_know
from colporteur.store.joining import JoinRequest, JoinState
from colporteur.store.leaving import LeaveRequest
from colporteur.store.leaving import waiting as leave_requests
from colporteur.store.policies import policy
from colporteur.store.rights import Right
from colporteur.web.frame import list_page
from colporteur.web.guard import list_or_404, person_of
from colporteur.web.joining.words import admitted, let_go
from colporteur.web.saying import said

SHOWN = 200
INVITED = 200
"""So many are invited by one press of the button."""


@login_required
def waiting(request: HttpRequest, number: int) -> HttpResponse:
    """Those who wait for a decision, the oldest first, and the invitations that are out."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = JoinRequest.objects.filter(list=list_).select_related("address").order_by("id")
    rules = policy(list_)
    public = f"{settings.BASE_URL}{reverse('join-list', args=[list_.host, list_.name])}" if may_know(list_) else ""
    context = {"public": public, "question": rules.join_question, "asking": found.filter(state=JoinState.WAITING)[:SHOWN], "invited": found.filter(state=JoinState.INVITED)[:SHOWN], "parting": leave_requests(list_).order_by("id")[:SHOWN]}
    return list_page(request, list_, "members", "joining/waiting.html", context)


@require_POST
@login_required
def invite(request: HttpRequest, number: int) -> HttpResponse:
    """Invites addresses, or writes again to who was invited. Nobody gets more than one letter a day."""
    list_ = list_or_404(request, number, Right.MANAGE)
    read = entries.of_lines(entries.lines_of(request.POST.get("lines", "")))
    if read.refused or len(read.taken) > INVITED:
        messages.error(request, _("Nobody was invited: mend line %(line)s (%(why)s).") % {"line": read.refused[0].line, "why": said(read.refused[0].reason)} if read.refused else _("Nobody was invited: at most %(most)s at a time.") % {"most": INVITED})
        return redirect("joining", list_.pk)
    try:
        outcomes = [joining.invite(list_, entry.email, timezone.now(), by=person_of(request), name=entry.name) for entry in read.taken]
    except ValueError as error:
        messages.error(request, said(error))
        return redirect("joining", list_.pk)
    asked, there = sum(outcome is Outcome.ASKED for outcome in outcomes), sum(outcome is Outcome.MEMBER for outcome in outcomes)
    messages.success(request, ngettext("%(n)s person is invited.", "%(n)s people are invited.", asked) % {"n": asked} + (" " + ngettext("%(n)s was there already.", "%(n)s were there already.", there) % {"n": there} if there else ""))
    return redirect("joining", list_.pk)


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


@require_POST
@login_required
def part(request: HttpRequest, number: int, request_number: int) -> HttpResponse:
    """Lets one member go, or refuses."""
    list_ = list_or_404(request, number, Right.MANAGE)
    row = LeaveRequest.objects.filter(list=list_, pk=request_number).first()
    if row is None:
        raise Http404
    wish = request.POST.get("decision", "")
    if wish in ("accept", "refuse"):
        outcome = leaving.decide(row.pk, wish == "accept", timezone.now(), by=person_of(request), reason=request.POST.get("reason", ""))
        found = LeaveRequest.objects.select_related("list", "address").get(pk=row.pk)
        won = outcome is not leaving.Outcome.OVER
        (messages.success if won else messages.warning)(request, let_go(found, won=won))
    return redirect("joining", list_.pk)
