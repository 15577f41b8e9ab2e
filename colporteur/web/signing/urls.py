"""Addresses of a domain's signing keys, for administrators."""

from __future__ import annotations

from django.urls import path

from colporteur.web.signing import views

urlpatterns = [
    path("settings/domains/<int:number>/signing", views.keys, name="domain-signing"),
    path("settings/domains/<int:number>/signing/do", views.do, name="domain-signing-do"),
]
