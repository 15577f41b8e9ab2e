"""Addresses of policy settings: of a list, and of everything above lists."""

from __future__ import annotations

from django.urls import path

from colporteur.web.policies import views

urlpatterns = [
    path("lists/<int:number>/settings", views.of_list, name="list-settings"),
    path("settings/policy", views.of_site, name="site-policy"),
    path("settings/organisations/<int:number>/policy", views.of_organisation, name="organisation-policy"),
    path("settings/templates/<int:number>/", views.of_template, name="template-policy"),
    path("settings/domains/<int:number>/policy", views.of_domain, name="domain-policy"),
]
