"""Addresses of joining a list, of confirming what was asked by mail, and of the owners' queue."""

from __future__ import annotations

from django.urls import path

from colporteur.web.joining import links, views

urlpatterns = [
    path("lists/<int:number>/joining", views.waiting, name="joining"),
    path("lists/<int:number>/joining/<int:request_number>", views.decide, name="joining-decide"),
    path("j/<str:token>", links.join, name="join-link"),
    path("c/<str:token>", links.commands, name="commands-link"),
]
