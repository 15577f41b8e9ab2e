"""Addresses of signing in and out."""

from __future__ import annotations

from django.urls import path

from colporteur.web.signin import views

urlpatterns = [
    path("signin", views.ask, name="signin"),
]
