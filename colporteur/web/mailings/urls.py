"""Addresses of sending."""

from __future__ import annotations

from django.urls import path

from colporteur.web.mailings import views

urlpatterns = [
    path("sending/", views.index, name="sending"),
    path("sending/<int:number>/", views.one, name="mailing"),
    path("sending/<int:number>/progress", views.progress, name="mailing-progress"),
    path("sending/<int:number>/failed.csv", views.failed, name="mailing-failed"),
    path("sending/<int:number>/line", views.line, name="mailing-line"),
    path("sending/<int:number>/move", views.move, name="mailing-move"),
    path("sending/<int:number>/again", views.again, name="mailing-again"),
    path("sending/<int:number>/abandon", views.abandon, name="mailing-abandon"),
]
