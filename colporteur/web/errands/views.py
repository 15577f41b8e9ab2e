"""Messages to service addresses that could not be processed: a list's are on its activity page, those of whole domains here."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.flow import errands
from colporteur.store.arrivals import Errand
from colporteur.store.rights import Right, lists_for
from colporteur.web.errands.stuck import stuck
from colporteur.web.guard import admin_only, person_of


@admin_only
def index(request: HttpRequest) -> HttpResponse:
    """Those that belong to no list."""
    return render(request, "errands/index.html", {"stuck": stuck(Errand.objects.filter(list__isnull=True))})


@require_POST
@login_required
def do(request: HttpRequest, number: int) -> HttpResponse:
    """Tries one again, or throws it away; for who manages its list, for administrators where there is none."""
    person, now, wish = person_of(request), timezone.now(), request.POST.get("wish", "")
    errand = Errand.objects.filter(pk=number).first()
    if errand is None or not (person.is_admin if errand.list_id is None else lists_for(person, Right.MANAGE).filter(pk=errand.list_id).exists()):
        raise Http404
    if wish == "retry" and errands.retry(errand.pk, now, str(person)):
        messages.success(request, _("The message is processed again; look in a moment what became of it."))
    elif wish == "discard" and errands.discard(errand.pk, now, str(person)):
        messages.success(request, _("The message is thrown away."))
    else:
        messages.warning(request, _("Nothing changed: the message is no longer in quarantine."))
    return redirect("activity", errand.list_id) if errand.list_id else redirect("errands")
