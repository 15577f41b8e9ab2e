"""The way in, after the first step: a second one where it is asked, then the session."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from colporteur.flow import credentials, passkeys
from colporteur.store.people import Person
from colporteur.web.guard import person_of

BACKEND = "colporteur.web.signin.backend.AddressBackend"
PENDING, STRONG, SIGNED_IN = "second_step", "two_steps", "signed_in_at"  # in the session; the last by ``web.apps``
PATIENCE = 600  # seconds between the first step and the second
RECENT = 3600  # seconds a session is trusted with changing how one signs in


def onward(request: HttpRequest) -> str:
    """Where to go after signing in: a page of ours, never an address of somebody else."""
    return ours(request, request.POST.get("next") or request.GET.get("next") or "")


def ours(request: HttpRequest, wanted: str) -> str:
    """The address when it is one of our pages, else home."""
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()) else "/"


def enter(request: HttpRequest, person: Person, to: str, *, strong: bool = False) -> HttpResponse:
    """Sign in a person who took the first step; ``strong``: it was as good as two."""
    if not strong and credentials.needs_second(person):
        request.session[PENDING] = [person.pk, int(time.time()), to]
        return redirect("signin-second")
    request.session.pop(PENDING, None)
    login(request, person, backend=BACKEND)
    request.session[STRONG] = strong
    return redirect(to)


def _pending(request: HttpRequest) -> tuple[Person, str] | None:
    """Who took the first step a moment ago, and where to."""
    number, at, to = request.session.get(PENDING) or (0, 0, "/")
    person = Person.objects.filter(pk=number, is_active=True).first() if time.time() - at < PATIENCE else None
    return (person, to) if person else None


@sensitive_post_parameters("code")
def second(request: HttpRequest) -> HttpResponse:
    """Asks for the app's code, a recovery code or a passkey."""
    found = _pending(request)
    if found is None:
        return redirect("signin")
    person, to = found
    wrong = False
    if request.method == "POST":
        if credentials.second_step(person, request.POST.get("code", "")[:100], timezone.now()):
            return enter(request, person, to, strong=True)
        wrong = True
    context = {"app": credentials.ways_of(person).app, "passkeys": passkeys.possible() and credentials.ways_of(person).passkeys, "next": to, "wrong": wrong}
    return render(request, "signin/second.html", context)


def recent(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For what changes how one signs in: who signed in longer ago signs in again, so that a device left open is not enough."""

    @login_required
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if time.time() - request.session.get(SIGNED_IN, 0) < RECENT:
            return view(request, *args, **kwargs)
        logout(request)
        messages.warning(request, _("Sign in again first: what you want to change decides who gets into your account."))
        return redirect(f"{reverse('signin')}?{urlencode({'next': reverse('my-security')})}")

    return inner


class TwoStepsMiddleware:
    """With COLPORTEUR_ADMIN_TWO_STEPS administrators open nothing but their account before the second step."""

    FREE = ("/account", "/signin", "/signout", "/signup", "/language", "/s/", "/health", settings.STATIC_URL)

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        free = not settings.ADMIN_TWO_STEPS or request.path.startswith(self.FREE)
        if free or not request.user.is_authenticated or request.session.get(STRONG) or not credentials.must_have_second(person_of(request)):
            return self.get_response(request)
        if credentials.needs_second(person_of(request)):
            return enter(request, person_of(request), request.get_full_path() if request.method == "GET" else "/")
        messages.warning(request, _("Administrators sign in with two steps here: add a passkey or an authenticator app first."))
        return redirect("my-security")
