"""Links to unsubscribe in newsletters that SPIP sent before its subscribers came here.

What proves itself asks on GET and acts on POST, a mail program's one-click POST too. Anything else leads to the page that mails a link
to the address: it does nothing by itself, and is the same whoever the address is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from colporteur.domain.imports.oldlinks import ACTION
from colporteur.flow.imports import oldlinks
from colporteur.web.joining.words import parting
from colporteur.web.signin.forms import Ask

ACTIONS = (ACTION, "unconsent_mailsubscriber")


def is_one(request: HttpRequest) -> bool:
    """Whether the address asked for is such a link, whatever its path."""
    return request.GET.get("action", "") in ACTIONS


@csrf_exempt  # as with our own links: the address itself is the proof
def leave(request: HttpRequest) -> HttpResponse:
    """Whether to leave the lists of the link; the answer is the same when it is said twice."""
    if not is_one(request):
        raise Http404
    email, arg = (request.GET.get(name) or request.GET.get(f"amp;{name}") or "" for name in ("email", "arg"))
    email = (email if "@" in email else unquote(email)).replace("\x00", "")[:320].strip()
    link = oldlinks.read(email, arg)
    if link is None:
        return render(request, "memberships/oldlink_ask.html", {"form": Ask(initial={"email": email})})
    context: dict[str, Any] = {"email": link.address.email, "lists": [one for one in link.lists if one.pk in link.member], "organisation": link.lists[0].organisation if link.lists else None}
    if request.method == "POST":
        context["said"] = [parting(outcome, list_, link.address.email) for list_, outcome in oldlinks.leave(link, timezone.now())]
    return render(request, "memberships/oldlink.html", context)
