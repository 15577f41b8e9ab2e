"""Addresses of sending services, for administrators."""

from __future__ import annotations

from django.urls import path

from colporteur.web.transports import views

urlpatterns = [
    path("settings/sending-services/add", views.add, name="transport-add"),
    path("settings/sending-services/<int:number>/", views.one, name="transport"),
    path("settings/sending-services/<int:number>/remove", views.remove, name="transport-remove"),
    path("settings/sending-services/<int:number>/do", views.do, name="transport-do"),
]
