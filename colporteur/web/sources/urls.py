"""Addresses of the sources of a list."""

from __future__ import annotations

from django.urls import path

from colporteur.web.sources import views

urlpatterns = [
    path("lists/<int:number>/sources", views.index, name="sources"),
    path("lists/<int:number>/sources/add/<str:kind>", views.add, name="source-add"),
    path("sources/<int:number>", views.one, name="source"),
    path("sources/<int:number>/try", views.try_, name="source-try"),
    path("sources/<int:number>/do", views.do, name="source-do"),
]
