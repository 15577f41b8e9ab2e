"""A picture of a newsletter: open to everybody who has its address, which cannot be guessed."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from colporteur.flow.campaigns import files
from colporteur.web.guard import FOREIGN_POLICY

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": FOREIGN_POLICY, "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
}  # fmt: skip
"""Another picture has another address; mail read in a browser shows it on a page that is not ours."""


@require_safe
def picture(_request: HttpRequest, key: str) -> HttpResponse:
    """The picture itself."""
    found = files.picture(key)
    if found is None:
        raise Http404
    return HttpResponse(bytes(found.blob.raw), content_type=found.content_type, headers=_HEADERS)
