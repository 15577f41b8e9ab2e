"""Public pages: the lists of a domain, joining one, leaving one. What a stranger is told is the same whatever an address is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.policy import Joining
from colporteur.flow import attributes, strangers
from colporteur.flow.joining import Asking, Outcome
from colporteur.flow.moderation.telling import owner_address
from colporteur.flow.strangers import Shown, Taken
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain
from colporteur.store.people import Person
from colporteur.store.policies import policy
from colporteur.web.asking import answers, ask, bound
from colporteur.web.guard import CONTENT_POLICY, client_of, person_of
from colporteur.web.joining.forms import Join, Leave
from colporteur.web.joining.words import asked, wanted
from colporteur.web.saying import said

AT_ONCE = 20
"""Lists that are asked for by one press of the button."""


def join(request: HttpRequest, host: str, name: str) -> HttpResponse:
    """What a list is, and the way onto it."""
    list_ = _named(host, name, strangers.may_know)
    person = _person(request)
    emails = _proven(person)
    rules = policy(list_)
    form = Join(request.POST or None, question=rules.join_question, emails=emails)
    ask(form, attributes.asked_of(list_))
    context = {"list": list_, "asked": bound(form), "way": rules.joining, "owner": owner_address(list_), "leaves": rules.leaving.asked_for, "on_it": list(_memberships(person).filter(list=list_).values_list("address__email", flat=True))}
    if request.method == "POST" and rules.joining.asked_for and form.is_valid():
        values = form.cleaned_data
        try:
            outcome = _ask(request, list_, person if emails else None, form)
        except ValueError as error:
            form.add_error("email", said(error))
        else:
            title, sentence = asked(outcome, list_, values["email"])
            return render(request, "joining/asked.html", context | {"title": title, "sentence": sentence}, status=429 if outcome is Taken.LATER else 200)
    return render(request, "joining/ask.html", context | {"form": form}, status=422 if form.errors else 200)


@csrf_exempt  # another site's page has no token of ours; whoever asks is a stranger, and asks for a letter at most
@xframe_options_exempt
def embedded(request: HttpRequest, host: str, name: str) -> HttpResponse:
    """The form inside another site's page, or copied into it: a stranger asks. Ends at the page the list names, or at our own."""
    list_ = _named(host, name, strangers.may_know)
    language = request.POST.get("language", request.GET.get("language", ""))
    with translation.override(language if language in dict(settings.LANGUAGES) else _language()):
        answer = _embedded(request, list_)
    answer["Content-Security-Policy"] = CONTENT_POLICY.replace("frame-ancestors 'none'", f"frame-ancestors 'self' {policy(list_).form_sites}".rstrip())
    return answer


def _embedded(request: HttpRequest, list_: List) -> HttpResponse:
    rules = policy(list_)
    form = Join(request.POST or None, question=rules.join_question)
    ask(form, attributes.asked_of(list_))
    context = {"list": list_, "asked": bound(form), "way": rules.joining, "owner": owner_address(list_), "language": _language()}
    if request.method == "POST" and rules.joining.asked_for and form.is_valid():
        outcome = _ask(request, list_, None, form)
        if rules.form_return and outcome is Taken.TAKEN and not request.POST.get("framed"):
            return redirect(rules.form_return)
        title, sentence = asked(outcome, list_, form.cleaned_data["email"])
        return render(request, "joining/asked.html", context | {"title": title, "sentence": sentence, "way": ""}, status=429 if outcome is Taken.LATER else 200)
    return render(request, "joining/embedded.html", context | {"form": form}, status=422 if form.errors else 200)


def leave(request: HttpRequest, host: str, name: str) -> HttpResponse:
    """The way off a list, for somebody without one of its messages at hand."""
    list_ = _named(host, name, strangers.may_leave_here)
    form = Leave(request.POST or None)
    rule = policy(list_).leaving
    context = {"list": list_, "owner": owner_address(list_), "way": rule}
    if request.method == "POST" and rule.asked_for and form.is_valid():
        email = form.cleaned_data["email"]
        answer = Taken.TAKEN if form.trapped else strangers.leave(list_, email, timezone.now(), client_of(request), _language())
        title, sentence = wanted(answer, list_, email)
        return render(request, "joining/asked.html", {"list": list_, "title": title, "sentence": sentence}, status=429 if answer is Taken.LATER else 200)
    return render(request, "joining/leave.html", context | {"form": form}, status=422 if form.errors else 200)


def directory(request: HttpRequest, host: str) -> HttpResponse:
    """The lists of a domain anybody may see. Those that are ticked are asked for together."""
    domain = Domain.objects.filter(name=host.lower(), enabled=True).select_related("organisation").first()
    if domain is None:
        raise Http404
    found, after = strangers.on_domain(domain.name, request.GET.get("after", "").replace("\x00", ""))
    return _several(request, found, after, {"domain": domain}, "joining/directory.html")


@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """What somebody who is signed in may join."""
    found, after = strangers.for_person(person_of(request), request.GET.get("after", "").replace("\x00", ""))
    return _several(request, found, after, {}, "joining/mine.html")


def _several(request: HttpRequest, found: list[Shown], after: str, context: dict[str, Any], template: str) -> HttpResponse:
    person = _person(request)
    emails = _proven(person)
    form = Join(request.POST or None, emails=emails)
    ticked = [one.list for one in found if str(one.list.pk) in request.POST.getlist("list")][:AT_ONCE]
    on_it = set(_memberships(person).filter(list__in=[one.list.pk for one in found]).values_list("list_id", flat=True))
    context |= {"rows": [(one.list, one.way in (Joining.OWNER, Joining.APPROVAL), one.list.pk in on_it) for one in found], "next": after, "form": form, "nothing": request.method == "POST" and not ticked, "ticked": {list_.pk for list_ in ticked}}
    if request.method == "POST" and ticked and form.is_valid():
        told = []
        for list_ in ticked:
            try:
                told.append(asked(_ask(request, list_, person if emails else None, form), list_, form.cleaned_data["email"])[1])
            except ValueError as error:
                told.append(f"{list_.title or list_.name}: {said(error)}")
        context["told"] = list(dict.fromkeys(told))
    return render(request, template, context, status=422 if form.errors or context["nothing"] else 200)


def _ask(request: HttpRequest, list_: List, person: Person | None, form: Join) -> Outcome | Taken:
    values = form.cleaned_data
    if form.trapped:
        return Taken.TAKEN
    known = {key: value for key, value in answers(form).items() if value is not None}
    asking = Asking(values.get("name", ""), "web", f"signed in as person {person.pk}" if person else "", values.get("words", ""), _language(), client_of(request), known)
    if person:
        return strangers.join_signed_in(list_, person, values["email"], timezone.now(), asking)
    return strangers.join(list_, values["email"], timezone.now(), asking)


def _named(host: str, name: str, shown: Callable[[List], bool]) -> List:
    found = strangers.named(host, name)
    if found is None or not shown(found):
        raise Http404
    return found


def _person(request: HttpRequest) -> Person | None:
    return person_of(request) if request.user.is_authenticated else None


def _proven(person: Person | None) -> tuple[str, ...]:
    return tuple(person.addresses.filter(verified_at__isnull=False).order_by("id").values_list("email", flat=True)) if person else ()


def _memberships(person: Person | None) -> QuerySet[Membership]:
    return Membership.objects.filter(until__isnull=True, address__person=person) if person else Membership.objects.none()


def _language() -> str:
    return (translation.get_language() or "")[:2]
