"""One organisation: name, language, administrators, naming rule, quotas, and what its lists may send."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.domain.addresses import is_address
from colporteur.domain.pacing import read_rates
from colporteur.domain.policy import Layer
from colporteur.domain.quotas import QUOTAS, written
from colporteur.flow import administrators, limits, look, organisations, quotas
from colporteur.mail import logo
from colporteur.store.lists import ListState
from colporteur.store.organisations import Domain, Organisation
from colporteur.web.guard import organisation_or_404, person_of
from colporteur.web.organisations.domains import Names
from colporteur.web.saying import NOT_AN_ADDRESS, said
from colporteur.web.templatetags.look import octets, thousands


class About(Names):
    """Name, language and naming rule."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    language = forms.ChoiceField(label=gettext_lazy("Language of its letters"), choices=[("fr", "Français"), ("en", "English")])
    field_order = ("name", "language", "name_begins", "name_reason", "forbidden_names")


class Look(forms.Form):
    """Colour and logo of the pages people see."""

    colour = forms.CharField(label=gettext_lazy("Colour"), max_length=20, required=False, help_text=gettext_lazy("Like #134a72; it is made darker or lighter where it could not be read. Empty: Colporteur’s blue."))
    logo = forms.FileField(label=gettext_lazy("Logo"), required=False, max_length=200, help_text=gettext_lazy("PNG, JPEG, WebP or GIF, 2 MB at most; it is shown up to 180 pixels wide and 56 high."))
    without = forms.BooleanField(label=gettext_lazy("No logo any more"), required=False)


class Quotas(forms.Form):
    """What the organisation may have, and send; for the site's administrators."""

    rates = forms.CharField(label=gettext_lazy("Recipients of all its lists"), required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2}), help_text=gettext_lazy("One limit a line, like 200/hour or 2000/day; empty for none."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, quota in QUOTAS.items():
            self.fields[name] = forms.CharField(label=_(quota.label), required=False, max_length=14, help_text=_(quota.sentence), widget=forms.TextInput(attrs={"inputmode": "numeric" if not quota.unit else "text"}))
        self.order_fields([*QUOTAS, "rates"])


@login_required
def one(request: HttpRequest, number: int) -> HttpResponse:
    """Shows the organisation; POST saves one of its parts, ``part`` says which."""
    organisation = organisation_or_404(request, number)
    part = request.POST.get("part", "") if request.method == "POST" else ""
    about = About(request.POST if part == "about" else None, initial={name: getattr(organisation, name) for name in About.field_order})
    given = {name: written(name, organisation.quotas.get(name)) for name in QUOTAS} | {"rates": "\n".join(str(limit.rate) for limit in limits.show(limits.of_organisation(organisation)))}
    quota = Quotas(request.POST if part == "quotas" and person_of(request).is_admin else None, initial=given)
    looks = Look(request.POST if part == "look" else None, request.FILES if part == "look" else None, initial={"colour": f"#{organisation.colour}" if organisation.colour else ""})
    try:
        if part == "look" and looks.is_valid():
            _save_look(request, organisation, looks.cleaned_data)
            return _saved(request, organisation)
        if part == "about" and about.is_valid():
            organisations.change(organisation, about.cleaned_data, timezone.now(), by=person_of(request))
            return _saved(request, organisation)
        if part == "quotas" and quota.is_valid():
            _save_quotas(request, organisation, quota.cleaned_data)
            return _saved(request, organisation)
        if part in ("give", "take"):
            return _office(request, organisation, part)
    except ValueError as error:
        {"about": about, "look": looks}.get(part, quota).add_error(None, said(error))
    domains = Domain.objects.filter(organisation=organisation).annotate(n=Count("lists", filter=~Q(lists__state=ListState.DELETED))).order_by("name")[:200]
    context = {"organisation": organisation, "about": about, "looks": looks, "quota": quota, "shown": [_words(row) for row in quotas.show(organisation)], "domains": domains, "administrators": administrators.of(organisation)}
    return render(request, "organisations/one.html", context)


def _saved(request: HttpRequest, organisation: Organisation) -> HttpResponse:
    messages.success(request, _("Saved."))
    return redirect("organisation", organisation.pk)


@transaction.atomic
def _save_look(request: HttpRequest, organisation: Organisation, values: dict[str, Any]) -> None:
    now, person = timezone.now(), person_of(request)
    organisations.change(organisation, {"colour": values["colour"]}, now, by=person)
    if values["logo"]:
        look.set_logo(organisation, values["logo"].read(logo.MOST_BYTES + 1), now, by=person)
    elif values["without"]:
        look.remove_logo(organisation, now, by=person)


def _save_quotas(request: HttpRequest, organisation: Organisation, values: dict[str, str]) -> None:
    rates = read_rates(values.pop("rates"))
    quotas.change(organisation, values, timezone.now(), by=person_of(request))
    limits.change(limits.of_organisation(organisation), rates, timezone.now(), person_of(request))


def _office(request: HttpRequest, organisation: Organisation, part: str) -> HttpResponse:
    """Gives or takes the office of an administrator."""
    email = request.POST.get("email", "")
    if not is_address(email):
        messages.error(request, str(NOT_AN_ADDRESS))
    elif part == "give":
        administrators.give(organisation, email, timezone.now(), by=person_of(request))
        messages.success(request, _("%(who)s looks after the organisation now.") % {"who": email})
    elif administrators.take(organisation, email, timezone.now(), by=person_of(request)):
        messages.success(request, _("%(who)s looks after the organisation no more.") % {"who": email})
    still = person_of(request).is_admin or part == "give" or person_of(request).administers.filter(organisation=organisation).exists()
    return redirect("organisation", organisation.pk) if still else redirect("home")


def _words(row: quotas.Shown) -> dict[str, str]:
    origin = {Layer.SITE: _("set for the site"), Layer.ORGANISATION: _("set for the organisation"), Layer.DOMAIN: _("set for the domain")}
    value = row.effective.value
    counts = _("no limit") if value is None else octets(value) if QUOTAS[row.name].unit else thousands(value)
    return {"label": _(QUOTAS[row.name].label), "counts": counts, "origin": origin[row.effective.origin] if row.effective.origin else "", "used": "" if row.used is None else octets(row.used) if QUOTAS[row.name].unit else thousands(row.used)}
