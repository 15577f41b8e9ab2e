"""My page: the lists I am on, with a pause and a way out."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from colporteur.domain.policy import Leaving
from colporteur.flow import memberships
from colporteur.store.memberships import Membership
from colporteur.store.policies import policy
from colporteur.web.guard import person_of


@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The person's memberships, by every address."""
    found = _mine(request).order_by("list__address", "address__email")[:500]
    return render(request, "memberships/mine.html", {"rows": [(membership, policy(membership.list).leaving == Leaving.FREE) for membership in found]})


def _mine(request: HttpRequest):  # type: ignore[no-untyped-def]
    return Membership.objects.filter(address__person=person_of(request), until__isnull=True).exclude(list__state="deleted").select_related("list__organisation", "list__domain", "address")


@require_POST
@login_required
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Pauses, resumes or ends one of one's own memberships."""
    membership = _mine(request).filter(pk=number).first()
    if membership is None:
        raise Http404
    list_, now, person, wish = membership.list, timezone.now(), person_of(request), request.POST.get("wish", "")
    name = list_.title or list_.address
    if wish == "leave" and policy(list_).leaving == Leaving.FREE:
        memberships.leave(list_, membership.address, now, by=person)
        messages.success(request, _("You left the list %(name)s.") % {"name": name})
    elif wish in ("pause", "resume"):
        memberships.pause(list_, [membership.address.email], now, by=person, paused=wish == "pause")
        messages.success(request, (_("%(name)s: paused. You stay on the list.") if wish == "pause" else _("%(name)s: you receive again.")) % {"name": name})
    return redirect("my-page")
