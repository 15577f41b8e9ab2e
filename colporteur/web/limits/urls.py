"""Addresses of limits and groups of destinations, for administrators."""

from __future__ import annotations

from django.urls import path

from colporteur.web.limits import views

urlpatterns = [
    path("lists/<int:number>/limits", views.of_list, name="list-limits"),
    path("settings/organisations/<int:number>/limits", views.of_organisation, name="organisation-limits"),
    path("settings/sending-services/<int:number>/limits", views.transport, name="transport-limits"),
    path("settings/destinations/", views.destinations, name="destinations"),
    path("settings/destinations/<int:number>/", views.destination, name="destination"),
    path("settings/destinations/<int:number>/resume", views.resume, name="destination-resume"),
]
