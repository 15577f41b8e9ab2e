"""A service posts events: who it is is said by the secret in the address, and by a signature where its key is known."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from colporteur.adapters.transports.esp import events
from colporteur.flow import services

LARGEST = 10 * 1024 * 1024
"""Bytes of one post; services send some hundred events at once."""


@csrf_exempt  # the secret in the address is the whole authority; a service keeps no cookies
@require_http_methods(["POST", "HEAD"])  # by HEAD Mandrill looks whether somebody is there
@sensitive_variables("secret", "door")
def hear(request: HttpRequest, transport: str, secret: str) -> HttpResponse:
    """Take events in. 200 when they are written down; 400 for what is none, and nothing is kept of it."""
    door = services.door(transport, secret)
    if door is None:
        raise Http404
    if request.method == "HEAD":
        return HttpResponse()
    now = timezone.now()
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST or len(request.body) > LARGEST:
            return _refused(door, "too large", 413)
        heard = events.read(door.transport.kind, request, door.key, door.url)
    except events.Refused as error:
        return _refused(door, str(error), 400)
    except (RequestDataTooBig, ValueError):
        return _refused(door, "too large", 413)
    services.take(door.transport, heard, now)
    return HttpResponse()


def _refused(door: services.Door, why: str, status: int) -> HttpResponse:
    services.refused(door.transport, why, timezone.now())
    return HttpResponse(why, status=status, content_type="text/plain; charset=utf-8")
