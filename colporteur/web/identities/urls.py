"""Addresses of identity providers, for administrators of the site."""

from __future__ import annotations

from django.urls import path

from colporteur.web.identities import views

urlpatterns = [
    path("settings/identity-providers/", views.index, name="identities"),
    path("settings/identity-providers/add", views.add, name="identity-add"),
    path("settings/identity-providers/<int:number>/", views.one, name="identity"),
]
