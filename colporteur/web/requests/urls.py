"""Addresses of lists that are asked for."""

from __future__ import annotations

from django.urls import path

from colporteur.web.requests import links, views

urlpatterns = [
    path("lists/ask", views.ask, name="list-ask"),
    path("requests/", views.index, name="requests"),
    path("requests/<int:number>/", views.one, name="request"),
    path("r/<str:token>", links.one, name="request-link"),
]
