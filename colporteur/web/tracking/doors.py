"""Where counted links and images are fetched by mail programs: answered at once, kept in no cache, tied to no session."""

from __future__ import annotations

import base64

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from colporteur.flow import tracking
from colporteur.flow.tracking import Asked
from colporteur.web.guard import client_of

POINT = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
"""One transparent point (GIF89a, 43 bytes)."""


def _asked(request: HttpRequest) -> Asked:
    purpose = " ".join(request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    return Asked(request.headers.get("User-Agent", ""), request.method or "GET", purpose, client_of(request))


@require_safe
def link(request: HttpRequest, key: str) -> HttpResponse:
    """Leads on to where the newsletter's author wanted; nowhere else, whatever is asked."""
    url = tracking.follow(key, _asked(request), timezone.now())
    if url is None:
        raise Http404
    return HttpResponse(status=302, headers={"Location": url, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"})


@require_safe
def image(request: HttpRequest, key: str) -> HttpResponse:
    """The point; whether anything was counted is not told."""
    tracking.seen(key, _asked(request), timezone.now())
    return HttpResponse(POINT, content_type="image/gif", headers={"Cross-Origin-Resource-Policy": "cross-origin"})
