"""A request's state and the outcome of a decision, in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from colporteur.flow.requests import Decided
from colporteur.store.lists import RoleKind
from colporteur.store.requests import ListRequest, RequestState
from colporteur.web import kinds


def state_words(request: ListRequest) -> tuple[str, str]:
    """Shape of the dot and words."""
    return {
        RequestState.OPEN: ("waiting", _("Waits for a decision")),
        RequestState.ACTIVATED: ("done", _("Activated")),
        RequestState.REFUSED: ("broken", _("Refused")),
        RequestState.WITHDRAWN: ("paused", _("Taken back")),
    }[RequestState(request.state)]


def about(request: ListRequest) -> dict[str, Any]:
    """What ``requests/about.html`` shows."""
    shape, words = state_words(request)
    owners: list[str] = []
    if request.list is not None:
        for role in request.list.roles.filter(kind=RoleKind.OWNER).select_related("person", "address").order_by("id"):
            owners.append(role.address.email if role.address else role.person.primary_email if role.person else "")
    return {"asked": request, "shape": shape, "words": words, "owners": owners, "template_title": kinds.title(request.template)}


def told(decided: Decided) -> str:
    """One sentence about a decision: yours, or whose came before yours."""
    request = decided.request
    if decided.won:
        return {
            RequestState.ACTIVATED: _("The list %(address)s is activated, and who asked for it is told."),
            RequestState.REFUSED: _("The list %(address)s is refused, and who asked for it is told."),
        }.get(RequestState(request.state), _("The request for %(address)s is taken back.")) % {"address": request.address}
    return _("This request was already decided: %(state)s, by %(who)s.") % {"state": state_words(request)[1].lower(), "who": str(request.decided_by or "?")}
