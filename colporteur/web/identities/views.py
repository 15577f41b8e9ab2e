"""Identity providers (OpenID Connect): added, tried at once, changed, taken away. For administrators of the site."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from colporteur.adapters import oidc
from colporteur.flow import identities
from colporteur.store.identities import IdentityProvider
from colporteur.web.guard import admin_only, person_of
from colporteur.web.saying import said


class Provider(forms.Form):
    """One provider; an empty secret keeps the one there is."""

    name = forms.CharField(label=gettext_lazy("Name on the button"), max_length=40, help_text=gettext_lazy("After “Sign in with”."))
    issuer = forms.CharField(label=gettext_lazy("Issuer"), max_length=500, help_text=gettext_lazy("Like https://login.example.org/realms/saule. What it offers is read from there."))
    client_id = forms.CharField(label=gettext_lazy("Client id"), max_length=255)
    secret = forms.CharField(label=gettext_lazy("Client secret"), max_length=500, required=False, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    new_accounts = forms.BooleanField(label=gettext_lazy("Makes new accounts"), required=False, help_text=gettext_lazy("Whoever it knows with a verified address gets an account here. An account gives no right by itself."))
    enabled = forms.BooleanField(label=gettext_lazy("Switched on"), required=False, initial=True)

    def __init__(self, known: IdentityProvider | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["issuer"]
            self.fields["secret"].help_text = _("Leave empty to keep the present one.")
        else:
            del self.fields["enabled"]


@admin_only
def index(request: HttpRequest) -> HttpResponse:
    """All of them, by name."""
    rows = IdentityProvider.objects.annotate(people=Count("identities")).order_by("name")
    return render(request, "identities/index.html", {"rows": rows})


@sensitive_post_parameters("secret")
@admin_only
def add(request: HttpRequest) -> HttpResponse:
    """A new one; its configuration is read at once."""
    form = Provider(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = identities.add(values["name"], values["issuer"], values["client_id"], values["secret"], timezone.now(), by=person_of(request), new_accounts=values["new_accounts"])
        except ValueError as error:
            form.add_error("issuer" if "http" in str(error) else "name", said(error))
        else:
            _try(request, made)
            return redirect("identity", made.pk)
    return render(request, "identities/one.html", {"form": form})


@sensitive_post_parameters("secret")
@admin_only
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One of them: changed and tried, or taken away."""
    provider = get_object_or_404(IdentityProvider, pk=number)
    back = settings.BASE_URL + reverse("signin-back", args=[provider.pk])
    shown = {name: getattr(provider, name) for name in ("name", "client_id", "new_accounts", "enabled")}
    if request.method == "POST" and request.POST.get("wish") == "remove":
        identities.remove(provider, timezone.now(), by=person_of(request))
        messages.success(request, _("%(provider)s is taken away. Whoever signed in with it still has the mailed link.") % {"provider": provider})
        return redirect("identities")
    form = Provider(provider, request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            identities.change(provider, timezone.now(), by=person_of(request), **form.cleaned_data)
        except ValueError as error:
            form.add_error("name", said(error))
        else:
            _try(request, provider)
            return redirect("identity", provider.pk)
    return render(request, "identities/one.html", {"form": form, "provider": provider, "back": back, "people": provider.identities.count()})


def _try(request: HttpRequest, provider: IdentityProvider) -> None:
    """Reads what it publishes, so that a wrong address shows now."""
    try:
        oidc.discover(provider.issuer)
    except oidc.Refused as error:
        messages.error(request, _("The settings are saved, but %(issuer)s cannot be used: %(why)s.") % {"issuer": provider.issuer, "why": error})
    else:
        messages.success(request, _("Saved. %(issuer)s answers.") % {"issuer": provider.issuer})
