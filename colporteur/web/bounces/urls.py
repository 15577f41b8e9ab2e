"""Addresses of the pages about reports that name none of our copies."""

from __future__ import annotations

from django.urls import path

from colporteur.web.bounces import views

urlpatterns = [
    path("lists/<int:number>/reports", views.index, name="reports"),
    path("lists/<int:number>/reports/<int:report>", views.one, name="report"),
]
