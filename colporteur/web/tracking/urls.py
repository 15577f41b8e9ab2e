"""Addresses of counted links, and of newsletters read in the browser."""

from __future__ import annotations

from django.urls import path

from colporteur.web.tracking import doors, reading, statistics

urlpatterns = [
    path("newsletters/<int:number>/statistics", statistics.page, name="statistics"),
    path("newsletters/<int:number>/statistics.csv", statistics.as_csv, name="statistics-csv"),
    path("newsletters/details", statistics.details, name="campaign-details"),
    path("l/<str:key>", doors.link, name="tracked-link"),
    path("o/<str:key>", doors.image, name="tracked-image"),
    path("n/<str:token>", reading.one, name="campaign-read"),
    path("archive/<str:host>/<str:name>", reading.archive, name="campaign-archive"),
    path("archive/<str:host>/<str:name>/feed", reading.feed, name="campaign-feed"),
]
