"""Limits of sending services, and groups of destinations: what they allow, how they stand. For administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.pacing import read_rates
from colporteur.domain.providers import HOSTS
from colporteur.flow import destinations as groups
from colporteur.flow import limits
from colporteur.flow.limits import Limit, Thing
from colporteur.flow.mailings import Totals, totals
from colporteur.store.buckets import ACCOUNT, LIST, ORGANISATION, TRANSPORT
from colporteur.store.destinations import DestinationGroup
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import audience_count
from colporteur.store.rights import Right, administers
from colporteur.store.transports import Transport
from colporteur.web.frame import list_page
from colporteur.web.guard import admin_only, list_or_404, organisation_or_404, person_of
from colporteur.web.saying import said

_RATES = gettext_lazy("One a line, like 200/hour, 2000/day or 30/15 minutes. Empty: no limit.")
_SHOWN = 10
_CHOICES = {"": None, "yes": True, "no": False}


class OfTransport(forms.Form):
    """Limits of a service and its account, by hand or as a host publishes them."""

    profile = forms.ChoiceField(label=gettext_lazy("As the host publishes them"), required=False, help_text=gettext_lazy("Four fifths of the published figure, in place of what stands below."))
    rates = forms.CharField(label=gettext_lazy("Limits of this service"), required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=_RATES)
    account = forms.CharField(label=gettext_lazy("Limits of the account"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    by_destination = forms.ChoiceField(label=gettext_lazy("Limits of destinations"), required=False, choices=[
        ("", gettext_lazy("When this service has limits itself")), ("yes", gettext_lazy("Always")), ("no", gettext_lazy("Never"))],
        help_text=gettext_lazy("A server of your own that keeps to them itself needs none from here."))  # fmt: skip

    def __init__(self, account: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["profile"].choices = [("", _("As written below")), *((host.name, host.title) for host in HOSTS)]  # type: ignore[attr-defined]
        if account:
            self.fields["account"].help_text = _("Shared by every service that uses %(account)s.") % {"account": account}
        else:
            del self.fields["account"]


@admin_only
def transport(request: HttpRequest, number: int) -> HttpResponse:
    """Limits of one sending service."""
    found = get_object_or_404(Transport, pk=number, removed__isnull=True)
    account = limits.of_account(found)
    own, shared = limits.show(limits.of_transport(found)), limits.show(account)
    choice = next(word for word, value in _CHOICES.items() if value is found.by_destination)
    form = OfTransport(account.name if account else "", request.POST or None, initial={"rates": _lines(own), "account": _lines(shared), "by_destination": choice})
    if request.method == "POST" and form.is_valid() and _save(request, found, form):
        messages.success(request, _("The limits hold from now on."))
        return redirect("transport-limits", found.pk)
    return render(request, "limits/transport.html", {"form": form, "transport": found, "account": account, "own": own, "shared": shared, "suggested": limits.suggested(found)})


def _save(request: HttpRequest, found: Transport, form: OfTransport) -> bool:
    now, person, values = timezone.now(), person_of(request), form.cleaned_data
    account = limits.of_account(found)
    if values["profile"]:
        limits.use_profile(found, values["profile"], now, person)
    else:
        wanted = {}
        for name in ("rates", "account"):
            try:
                wanted[name] = read_rates(values.get(name, ""))
            except ValueError as error:
                form.add_error(name, said(error))
                return False
        limits.change(limits.of_transport(found), wanted["rates"], now, person)
        if account:
            limits.change(account, wanted["account"], now, person)
    limits.by_destination(found, _CHOICES[values["by_destination"]], now, person)
    return True


def _lines(found: Sequence[Limit]) -> str:
    return "\n".join(str(limit.rate) for limit in found)


class OfPlace(forms.Form):
    """Limits of a list, or of all lists of an organisation."""

    rates = forms.CharField(label=gettext_lazy("Recipients"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text=_RATES)


@login_required
def of_list(request: HttpRequest, number: int) -> HttpResponse:
    """Every limit a list is under, what is used of it, when what is under way will have left; administrators change its own."""
    list_ = list_or_404(request, number, Right.MANAGE)
    may = administers(person_of(request), list_.organisation_id)
    form = _changed(request, limits.of_list(list_), may)
    if form is None:
        return redirect("list-limits", list_.pk)
    kinds = {LIST: _("This list"), ORGANISATION: _("All lists of the organisation"), TRANSPORT: _("Sending service"), ACCOUNT: _("Account at the provider")}
    now = timezone.now()
    audience = audience_count(list_)
    context = {"above": [(kinds[held.thing.kind], held) for held in limits.above(list_)], "audience": audience, "takes": limits.before_sending(list_, audience, now), "under_way": _under_way(Mailing.objects.filter(list=list_), now), "form": form if may else None}
    return list_page(request, list_, "list-transport", "limits/list.html", context)


@login_required
def of_organisation(request: HttpRequest, number: int) -> HttpResponse:
    """What all lists of an organisation may send together, what of it is used, what is under way; the site's administrators change it."""
    organisation = organisation_or_404(request, number)
    thing, may = limits.of_organisation(organisation), person_of(request).is_admin
    form = _changed(request, thing, may)
    if form is None:
        return redirect("organisation-limits", organisation.pk)
    slower = [(list_, rates) for list_, rates in limits.lists_with_limits(organisation)]
    context = {"organisation": organisation, "own": limits.show(thing), "slower": slower, "under_way": _under_way(Mailing.objects.filter(list__organisation=organisation), timezone.now()), "form": form if may else None}
    return render(request, "limits/organisation.html", context)


