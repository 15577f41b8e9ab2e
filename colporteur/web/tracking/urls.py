"""Addresses of counted links, and of newsletters read in the browser."""

from __future__ import annotations

from django.urls import path

from colporteur.web.tracking import doors

urlpatterns = [
    path("l/<str:key>", doors.link, name="tracked-link"),
    path("l/<str:key>/<str:copy>", doors.link, name="tracked-link-named"),
    path("o/<str:key>", doors.image, name="tracked-image"),
    path("o/<str:key>/<str:copy>", doors.image, name="tracked-image-named"),
]
