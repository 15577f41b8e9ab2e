"""Addresses of a list's segments."""

from __future__ import annotations

from django.urls import path

from colporteur.web.segments import views

urlpatterns = [
    path("lists/<int:number>/segments", views.index, name="segments"),
    path("lists/<int:number>/segments/new", views.new, name="segment-new"),
    path("lists/<int:number>/segments/<int:segment>", views.one, name="segment"),
]
