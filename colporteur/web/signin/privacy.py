"""What is known about oneself: downloaded, or erased."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.flow import privacy
from colporteur.web.guard import person_of


@login_required
def export(request: HttpRequest) -> HttpResponse:
    """Everything known about the person, as a JSON file."""
    found = privacy.export(privacy.of_person(person_of(request)))
    return JsonResponse(found, headers={"Content-Disposition": 'attachment; filename="colporteur.json"'}, json_dumps_params={"ensure_ascii": False, "indent": 2})


@login_required
def erase(request: HttpRequest) -> HttpResponse:
    """GET says what goes and what must be handed over first; POST, with the word of consent, erases."""
    person = person_of(request)
    who = privacy.of_person(person)
    if request.method == "POST" and request.POST.get("sure") == "1":
        try:
            privacy.erase(who, timezone.now(), by="member")
        except ValueError:  # the page below names what is in the way
            pass
        else:
            logout(request)
            messages.success(request, _("Your account is deleted and you are on no list any more."))
            return redirect("signin")
    return render(request, "signin/erase.html", {"emails": who.emails, "obstacles": [one[:1].upper() + one[1:] for one in privacy.obstacles(who)]})
