"""Addresses of own texts: of a list, and of everything above lists."""

from __future__ import annotations

from django.urls import path

from colporteur.web.wordings import views

urlpatterns = [
    path("lists/<int:number>/wordings", views.of_list, name="list-wordings"),
    path("lists/<int:number>/wordings/<slug:letter>/<slug:language>", views.of_list, name="list-wording"),
    path("settings/wordings", views.of_site, name="site-wordings"),
    path("settings/wordings/<slug:letter>/<slug:language>", views.of_site, name="site-wording"),
    path("settings/organisations/<int:number>/wordings", views.of_organisation, name="organisation-wordings"),
    path("settings/organisations/<int:number>/wordings/<slug:letter>/<slug:language>", views.of_organisation, name="organisation-wording"),
    path("settings/domains/<int:number>/wordings", views.of_domain, name="domain-wordings"),
    path("settings/domains/<int:number>/wordings/<slug:letter>/<slug:language>", views.of_domain, name="domain-wording"),
]
