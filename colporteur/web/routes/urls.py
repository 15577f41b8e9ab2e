"""Addresses of routes: of a list, and of what is above it."""

from __future__ import annotations

from django.urls import path

from colporteur.web.routes import views

urlpatterns = [
    path("lists/<int:number>/sending-service", views.of_list, name="list-transport"),
    path("settings/route", views.of_site, name="site-route"),
    path("settings/organisations/<int:number>/route", views.of_organisation, name="organisation-route"),
    path("settings/domains/<int:number>/route", views.of_domain, name="domain-route"),
]
