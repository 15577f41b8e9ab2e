"""Addresses of the consent ledger and of the opposition list."""

from __future__ import annotations

from django.urls import path

from colporteur.web.privacy import consents, oppositions

urlpatterns = [
    path("people/consents", consents.page, name="consents"),
    path("people/consents/csv", consents.export, name="consents-csv"),
    path("people/oppositions", oppositions.page, name="oppositions"),
]
