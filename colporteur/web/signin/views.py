"""Signing in by mailed link or by password, and out again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def ask(request: HttpRequest) -> HttpResponse:
    """Asks for the address."""
    return render(request, "signin/ask.html")
