"""The site's settings: organisations with their domains and service switches, and the way to everything else."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from colporteur.flow import organisations, transports
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Domain, Organisation
from colporteur.web.frame import page_by
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said


class AddDomain(forms.Form):
    """A mail domain, of an organisation there is or of a new one."""

    name = forms.CharField(label=gettext_lazy("Mail domain"), max_length=253, help_text=gettext_lazy("Like lists.example.org; its mail must be brought to this server."))
    organisation = forms.ChoiceField(label=gettext_lazy("Organisation"), required=False)
    new = forms.CharField(label=gettext_lazy("Or a new organisation"), max_length=200, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organisation"].choices = [(str(o.pk), o.name) for o in Organisation.objects.order_by("name")] or [("", gettext_lazy("The first one"))]  # type: ignore[attr-defined]


@admin_only
def settings(request: HttpRequest) -> HttpResponse:
    """Domains by name, fifty a page; sending services; the site's policy."""
    found = Domain.objects.select_related("organisation").order_by("name")
    if after := request.GET.get("after", ""):
        found = found.filter(name__gt=after)
    page = page_by(found, "name")
    lists = dict(List.objects.filter(domain__in=page.rows).exclude(state=ListState.DELETED).values_list("domain").annotate(n=Count("id")))
    services = [(transport, transports.health(transport)) for transport in transports.listed()]
    return render(request, "organisations/settings.html", {"domains": [(domain, lists.get(domain.pk, 0)) for domain in page.rows], "next": page.next, "transports": services})


@admin_only
def add_domain(request: HttpRequest) -> HttpResponse:
    """Adds a domain."""
    form = AddDomain(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values, now = form.cleaned_data, timezone.now()
        try:
            organisation = organisations.organisation_called(values["new"]) if values["new"].strip() else Organisation.objects.filter(pk=values["organisation"] or 0).first()
            domain = organisations.add_domain(values["name"], organisation, now, by=person_of(request))
        except ValueError as error:
            form.add_error("name", said(error))
        else:
            messages.success(request, _("The domain %(name)s is added.") % {"name": domain.name})
            return redirect("settings")
    return render(request, "organisations/add_domain.html", {"form": form})


@require_POST
@admin_only
def switch(request: HttpRequest, number: int) -> HttpResponse:
    """Switches a domain's list service off or on."""
    domain = get_object_or_404(Domain, pk=number)
    if domain.enabled:
        organisations.disable(domain, timezone.now(), by=person_of(request))
        messages.success(request, _("The service of %(name)s is switched off. Nothing is lost.") % {"name": domain.name})
    else:
        organisations.enable(domain, timezone.now(), by=person_of(request))
        messages.success(request, _("The service of %(name)s is switched on.") % {"name": domain.name})
    return redirect("domain", domain.pk) if request.POST.get("back") == "domain" else redirect("settings")
