"""Addresses of "Try it" and of the outbox."""

from __future__ import annotations

from django.urls import path

from colporteur.web.demo import outbox, views

urlpatterns = [
    path("try", views.write, name="try"),
    path("try/<int:number>", views.follow, name="try-post"),
    path("try/<int:number>/state", views.state, name="try-state"),
    path("outbox", outbox.index, name="outbox"),
    path("outbox/<int:number>/<str:name>", outbox.one, name="outbox-message"),
    path("outbox/<int:number>/<str:name>/html", outbox.html, name="outbox-html"),
]
