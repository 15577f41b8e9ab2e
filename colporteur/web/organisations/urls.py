"""Addresses of the site's settings: organisations and domains."""

from __future__ import annotations

from django.urls import path

from colporteur.web.organisations import domains, one, views

urlpatterns = [
    path("settings/organisations/<int:number>/", one.one, name="organisation"),
    path("settings/", views.settings, name="settings"),
    path("settings/domains/add", views.add_domain, name="domain-add"),
    path("settings/domains/<int:number>/", domains.one, name="domain"),
    path("settings/domains/<int:number>/switch", views.switch, name="domain-switch"),
]
