"""Sending services: added, changed, tested live, switched, made the default. For administrators."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from colporteur.adapters import probes
from colporteur.adapters.transports.esp import registering
from colporteur.domain.services import SERVICES
from colporteur.flow import limits, services, transports, trouble
from colporteur.store.organisations import Organisation
from colporteur.store.routes import RouteStep
from colporteur.store.sealed import SealBroken
from colporteur.store.transports import Transport
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said
from colporteur.web.transports.services import Service, about, account_of, initial


class Smtp(forms.Form):
    """An SMTP account; an empty password keeps the one there is."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=63, help_text=gettext_lazy("As your lists will choose it, like “main relay”."))
    host = forms.CharField(label=gettext_lazy("Server"), max_length=253, help_text=gettext_lazy("Like smtp.example.org."))
    port = forms.IntegerField(label=gettext_lazy("Port"), min_value=1, max_value=65535, initial=587)
    tls = forms.ChoiceField(label=gettext_lazy("Encryption"), initial="starttls", choices=[
        ("starttls", gettext_lazy("STARTTLS (usual with port 587)")), ("ssl", gettext_lazy("TLS from the start (usual with port 465)")), ("none", gettext_lazy("None (only inside your own network)"))])
    user = forms.CharField(label=gettext_lazy("User"), max_length=320, required=False)
    password = forms.CharField(label=gettext_lazy("Password"), max_length=500, required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    organisation = forms.ChoiceField(label=gettext_lazy("For"), required=False)

    def __init__(self, known: Transport | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["name"], self.fields["organisation"]
            self.fields["password"].help_text = _("Leave empty to keep the present one.")
        else:
            self.fields["organisation"].choices = [("", _("Every organisation")), *((str(o.pk), o.name) for o in Organisation.objects.order_by("name"))]  # type: ignore[attr-defined]

    def url(self, password: str = "") -> str:
        """The transport's URL of the contract."""
        values = self.cleaned_data
        secret = values["password"] or password
        account = f"{quote(values['user'], safe='')}{':' + quote(secret, safe='') if secret else ''}@" if values["user"] else ""
        host = f"[{values['host']}]" if ":" in values["host"] else values["host"]
        return f"smtp://{account}{host}:{values['port']}?tls={values['tls']}"


def _initial(transport: Transport) -> tuple[dict[str, Any], str]:
    """Form values of a transport, and its password."""
    try:
        parts = urlsplit(transports.url_of(transport))
    except SealBroken:
        return {}, ""
    tls = parse_qs(parts.query).get("tls", ["ssl" if parts.scheme == "smtps" else "starttls"])[0]
    return {"host": parts.hostname or "", "port": parts.port or 587, "tls": tls, "user": unquote(parts.username or "")}, unquote(parts.password or "")


@sensitive_post_parameters("password", "key", "secret")
@admin_only
def add(request: HttpRequest) -> HttpResponse:
    """A new service, by SMTP or of a ``kind`` with an interface of its own, tested as soon as it is saved."""
    kind = request.GET.get("kind", "")
    form = Service(kind, None, request.POST or None) if kind in SERVICES else Smtp(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        organisation = Organisation.objects.filter(pk=form.cleaned_data["organisation"] or 0).first()
        try:
            made = transports.add(form.cleaned_data["name"], form.url(), timezone.now(), organisation, by=person_of(request))
        except ValueError as error:
            form.add_error("name", said(error))
        else:
            _test(request, made)
            return redirect("transport", made.pk)
    kinds = [("", _("Mail server (SMTP)")), *((name, service.title) for name, service in SERVICES.items())]
    return render(request, "transports/one.html", {"form": form, "kinds": kinds, "kind": kind if kind in SERVICES else ""})


@sensitive_post_parameters("password", "key", "secret")
@admin_only
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One service: its account, its health; saving tests it."""
    transport = get_object_or_404(Transport.objects.select_related("organisation"), pk=number, removed__isnull=True)
    form, kept = _form(request, transport)
    if request.method == "POST" and form and form.is_valid():
        try:
            transports.set_url(transport, form.url(kept) if isinstance(form, Smtp) else form.url(), timezone.now(), by=person_of(request))
        except ValueError as error:
            form.add_error("host" if isinstance(form, Smtp) else "key", said(error))
        else:
            _test(request, transport)
            return redirect("transport", transport.pk)
    place = urlsplit(transports.url_of(transport)).path if transport.kind == "folder" else ""
    context = {"health": transports.health(transport), "place": place, "routes": _routes(transport), "mixed": services.mixed(transport)}
    if transport.kind in SERVICES:
        context["about"] = about(transport, timezone.now())
    own = [*limits.show(limits.of_transport(transport)), *limits.show(limits.of_account(transport))]
    return render(request, "transports/one.html", {"form": form, "transport": transport, "limits": own, **context})


def _form(request: HttpRequest, transport: Transport) -> tuple[Smtp | Service | None, str]:
    """The form of its account, None for a folder; and the password that stays where none is typed and the account is the same."""
    if transport.kind in SERVICES:
        account = account_of(transport)
        return Service(transport.kind, account, request.POST or None, initial=initial(account)), ""
    if transport.kind != "smtp":
        return None, ""
    values, password = _initial(transport)
    form = Smtp(transport, request.POST or None, initial=values)
    same_account = form.is_bound and form.is_valid() and (form.cleaned_data["host"], form.cleaned_data["user"]) == (values.get("host"), values.get("user"))
    return form, password if same_account else ""


@admin_only
def remove(request: HttpRequest, number: int) -> HttpResponse:
    """Asks, then takes a service away for good."""
    transport = get_object_or_404(Transport, pk=number, removed__isnull=True)
    if request.method == "POST":
        transports.remove(transport, timezone.now(), by=person_of(request))
        messages.success(request, _("The sending service %(name)s is taken away.") % {"name": transport.name})
        return redirect("settings")
    return render(request, "transports/remove.html", {"transport": transport, "routes": _routes(transport)})


def _routes(transport: Transport) -> list[tuple[str, str]]:
    """Places whose route has the service, with their pages; the first fifty."""
    found = []
    for step in RouteStep.objects.filter(transport=transport).select_related("list", "domain", "organisation").order_by("id")[:50]:
        if step.list:
            found.append((step.list.address, reverse("list-transport", args=[step.list.pk])))
        elif step.domain:
            found.append((step.domain.name, reverse("domain-route", args=[step.domain.pk])))
        elif step.organisation:
            found.append((step.organisation.name, reverse("organisation-route", args=[step.organisation.pk])))
        else:
            found.append((_("the site"), reverse("site-route")))
    return found


@sensitive_post_parameters("key")
@require_POST
@admin_only
def do(request: HttpRequest, number: int) -> HttpResponse:
    """Tests, switches, or makes the default."""
    transport = get_object_or_404(Transport, pk=number, removed__isnull=True)
    wish, now, person = request.POST.get("wish", ""), timezone.now(), person_of(request)
    if wish == "test":
        _test(request, transport)
    elif wish == "default":
        transports.make_default(transport, now, by=person)
        messages.success(request, _("Lists that choose nothing else use it from now on."))
    elif wish in ("on", "off"):
        transports.switch(transport, wish == "on", now, by=person)
        messages.success(request, _("Switched on.") if wish == "on" else _("Switched off. Copies wait until it is on again."))
    elif wish == "register" and registering.can(transport.kind):
        _register(request, transport)
    elif wish == "hook" and transport.kind in SERVICES:
        services.renew(transport, now, by=person)
        messages.success(request, _("A new address: enter it over there. The old one is refused from now on."))
    elif wish == "key" and transport.kind in SERVICES:
        services.sign_with(transport, request.POST.get("key", "")[:2000], now, by=person)
        messages.success(request, _("Saved."))
    return redirect("transport", transport.pk)


def _register(request: HttpRequest, transport: Transport) -> None:
    """Enters our webhook at the service; says what was done or why not."""
    account, now = account_of(transport), timezone.now()
    if account is None:
        messages.error(request, _("The keys of this service cannot be opened any more: write them again."))
        return
    try:
        done = registering.register(account, services.url_of(services.hook_of(transport, now)))
    except (registering.NotRegistered, SealBroken) as error:
        messages.error(request, _("The webhook was not registered.") + f" {said(error if isinstance(error, ValueError) else str(error))}")
        return
    services.registered(transport, done.done, done.key, now, by=person_of(request))
    words = {
        registering.MADE: _("%(service)s has the webhook now, for: %(events)s."), registering.CHANGED: _("The webhook at %(service)s was another one and is mended, for: %(events)s."),
        registering.THERE: _("%(service)s had the webhook already, for: %(events)s."),
    }[done.done]  # fmt: skip
    signed = " " + _("Its key is kept: only what is signed is taken.") if done.key else ""
    messages.success(request, words % {"service": account.service.title, "events": ", ".join(done.events)} + signed)


def _test(request: HttpRequest, transport: Transport) -> None:
    """Connects, greets and signs in for real; says "Configuration OK" or exactly what failed."""
    found = probes.check_transport(transports.url_of(transport))
    if found.ok:
        trouble.over(transport.pk, timezone.now())
        messages.success(request, found.text(_))
    else:
        messages.error(request, _("The settings are saved, but the test failed.") + " " + found.text(_))
