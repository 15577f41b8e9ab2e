"""Settings of a list, and of site, organisations and domains: the same page at each layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.policy import OPTIONS, Effective, Layer, effective, parse
from colporteur.flow import lists, policies, templates
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role
from colporteur.store.policies import explained
from colporteur.store.rights import Right
from colporteur.web import kinds
from colporteur.web.frame import list_page
from colporteur.web.guard import admin_only, domain_or_404, list_or_404, organisation_or_404, person_of, template_or_404
from colporteur.web.policies.rows import Row, echoes, form_text, from_form, rows
from colporteur.web.saying import said

Save = Callable[[dict[str, str | None]], dict[str, Any]]


@login_required
def of_list(request: HttpRequest, number: int) -> HttpResponse:
    """Every option of a list: effective value, where it comes from, the way back; contradictions said at once."""
    list_ = list_or_404(request, number, Right.MANAGE)
    found = explained(list_)
    faults: dict[str, str] = {}
    if request.method == "POST":
        done, faults = _save(request, found, lambda values: lists.set_policy(list_, values, person_of(request), timezone.now()))
        if done:
            return done
    names = {
        Layer.SITE: _("Setting of the site"), Layer.ORGANISATION: list_.organisation.name, Layer.DOMAIN: list_.domain.name if list_.domain else "",
        Layer.TEMPLATE: _("Template %(title)s") % {"title": kinds.title(list_.template)}, Layer.LIST: _("Set for this list"),
    }  # fmt: skip
    places = [Layer.SITE, Layer.ORGANISATION, *([Layer.DOMAIN] if list_.domain else []), Layer.TEMPLATE, Layer.LIST]
    sections = _sections(request, rows(found, Layer.LIST, places, names), faults)
    _who(list_, sections)
    values = {name: one.value for name, one in found.items()}
    said = echoes(list_, values, set(Role.objects.filter(list=list_).values_list("kind", flat=True)))
    for row in (row for section in sections.values() for row in section):
        row.echoes = [said[row.name]] if row.name in said else []
    context = {"sections": sections, "warnings": lists.warnings(list_), "template_title": names[Layer.TEMPLATE]} | _counts(request, found, Layer.LIST)
    return list_page(request, list_, "list-settings", "policies/list.html", context, status=422 if faults else 200)


def _counts(request: HttpRequest, found: Mapping[str, Effective], here: Layer) -> dict[str, Any]:
    own = sum(1 for one in found.values() if one.origin == here)
    return {"own": own, "all": len(found), "only_own": request.GET.get("own") == "1"}


def _sections(request: HttpRequest, found: dict[str, list[Row]], faults: Mapping[str, str]) -> dict[str, list[Row]]:
    """Only what is set here when asked for; after a fault, what was typed."""
    for section in found.values():
        for row in section:
            row.fault = faults.get(row.name, "")
            if faults and row.name in request.POST:
                row.value = request.POST[row.name]
    if request.GET.get("own") == "1":
        found = {title: kept for title, section in found.items() if (kept := [row for row in section if row.own])}
    return found


def _who(list_: List, sections: Mapping[str, list[Row]]) -> None:
    """Who set a list's own values, and when, from the journal."""
    last: dict[str, JournalEntry] = {}
    for entry in JournalEntry.objects.filter(list_id=list_.pk, event="list.changed").order_by("-pk")[:300]:
        last.setdefault(str(entry.values.get("option", "")), entry)
    for row in (row for section in sections.values() for row in section if row.own):
        if row.name in last:
            row.set_by, row.set_at = str(last[row.name].values.get("by", "")), last[row.name].at


def _save(request: HttpRequest, found: Mapping[str, Effective], save: Save) -> tuple[HttpResponseRedirect | None, dict[str, str]]:
    """Saves what differs from the values shown, or goes back to inherited ones. Faults by option when something is wrong."""
    values: dict[str, str | None] = {}
    faults: dict[str, str] = {}
    back = request.POST.get("inherit", "")
    if back in OPTIONS:
        values[back] = None
    else:
        for name in OPTIONS:
            text = request.POST.get(name)
            if text is None or text.replace("\r\n", "\n").strip() == form_text(name, found[name].value).strip():
                continue
            try:
                values[name] = from_form(name, text)
                parse(name, values[name])
            except ValueError as error:
                faults[name] = _fault(name, error)
    if not faults:
        try:
            changed = save(values)
        except ValueError as error:
            messages.error(request, said(error))
        else:
            _say(request, changed)
        return redirect(request.get_full_path()), {}
    return None, faults


