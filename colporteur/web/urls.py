"""Every address of the web: each noun keeps its own."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("health/", include("colporteur.web.health.urls")),
    path("", include("colporteur.web.home.urls")),
    path("", include("colporteur.web.signin.urls")),
]
