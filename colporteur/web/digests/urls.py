"""Addresses of the pages behind the links of subjects and digests."""

from __future__ import annotations

from django.urls import path

from colporteur.web.digests import views

urlpatterns = [
    path("d/<str:token>", views.page, name="digest-read"),
    path("d/<str:token>/<int:position>", views.one, name="digest-message"),
    path("d/<str:token>/<int:position>/html", views.html, name="digest-html"),
    path("d/<str:token>/<int:position>/attachments/<int:index>", views.attachment, name="digest-attachment"),
]
