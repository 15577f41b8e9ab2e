"""Passkeys in the browser: what it needs as JSON, its answer in a form (``static/passkeys.js`` stands between)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.flow import passkeys
from colporteur.web.guard import person_of
from colporteur.web.saying import said
from colporteur.web.signin.entering import STRONG, enter, onward, recent

STATE = "passkey"  # in the session: what one answer must answer


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """For signing in."""
    options, request.session[STATE] = passkeys.ask()
    return JsonResponse(options)


@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """The browser's answer signs in: what it is and who it is are proved at once, so no second step follows."""
    now, state = timezone.now(), request.session.pop(STATE, None)
    person = passkeys.recognise(request.POST.get("answer", "")[:20_000], state, now)
    if person is None:
        messages.error(request, _("This passkey is not known here, or something came in between. Try again, or take another way."))
        return redirect("signin")
    return enter(request, person, onward(request), strong=True)


@require_POST
@recent
def offer(request: HttpRequest) -> HttpResponse:
    """For a new one."""
    options, request.session[STATE] = passkeys.offer(person_of(request))
    return JsonResponse(options)


@require_POST
@recent
def add(request: HttpRequest) -> HttpResponse:
    """The browser made one."""
    try:
        made = passkeys.add(person_of(request), request.POST.get("name", ""), request.POST.get("answer", "")[:20_000], request.session.pop(STATE, None), timezone.now())
    except ValueError as error:
        messages.error(request, said(error))
    else:
        request.session[STRONG] = True
        messages.success(request, _("The passkey “%(name)s” signs you in from now on.") % {"name": made.name})
    return redirect("my-security")
