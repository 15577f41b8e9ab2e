"""Addresses of a list's mailbox."""

from __future__ import annotations

from django.urls import path

from colporteur.web.mailboxes import views

urlpatterns = [
    path("lists/<int:number>/mailbox", views.mailbox, name="mailbox"),
    path("lists/<int:number>/mailbox/do", views.do, name="mailbox-do"),
]
