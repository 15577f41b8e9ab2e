"""Addresses of waiting messages, signed in or by a mailed link."""

from __future__ import annotations

from django.urls import path

from colporteur.web.moderation import links, views

urlpatterns = [
    path("waiting/", views.waiting, name="waiting"),
    path("waiting/<int:number>/", views.one, name="waiting-post"),
    path("m/<str:token>", links.one, name="moderate"),
    path("m/<str:token>/html", links.html, name="moderate-html"),
    path("m/<str:token>/attachments/<int:index>", links.attachment, name="moderate-attachment"),
]
