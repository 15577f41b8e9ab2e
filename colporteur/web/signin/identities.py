"""Signing in with another site, and connecting its account to one's own (OpenID Connect, authorization code flow)."""

from __future__ import annotations

import logging
import secrets
from dataclasses import asdict

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from colporteur.adapters import oidc
from colporteur.flow import attempts, identities
from colporteur.flow.identities import Outcome, Word
from colporteur.store.identities import IdentityProvider
from colporteur.store.sealed import SealBroken
from colporteur.web.guard import client_of, person_of
from colporteur.web.saying import said
from colporteur.web.signin.entering import enter, onward, ours, recent

log = logging.getLogger("colporteur.people")

ASKED, WORD = "identity_asked", "identity_word"  # in the session: what the provider must answer; what it said, until one confirms
STARTS = 200  # from one place within ``attempts.WINDOW``: each asks the provider something


def _back(provider: IdentityProvider) -> str:
    return settings.BASE_URL + reverse("signin-back", args=[provider.pk])


def start(request: HttpRequest, number: int) -> HttpResponse:
    """Sends the browser to the provider. Nothing is done by it: what comes back is bound to this session."""
    provider = get_object_or_404(IdentityProvider, pk=number, enabled=True)
    if not attempts.book(f"provider:{client_of(request)}", timezone.now(), STARTS):
        return _failed(request, provider, "asked for too often from one place")
    state, nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    try:
        there = oidc.address(oidc.discover(provider.issuer), provider.client_id, _back(provider), state, nonce, verifier)
    except oidc.Refused as error:
        return _failed(request, provider, str(error))
    request.session[ASKED] = {"provider": provider.pk, "state": state, "nonce": nonce, "verifier": verifier, "next": onward(request)}
    return redirect(there)


def back(request: HttpRequest, number: int) -> HttpResponse:
    """The browser comes back with a code. Somebody who is signed in is asked whether to connect; others are signed in."""
    provider = get_object_or_404(IdentityProvider, pk=number, enabled=True)
    kept, now = request.session.pop(ASKED, None) or {}, timezone.now()
    if kept.get("provider") != provider.pk or not constant_time_compare(kept["state"], request.GET.get("state", "")):
        return _failed(request, provider, "an answer nobody asked for, or asked for twice")
    if "code" not in request.GET:
        return _failed(request, provider, f"it said {request.GET.get('error', '')[:80]!r}")
    try:
        claims = oidc.redeem(oidc.discover(provider.issuer), provider.client_id, identities.secret_of(provider), _back(provider), request.GET["code"], kept["nonce"], kept["verifier"], now)
    except (oidc.Refused, SealBroken) as error:
        return _failed(request, provider, str(error))
    word = Word(claims.subject, claims.email, claims.email_verified, claims.name)
    if request.user.is_authenticated:
        request.session[WORD] = {"provider": provider.pk, **asdict(word)}
        return redirect("my-identity")
    outcome, person = identities.arrive(provider, word, now, (translation.get_language() or "")[:2])
    if person is not None:
        return enter(request, person, ours(request, kept["next"]))
    return render(request, "signin/identity.html", {"provider": provider, "outcome": outcome.value, "email": word.email}, status=200 if outcome is Outcome.MAILED else 403)


def _failed(request: HttpRequest, provider: IdentityProvider, why: str) -> HttpResponse:
    log.warning("identity provider refused provider=%s reason=%s", provider.name, why)
    return render(request, "signin/identity.html", {"provider": provider, "outcome": "failed"}, status=502)


@recent
def connect(request: HttpRequest) -> HttpResponse:
    """GET asks whether the account over there is to sign in here, POST connects."""
    held = request.session.get(WORD) or {}
    provider = IdentityProvider.objects.filter(pk=held.get("provider", 0), enabled=True).first()
    if provider is None:
        return redirect("my-security")
    if request.method == "POST":
        del request.session[WORD]
        try:
            identities.connect(provider, held["subject"], held["email"], person_of(request), timezone.now())
            messages.success(request, _("You can sign in with %(provider)s from now on.") % {"provider": provider})
        except ValueError as error:
            messages.error(request, said(error))
        return redirect("my-security")
    return render(request, "signin/connect.html", {"provider": provider, "email": held["email"]})


def by_letter(request: HttpRequest, token: str) -> HttpResponse:
    """The link of a letter: GET asks, POST connects and signs in, as a mailed link does."""
    found = identities.asked(token, timezone.now())
    if found is None:
        return render(request, "signin/link.html", {"person": None}, status=410)
    provider, subject, address = found
    assert address.person is not None
    if request.method == "POST":
        identities.connect(provider, subject, address.email, address.person, timezone.now())
        return enter(request, address.person, "/")
    return render(request, "signin/connect_letter.html", {"provider": provider, "person": address.person, "email": address.email})
