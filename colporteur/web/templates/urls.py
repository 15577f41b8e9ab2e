"""Addresses of templates: the shipped ones explained, and those made here."""

from __future__ import annotations

from django.urls import path

from colporteur.web.templates import views

urlpatterns = [
    path("settings/templates/", views.index, name="templates"),
    path("settings/templates/add", views.add, name="template-add"),
    path("settings/templates/<int:number>/about", views.one, name="template"),
]
