"""How an organisation's pages look: its stylesheet and logo, open to everybody who may be shown such a page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from colporteur.domain import look as tones
from colporteur.flow import look
from colporteur.web.guard import FOREIGN_POLICY

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Another colour and another logo have another address."""


@require_safe
def style(_request: HttpRequest, colour: str) -> HttpResponse:
    """Colours of pages, from one."""
    return HttpResponse(tones.style(colour), content_type="text/css; charset=utf-8", headers=_FOR_EVER)


@require_safe
def logo(_request: HttpRequest, number: int, version: str) -> HttpResponse:
    """The logo; an outdated address leads nowhere."""
    found = look.logo_of(number, version)
    if found is None:
        raise Http404
    return HttpResponse(bytes(found.png), content_type="image/png", headers=_FOR_EVER | {"Content-Security-Policy": FOREIGN_POLICY, "X-Content-Type-Options": "nosniff"})
