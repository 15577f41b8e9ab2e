"""Lists that are asked for: the form, the queue, one request with its decisions."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.flow import creating, requests
from colporteur.flow.creating import Way
from colporteur.store.requests import RequestState
from colporteur.store.rights import administers
from colporteur.web import kinds
from colporteur.web.frame import page_by, whole
from colporteur.web.guard import person_of
from colporteur.web.requests.forms import Ask
from colporteur.web.requests.words import about, state_words, told
from colporteur.web.saying import said


@login_required
def ask(request: HttpRequest) -> HttpResponse:
    """Asks for a list on a domain whose lists are asked for."""
    person = person_of(request)
    domains = creating.domains(person, Way.ASK)
    if not domains:
        raise Http404
    known = kinds.kinds(domain.organisation_id for domain in domains)
    form = Ask(domains, known, request.POST or None, initial={"template": request.GET.get("template", "discussion")})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = requests.ask(
                person, f"{values['name']}@{values['domain']}", values["template"], values["purpose"], timezone.now(),
                title=values["title"], owners=[values["owner"]] if values["owner"] else [],
            )  # fmt: skip
        except ValueError as error:
            form.add_error("name", said(error))
        else:
            messages.success(request, _("Your request is on its way to the administrators. Meanwhile you can make every setting."))
            if not values["owner"]:
                messages.warning(request, _("The list has one owner: a second one is advised, under “Roles”."))
            return redirect("list-settings", made.list_id)
    return render(request, "requests/ask.html", {"form": form, "kinds": known})


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Open requests one may decide about, then one's own and the decided ones, newest first."""
    person = person_of(request)
    waiting = requests.waiting_for(person).select_related("person", "organisation").order_by("pk")[:100]
    found = requests.requests_for(person).exclude(pk__in=requests.waiting_for(person).values("pk")).order_by("-pk")
    if before := whole(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    page = page_by(found, "pk", 30)
    context = {"waiting": waiting, "rows": [(one, *state_words(one)) for one in page.rows], "next": page.next, "may_ask": creating.possible(person, Way.ASK)}
    return render(request, "requests/index.html", context)


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One request. Administrators decide, who asked may take it back; both by POST."""
    person = person_of(request)
    found = requests.requests_for(person).filter(pk=number).first()
    if found is None:
        raise Http404
    may_decide = administers(person, found.organisation_id)
    wish = request.POST.get("decision", "") if request.method == "POST" else ""
    if wish in ("activate", "refuse") and may_decide:
        return _onward(request, requests.decide(found.pk, wish == "activate", timezone.now(), by=person, reason=request.POST.get("reason", "")))
    if wish == "withdraw" and found.person_id == person.pk:
        return _onward(request, requests.withdraw(found.pk, timezone.now(), by=person))
    context = about(found) | {"may_decide": may_decide and found.state == RequestState.OPEN, "own": found.person_id == person.pk and found.state == RequestState.OPEN}
    return render(request, "requests/one.html", context)


def _onward(request: HttpRequest, decided: requests.Decided) -> HttpResponse:
    (messages.success if decided.won else messages.warning)(request, told(decided))
    return redirect("requests")


