"""Pages behind the links of letters: joining, admitting somebody, letting somebody go, confirming commands. GET shows and asks, POST acts."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.tokens import Purpose
from colporteur.flow import errands, joining, leaving
from colporteur.flow.commands import wanted
from colporteur.flow.joining import JoinLink, Outcome
from colporteur.store.joining import JoinState
from colporteur.store.leaving import LeaveState
from colporteur.web.guard import client_of
from colporteur.web.joining.words import admitted, joined, let_go


@csrf_exempt  # the token in the address is the whole authority; mail programs' windows keep no cookies
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The page of whoever asked to join, or of an owner who decides about that, or about somebody who asks to leave."""
    if link := joining.read_token(token, Purpose.JOIN):
        return _join(request, link)
    if link := joining.read_token(token, Purpose.ADMIT):
        return _admit(request, link)
    if part := leaving.read_token(token):
        return _part(request, part)
    raise Http404


@csrf_exempt
def commands(request: HttpRequest, token: str) -> HttpResponse:
    """What a message asked for by commands; done at the press of the button."""
    found = errands.wish(token, timezone.now())
    if found is None:
        raise Http404
    context = {"list": found.list, "email": found.author.email, "wanted": [wanted(one).removeprefix("- ") for one in found.changes]}
    if request.method == "POST":
        context["said"] = [words() for words in errands.fulfil(found, timezone.now())]
    return render(request, "joining/commands.html", context)


def _join(request: HttpRequest, link: JoinLink) -> HttpResponse:
    row = link.request
    context = {"list": row.list, "email": row.address.email, "ask": row.state in (JoinState.ASKED, JoinState.INVITED) and request.method != "POST"}
    if not context["ask"]:
        outcome = joining.confirm(row.pk, timezone.now(), client_of(request)) if request.method == "POST" else Outcome(row.state)
        context |= dict(zip(("title", "sentence"), joined(outcome, row), strict=True))
    return render(request, "joining/join.html", context)


def _admit(request: HttpRequest, link: JoinLink) -> HttpResponse:
    row, wish = link.request, request.POST.get("decision", "") if request.method == "POST" else ""
    context = {"list": row.list, "asked": row, "wish": request.GET.get("do", ""), "sentence": ""}
    status = 200
    if wish in ("accept", "refuse"):
        outcome = joining.decide(row.pk, wish == "accept", timezone.now(), by=link.address.person or link.address.email, reason=request.POST.get("reason", ""))
        row.refresh_from_db()
        context["sentence"], status = admitted(row, won=outcome is not Outcome.OVER), 409 if outcome is Outcome.OVER else 200
    elif row.state != JoinState.WAITING:
        context["sentence"] = admitted(row, won=False)
    return render(request, "joining/admit.html", context, status=status)


def _part(request: HttpRequest, link: leaving.PartLink) -> HttpResponse:
    row, wish = link.request, request.POST.get("decision", "") if request.method == "POST" else ""
    context = {"list": row.list, "asked": row, "wish": request.GET.get("do", ""), "sentence": "", "leaves": True}
    status = 200
    if wish in ("accept", "refuse"):
        outcome = leaving.decide(row.pk, wish == "accept", timezone.now(), by=link.owner.person or link.owner.email, reason=request.POST.get("reason", ""))
        row.refresh_from_db()
        context["sentence"], status = let_go(row, won=outcome is not leaving.Outcome.OVER), 409 if outcome is leaving.Outcome.OVER else 200
    elif row.state != LeaveState.WAITING:
        context["sentence"] = let_go(row, won=False)
    return render(request, "joining/admit.html", context, status=status)
