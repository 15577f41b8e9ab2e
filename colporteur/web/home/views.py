"""Home: what waits, what is broken, what is on its way, then the lists."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The first page after signing in."""
    return render(request, "home/home.html")
