"""Addresses of a list's attributes."""

from __future__ import annotations

from django.urls import path

from colporteur.web.attributes import views

urlpatterns = [
    path("lists/<int:number>/attributes", views.index, name="attributes"),
    path("lists/<int:number>/attributes/<int:attribute>", views.one, name="attribute"),
]