def _changed(request: HttpRequest, thing: Thing, may: bool) -> OfPlace | None:
    """The form to show; None: the limits were changed. Raises ``Http404`` for somebody who may only look."""
    form = OfPlace(request.POST or None, initial={"rates": _lines(limits.show(thing))})
    if request.method != "POST":
        return form
    if not may:
        raise Http404
    if form.is_valid():
        try:
            limits.change(thing, read_rates(form.cleaned_data["rates"]), timezone.now(), person_of(request))
        except ValueError as error:
            form.add_error("rates", said(error))
        else:
            messages.success(request, _("The limits hold from now on."))
            return None
    return form


def _under_way(found: QuerySet[Mailing], now: datetime) -> list[tuple[Mailing, Totals]]:
    """Mailings that are leaving, the newest first, with their expected end."""
    rows = found.filter(kind__in=(MailingKind.POST, MailingKind.DIGEST), state__in=(MailingState.PLANNED, MailingState.RUNNING)).select_related("list").order_by("-id")[:_SHOWN]
    return [(mailing, totals(mailing.pk, now)) for mailing in rows]


@admin_only
def destinations(request: HttpRequest) -> HttpResponse:
    """Every group of destinations and how it stands."""
    groups.ship()
    rows = list(DestinationGroup.objects.order_by("title"))
    now = timezone.now()
    shown = limits.shown([limits.of_group(row) for row in rows])
    return render(request, "limits/destinations.html", {"rows": [(row, row.state(now), rates, row.stopped(now)) for row, rates in zip(rows, shown, strict=True)]})


class OfGroup(forms.Form):
    """A group of destinations."""

    rates = forms.CharField(label=gettext_lazy("Limits"), required=False, widget=forms.Textarea(attrs={"rows": 2}), help_text=_RATES)
    connections = forms.IntegerField(label=gettext_lazy("Copies under way at once"), min_value=0, max_value=1000, help_text=gettext_lazy("In each worker; 0 for any number."))
    messages = forms.IntegerField(label=gettext_lazy("Messages of one connection"), min_value=0, max_value=10_000, required=False, help_text=gettext_lazy("After so many the connection is ended and another opened; 0 for any number."))
    domains = forms.CharField(label=gettext_lazy("Domains"), required=False, widget=forms.Textarea(attrs={"rows": 5}), help_text=gettext_lazy("One a line."))
    exchangers = forms.CharField(label=gettext_lazy("Mail servers"), required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=gettext_lazy("What their names end in, one a line: domains whose mail they take belong to the group, too."))
    enabled = forms.BooleanField(label=gettext_lazy("Count these destinations together"), required=False)


@admin_only
def destination(request: HttpRequest, number: int) -> HttpResponse:
    """One group: why it rests, and what it allows."""
    found = get_object_or_404(DestinationGroup, pk=number)
    thing = limits.of_group(found)
    own = limits.show(thing)
    initial = {"rates": _lines(own), "connections": found.connections, "messages": found.messages, "domains": "\n".join(found.domains), "exchangers": "\n".join(found.exchangers), "enabled": found.enabled}
    form = OfGroup(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values, now, person = form.cleaned_data, timezone.now(), person_of(request)
        try:
            rates = read_rates(values["rates"])
            groups.change(found, {"connections": values["connections"], "messages": values["messages"] or 0, "domains": values["domains"].split(), "exchangers": values["exchangers"].split(), "enabled": values["enabled"]}, now, person)
            limits.change(thing, rates, now, person)
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("The limits hold from now on."))
            return redirect("destination", found.pk)
    return render(request, "limits/destination.html", {"form": form, "group": found, "state": found.state(timezone.now()), "own": own, "streams": found.streams.filter(until__isnull=False).select_related("transport").order_by("transport__name")})


@require_POST
@admin_only
def resume(request: HttpRequest, number: int) -> HttpResponse:
    """Sends to a resting group again."""
    found = get_object_or_404(DestinationGroup, pk=number)
    if groups.resume(found, timezone.now(), person_of(request)):
        messages.success(request, _("Mail to %(group)s goes on.") % {"group": found.title})
    else:
        messages.warning(request, _("Mail to %(group)s was neither slowed down nor at rest.") % {"group": found.title})
    return redirect("destination", found.pk)
