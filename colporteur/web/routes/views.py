"""By which sending services mail leaves: of a list, and of a domain, an organisation or the site; the same page at each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.domain.policy import Layer
from colporteur.domain.routes import MOST_WEIGHT, Step
from colporteur.flow import routes, services, transports
from colporteur.flow.routes import Place, Route
from colporteur.store.organisations import Organisation
from colporteur.store.rights import Right
from colporteur.store.transports import Transport
from colporteur.web.frame import list_page, whole
from colporteur.web.guard import admin_only, domain_or_404, list_or_404, organisation_or_404, person_of
from colporteur.web.saying import said

_RANKS = 4


class Row(NamedTuple):
    """A sending service in the form: where it stands and what its part is."""

    transport: Transport
    health: str
    rank: str
    weight: int | str


@login_required
def of_list(request: HttpRequest, number: int) -> HttpResponse:
    """The way out of a list's mail, where it comes from, and the list's own route."""
    list_ = list_or_404(request, number, Right.MANAGE)
    done, typed, fault = _save(request, list_)
    if done:
        return done
    route = routes.route_of(list_)
    context = _context(list_, typed, list_.organisation, fault) | {"route": route, "shown": _shown(route), "origin": _origins(list_.organisation.name, list_.domain.name if list_.domain else "")[route.origin]}
    context["mixed"] = list_.template == services.NEWSLETTER and any(services.mixed(transport) for transport in route.transports.values())
    return list_page(request, list_, "list-transport", "routes/list.html", context, status=422 if fault else 200)


@admin_only
def of_site(request: HttpRequest) -> HttpResponse:
    """What lists leave by when nothing nearer says something else."""
    return _above(request, routes.site(), None, _("Route of the site"))


@login_required
def of_organisation(request: HttpRequest, number: int) -> HttpResponse:
    """What the lists of an organisation leave by."""
    found = organisation_or_404(request, number)
    return _above(request, found, found, found.name)


@login_required
def of_domain(request: HttpRequest, number: int) -> HttpResponse:
    """What the lists of a domain leave by."""
    found = domain_or_404(request, number)
    return _above(request, found, found.organisation, found.name)


def _above(request: HttpRequest, place: Place, organisation: Organisation | None, title: str) -> HttpResponse:
    done, typed, fault = _save(request, place)
    return done or render(request, "routes/above.html", _context(place, typed, organisation, fault) | {"title": title}, status=422 if fault else 200)


def _save(request: HttpRequest, place: Place) -> tuple[HttpResponse | None, dict[int, tuple[str, str]] | None, str]:
    """What was posted is saved. (answer when it was, what was typed by transport, what is wrong)"""
    if request.method != "POST":
        return None, None, ""
    typed: dict[int, tuple[str, str]] = {}
    if "inherit" not in request.POST:
        typed = {id_: (str(rank), str(request.POST.get(f"weight-{id_}", "1")).strip()) for key, rank in request.POST.dict().items() if key.startswith("rank-") and (id_ := whole(key.removeprefix("rank-")))}
    names = dict(Transport.objects.filter(pk__in=typed).values_list("pk", "name"))
    try:
        steps = [Step(names[id_], int(weight) if weight.isascii() and weight.isdigit() and len(weight) < 5 else 0, int(rank)) for id_, (rank, weight) in typed.items() if rank in "0123" and rank and id_ in names]
        changed = routes.set_route(place, steps, timezone.now(), by=person_of(request))
    except ValueError as error:
        return None, typed, said(error)
    messages.success(request, _("Saved.")) if changed else messages.info(request, _("Nothing was changed."))
    return redirect(request.path), None, ""


def _context(place: Place, typed: dict[int, tuple[str, str]] | None, organisation: Organisation | None, fault: str) -> dict[str, Any]:
    own = {step.transport: step for step in routes.own_steps(place)}
    rows = []
    for transport in transports.listed(organisation) if organisation else [one for one in transports.listed() if one.organisation_id is None]:
        step = own.get(transport.pk)
        rank, weight = typed.get(transport.pk, ("", "1")) if typed is not None else (str(step.rank) if step else "", str(step.weight) if step else "1")
        rows.append(Row(transport, transports.health(transport), rank, weight))
    rows.sort(key=lambda row: (row.rank or "9", row.transport.name))
    ranks = [("", _("not used")), ("0", _("first")), ("1", _("stands in")), ("2", _("stands in, second")), ("3", _("stands in, third"))]
    return {"rows": rows, "own": bool(own), "fault": fault, "ranks": ranks, "most_weight": MOST_WEIGHT}


def _shown(route: Route) -> list[tuple[str, list[tuple[Transport, str, str]]]]:
    """Ranks of the effective route, each with its transports, their health and their part in percent."""
    words = [_("First"), _("When none of these can"), _("Then"), _("At last")]
    answer: list[tuple[str, list[tuple[Transport, str, str]]]] = []
    for rank in sorted({step.rank for step in route.steps}):
        steps: Sequence[Step] = [step for step in route.steps if step.rank == rank]
        total = sum(step.weight for step in steps)
        ways = [(route.transports[step.transport], transports.health(route.transports[step.transport]), f"{round(100 * step.weight / total)} %" if len(steps) > 1 else "") for step in steps]
        answer.append((words[min(rank, _RANKS - 1)], ways))
    return answer


def _origins(organisation: str, domain: str) -> dict[Layer, str]:
    return {
        Layer.LIST: _("Chosen for this list."), Layer.DOMAIN: _("As the domain %(name)s says.") % {"name": domain}, Layer.ORGANISATION: _("As the organisation %(name)s says.") % {"name": organisation},
        Layer.SITE: _("As the site says."), Layer.DEFAULT: _("The default one: nothing else is chosen."),
    }  # fmt: skip
