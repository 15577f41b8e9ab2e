"""One domain: its service, who makes lists on it, and what they may be called."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.domain.addresses import is_address
from colporteur.flow import naming, nesting, organisations
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Creation, Domain
from colporteur.web.guard import domain_or_404, person_of
from colporteur.web.saying import NOT_AN_ADDRESS, said

NAMING_LABELS = {"name_begins": gettext_lazy("Names begin with"), "name_reason": gettext_lazy("Why"), "forbidden_names": gettext_lazy("Forbidden names")}


class Names(forms.Form):
    """What lists may be called."""

    name_begins = forms.CharField(label=NAMING_LABELS["name_begins"], max_length=20, required=False, help_text=gettext_lazy("A beginning every name must have, like amap-; empty: the organisation’s, or any."))
    name_reason = forms.CharField(label=NAMING_LABELS["name_reason"], max_length=300, required=False, help_text=gettext_lazy("Shown to somebody who chooses another name."))
    forbidden_names = forms.CharField(
        label=NAMING_LABELS["forbidden_names"], max_length=20_000, required=False, widget=forms.Textarea(attrs={"rows": 4}), help_text=gettext_lazy("One a line; * stands for anything, as in direction*.")
    )


class Rules(Names):
    """Who makes lists on a domain, and what they may be called."""

    creation = forms.ChoiceField(label=gettext_lazy("Who makes lists here"), choices=[
        (Creation.ADMINISTRATORS.value, gettext_lazy("Administrators")),
        (Creation.REQUEST.value, gettext_lazy("Anybody signed in, on request: an administrator activates the list")),
        (Creation.ANYBODY.value, gettext_lazy("Anybody signed in, at once")),
        (Creation.NOBODY.value, gettext_lazy("Nobody")),
    ])  # fmt: skip
    field_order = ("creation", "name_begins", "name_reason", "forbidden_names")


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """The domain's rules for new lists; POST changes them."""
    domain = domain_or_404(request, number)
    held = {name: getattr(domain, name) for name in Rules.field_order}
    part = request.POST.get("part", "") if request.method == "POST" else ""
    if part in ("everywhere-add", "everywhere-remove"):
        return _everywhere(request, domain, part)
    form = Rules(request.POST or None, initial=held)
    if request.method == "POST" and form.is_valid():
        try:
            organisations.change_domain(domain, form.cleaned_data, timezone.now(), by=person_of(request))
        except ValueError as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("domain", domain.pk)
    lists = List.objects.filter(domain=domain).exclude(state=ListState.DELETED).count()
    return render(request, "organisations/domain.html", {"domain": domain, "form": form, "lists": lists, "rules": naming.rules(domain), "may_switch": person_of(request).is_admin, "everywhere": nesting.on_every(domain)})


def _everywhere(request: HttpRequest, domain: Domain, part: str) -> HttpResponse:
    """Puts somebody on every list of the domain, or takes them off."""
    email = request.POST.get("email", "")
    if not is_address(email):
        messages.error(request, str(NOT_AN_ADDRESS))
    elif part == "everywhere-add":
        nesting.put_on_every(domain, email, timezone.now(), by=person_of(request))
        messages.success(request, _("%(who)s receives every list of %(domain)s from now on.") % {"who": email, "domain": domain.name})
    elif nesting.take_off_every(domain, email, timezone.now(), by=person_of(request)):
        messages.success(request, _("%(who)s receives only the lists it is a member of.") % {"who": email})
    return redirect("domain", domain.pk)
