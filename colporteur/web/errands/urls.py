"""Addresses of messages to service addresses that could not be processed."""

from __future__ import annotations

from django.urls import path

from colporteur.web.errands import views

urlpatterns = [
    path("errands/", views.index, name="errands"),
    path("errands/<int:number>", views.do, name="errand-do"),
]
