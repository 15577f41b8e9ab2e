"""How one signs in: passkeys, authenticator app, recovery codes, other sites; and out of every device."""

from __future__ import annotations

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from colporteur.domain import totp
from colporteur.flow import credentials, identities, passkeys
from colporteur.store.journal import JournalEntry
from colporteur.web.guard import person_of
from colporteur.web.journal import told
from colporteur.web.saying import said
from colporteur.web.signin.entering import STRONG, recent

SECRET = "app_secret"  # in the session, until the app's first code
LATEST = 10


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """What there is, and what happened to it."""
    person = person_of(request)
    ways = credentials.ways_of(person)
    connected = {one.provider_id for one in ways.identities}
    happened = JournalEntry.objects.filter(address_id__in=person.addresses.values("pk"), event__in=("signin.added", "signin.removed", "signin.codes", "signin.reset", "signin.ended", "person.merged")).order_by("-id")[:LATEST]
    context = {"ways": ways, "possible": passkeys.possible(), "others": [one for one in identities.providers() if one.pk not in connected], "must": credentials.must_have_second(person), "happened": told(happened)}
    return render(request, "signin/security.html", context)


@sensitive_post_parameters("code")
@sensitive_variables("secret")
@recent
def app(request: HttpRequest) -> HttpResponse:
    """Shows the picture for the app; the app's first code switches it on."""
    person, now = person_of(request), timezone.now()
    if request.method == "POST" and (secret := request.session.get(SECRET)):
        try:
            credentials.add_app(person, secret, request.POST.get("code", "")[:20], now)
        except ValueError as error:
            return _app_page(request, secret, said(error))
        del request.session[SECRET]
        request.session[STRONG] = True
        messages.success(request, _("Your app is known: its code is asked after a link or a password from now on."))
        return redirect("my-security") if credentials.ways_of(person).codes_left else _show_codes(request)
    request.session[SECRET] = credentials.new_secret()
    return _app_page(request, request.session[SECRET], "")


def _app_page(request: HttpRequest, secret: str, fault: str) -> HttpResponse:
    host = settings.ALLOWED_HOSTS[0]
    picture = segno.make(totp.address(secret, f"Colporteur {host}", person_of(request).primary_email)).svg_data_uri(scale=5, border=4, light="white")
    return render(request, "signin/app.html", {"picture": picture, "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)), "fault": fault})


def _show_codes(request: HttpRequest) -> HttpResponse:
    return render(request, "signin/codes.html", {"codes": credentials.new_codes(person_of(request), timezone.now())})


@require_POST
@recent
def codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown once."""
    if not person_of(request).credentials.exists():
        messages.warning(request, _("Recovery codes stand in for an app or a passkey: add one first."))
        return redirect("my-security")
    return _show_codes(request)


@require_POST
@recent
def remove(request: HttpRequest) -> HttpResponse:
    """Takes a passkey, the app, or another site away."""
    person, wish, number = person_of(request), request.POST.get("wish", ""), request.POST.get("number", "")
    gone = False
    if number.isascii() and number.isdigit() and len(number) < 16:
        gone = (identities.disconnect if wish == "identity" else credentials.remove)(person, int(number), timezone.now())
    if gone:
        messages.success(request, _("Taken away. It signs nobody in any more."))
    return redirect("my-security")


@require_POST
@login_required
def everywhere(request: HttpRequest) -> HttpResponse:
    """Ends every session but this one, and the mailed links not used yet."""
    person = person_of(request)
    credentials.end_sessions(person, timezone.now(), by=person)
    update_session_auth_hash(request, person)
    messages.success(request, _("Every other device must sign in again."))
    return redirect("my-security")
