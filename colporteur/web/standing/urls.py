"""Addresses of pages about addresses that messages do not reach."""

from __future__ import annotations

from django.urls import path

from colporteur.web.standing import links, views

urlpatterns = [
    path("lists/<int:number>/bounces", views.index, name="bounces"),
    path("lists/<int:number>/bounces/change", views.change, name="bounces-change"),
    path("lists/<int:number>/bounces/<int:address>", views.one, name="bounce"),
    path("lists/<int:number>/bounces/<int:address>/<int:event>", views.report, name="bounce-report"),
    path("back/<str:token>", links.back, name="back"),
]
