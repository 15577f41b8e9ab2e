"""The second letter of a merger: the account that stays sees what comes, and says yes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from colporteur.flow import merging
from colporteur.web.guard import person_of
from colporteur.web.saying import said
from colporteur.web.signin.entering import recent


@recent
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what moves, POST merges."""
    person, now = person_of(request), timezone.now()
    gone = merging.asked(person, token, now)
    if gone is None:
        return render(request, "signin/merge.html", status=404)
    if request.method == "POST":
        try:
            merging.check(person, gone)
            merging.merge(person, gone, now, by=person)
            messages.success(request, _("Both accounts are one now."))
        except ValueError as error:
            messages.error(request, said(error))
        return redirect("account")
    return render(request, "signin/merge.html", {"move": merging.foresee(person, gone), "gone": gone})
