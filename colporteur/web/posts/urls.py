"""Addresses of one message and its parts."""

from __future__ import annotations

from django.urls import path

from colporteur.web.posts import views

urlpatterns = [
    path("posts/<int:number>/", views.one, name="post"),
    path("posts/<int:number>/html", views.html, name="post-html"),
    path("posts/<int:number>/attachments/<int:index>", views.attachment, name="post-attachment"),
    path("posts/<int:number>/original", views.original, name="post-original"),
    path("posts/<int:number>/quarantine", views.quarantine, name="post-quarantine"),
]
