"""Probes for load balancers and watchers: no session, no rights, nothing personal."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from colporteur.store import health


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 while this process answers at all."""
    return JsonResponse({"live": True})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 when database, schema and every part are up, else 503; says which is down."""
    found = health.look()
    answer = {"ready": not found.down, "down": found.down, "database": found.database, "schema": found.schema, "parts": found.parts}
    return JsonResponse(answer, status=503 if found.down else 200)
