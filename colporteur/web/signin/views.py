"""Signing in by mailed link or by password, and out again; one's own account."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from colporteur.domain.addresses import normal
from colporteur.flow import attempts, credentials, identities, letters, passkeys, people, signup
from colporteur.store.people import Address, SignInLink
from colporteur.web.guard import client_of, person_of
from colporteur.web.signin.entering import enter, onward, recent
from colporteur.web.signin.forms import Account, Ask, ByPassword, Further, Password

LIVE_LINKS = 5  # of one address at a time


def ask(request: HttpRequest) -> HttpResponse:
    """Asks for the address and mails a link; the answer is the same whether somebody has that address or not."""
    if request.user.is_authenticated:
        return redirect("home")
    form = Ask(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _mail_link(request, form.cleaned_data["email"])
        return render(request, "signin/sent.html", {"email": form.cleaned_data["email"], "open": settings.SIGNUP})
    return render(request, "signin/ask.html", {"form": form, "next": onward(request), "open": settings.SIGNUP, "passkeys": passkeys.possible(), "providers": identities.providers()})


@transaction.atomic
def _mail_link(request: HttpRequest, email: str) -> None:
    now, tongue = timezone.now(), (translation.get_language() or "")[:2]
    if SignInLink.objects.filter(address__email=normal(email), used_at__isnull=True, expires__gt=now).count() >= LIVE_LINKS:
        return  # somebody plays with somebody else's mailbox
    try:
        link = people.sign_in_link(email, now)
    except ValueError:
        signup.ask(email, now, client=client_of(request), language=tongue)
        return
    if (to := onward(request)) != "/":
        link += f"?{urlencode({'next': to})}"
    address = Address.objects.select_related("person").get(email=normal(email))
    language = (address.person.language if address.person else "") or tongue
    letters.send("signin", address, now, fields={"link": link, "minutes": str(people.LINK_MINUTES)}, language=language)


@sensitive_post_parameters("password")
def by_password(request: HttpRequest) -> HttpResponse:
    """Address and password; after too many attempts there is a wait, whether somebody has that address or not."""
    form = ByPassword(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        attempt = attempts.begin(form.cleaned_data["email"], client_of(request), timezone.now())
        person = authenticate(request, email=form.cleaned_data["email"], password=form.cleaned_data["password"]) if attempt else None
        if attempt and person is not None:
            attempts.succeeded(attempt)
            return enter(request, person, onward(request))
        if attempt:
            form.add_error("password", _("Address and password do not go together. Ask for a link by mail if you forgot it."))
        else:
            status = 429
            form.add_error("password", _("Too many attempts. Wait a quarter of an hour, or ask for a link by mail."))
    return render(request, "signin/password.html", {"form": form, "next": request.POST.get("next") or request.GET.get("next", "")}, status=status)


def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """A mailed link: GET asks, POST signs in, once."""
    now = timezone.now()
    if request.method == "POST":
        person = people.redeem(token, now)
        if person is not None:
            return enter(request, person, onward(request))
    person = people.peek(token, now)
    return render(request, "signin/link.html", {"person": person}, status=200 if person else 410)


def sign_up(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the letter to an address nobody had: GET asks, POST makes the account and signs in."""
    now = timezone.now()
    address = signup.read(token, now)
    if address is not None and request.method == "POST":
        person = signup.finish(token, request.POST.get("name", "")[:200], now, (translation.get_language() or "")[:2])
        if person is not None:
            messages.success(request, _("Welcome. Your account is made."))
            return enter(request, person, reverse("my-page"))
    return render(request, "signin/signup.html", {"email": address.email if address else ""}, status=200 if address else 410)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Signs out."""
    logout(request)
    return redirect("signin")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Changes the language: the person's, and the browser's by a cookie."""
    chosen = request.POST.get("language", "")
    response = redirect(onward(request))
    if chosen in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            person = person_of(request)
            person.language = chosen
            person.save(update_fields=["language"])
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, chosen, max_age=365 * 86400, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, httponly=True)
    return response


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Name, language and time zone; addresses; what else concerns the account."""
    person = person_of(request)
    form = Account(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your account is saved."))
        return redirect("account")
    context = {"form": form, "further": Further(), "addresses": person.addresses.order_by("id"), "first": person.primary_email}
    return render(request, "signin/account.html", context)


@sensitive_post_parameters("old", "new")
@recent
def password(request: HttpRequest) -> HttpResponse:
    """Sets or changes the password; other sessions end."""
    person = person_of(request)
    form = Password(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        person.set_password(form.cleaned_data["new"])
        person.save(update_fields=["password"])
        update_session_auth_hash(request, person)
        credentials.added(person, "password", timezone.now(), by=person)
        messages.success(request, _("Your password is set. Other devices must sign in again."))
        return redirect("my-security")
    return render(request, "signin/set_password.html", {"form": form})