def _fault(name: str, error: ValueError) -> str:
    data = OPTIONS[name].metadata
    if data["unit"] == "bytes":
        return _("Write a number of megabytes between %(least)s and %(most)s.") % {"least": form_text(name, data["least"]) or "0.001", "most": form_text(name, data["most"])}
    if data["unit"] == "days":
        return _("Write a number of days between %(least)s and %(most)s.") % {"least": data["least"], "most": data["most"]}
    if data["unit"] == "months":
        return _("Write a number of months between %(least)s and %(most)s.") % {"least": data["least"], "most": data["most"]}
    return said(error, name=f"« {_(data['label'])} »")


def _say(request: HttpRequest, changed: Mapping[str, Any]) -> None:
    if not changed:
        messages.info(request, _("Nothing was changed."))
        return
    labels = ", ".join(f"« {_(OPTIONS[name].metadata['label'])} »" for name in changed)
    messages.success(request, ngettext("%(n)s setting saved: %(labels)s.", "%(n)s settings saved: %(labels)s.", len(changed)) % {"n": len(changed), "labels": labels})


def _above(request: HttpRequest, place: policies.Place, layers: Mapping[Layer, Mapping[str, Any]], here: Layer, title: str, way: str, signature: str = "", more: dict[str, Any] | None = None) -> HttpResponse:
    found = effective(layers)
    faults: dict[str, str] = {}
    if request.method == "POST":
        done, faults = _save(request, found, lambda values: policies.set_policy(place, values, person_of(request), timezone.now()))
        if done:
            return done
    names = {Layer.SITE: _("Setting of the site"), Layer.ORGANISATION: _("Setting of the organisation"), Layer.DOMAIN: _("Setting of the domain"), Layer.TEMPLATE: _("Set by this template")}
    sections = _sections(request, rows(found, here, list(layers), names), faults)
    context = {"sections": sections, "title": title, "here": here.value, "way": way, "signature": signature} | _counts(request, found, here)
    return render(request, "policies/above.html", context | (more or {}), status=422 if faults else 200)


@admin_only
def of_site(request: HttpRequest) -> HttpResponse:
    """What holds for every list that says nothing else."""
    site = policies.site()
    return _above(request, site, {Layer.SITE: site.policy}, Layer.SITE, _("Settings of the site"), reverse("site-route"), more={"texts": reverse("site-wordings")})


@login_required
def of_organisation(request: HttpRequest, number: int) -> HttpResponse:
    """What holds for the lists of an organisation."""
    organisation = organisation_or_404(request, number)
    return _above(request, organisation, {Layer.SITE: policies.site().policy, Layer.ORGANISATION: organisation.policy}, Layer.ORGANISATION, organisation.name, reverse("organisation-route", args=[number]), more={"texts": reverse("organisation-wordings", args=[number])})


@login_required
def of_domain(request: HttpRequest, number: int) -> HttpResponse:
    """What holds for the lists of a domain."""
    domain = domain_or_404(request, number)
    layers = {Layer.SITE: policies.site().policy, Layer.ORGANISATION: domain.organisation.policy, Layer.DOMAIN: domain.policy}
    return _above(request, domain, layers, Layer.DOMAIN, domain.name, reverse("domain-route", args=[number]), reverse("domain-signing", args=[number]), more={"texts": reverse("domain-wordings", args=[number])})


@login_required
def of_template(request: HttpRequest, number: int) -> HttpResponse:
    """What holds for the lists that follow a template, where they say nothing themselves."""
    template = template_or_404(request, number)
    layers = {Layer.SITE: policies.site().policy, Layer.ORGANISATION: template.organisation.policy if template.organisation else {}, Layer.TEMPLATE: template.policy}
    if template.organisation is None:
        del layers[Layer.ORGANISATION]
    return _above(request, template, layers, Layer.TEMPLATE, template.title, "", more={"template": template, "followers": templates.followers(template)})
