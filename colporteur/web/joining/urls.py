"""Addresses of joining and leaving a list, of confirming what was asked by mail, and of the owners' queue."""

from __future__ import annotations

from django.urls import path

from colporteur.web.joining import links, public, snippet, views

urlpatterns = [
    path("lists/<int:number>/joining", views.waiting, name="joining"),
    path("lists/<int:number>/joining/<int:request_number>", views.decide, name="joining-decide"),
    path("lists/<int:number>/leaving/<int:request_number>", views.part, name="leaving-decide"),
    path("lists/<int:number>/joining/invite", views.invite, name="joining-invite"),
    path("lists/<int:number>/form", snippet.page, name="list-form"),
    path("subscribe/<str:host>/<str:name>", public.embedded, name="join-embedded"),
    path("join", public.mine, name="join-mine"),
    path("join/<str:host>", public.directory, name="join-domain"),
    path("join/<str:host>/<str:name>", public.join, name="join-list"),
    path("leave/<str:host>/<str:name>", public.leave, name="leave-list"),
    path("j/<str:token>", links.join, name="join-link"),
    path("c/<str:token>", links.commands, name="commands-link"),
]
