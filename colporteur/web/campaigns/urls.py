"""Addresses of newsletters: all of them, and one being written, tried, checked and sent."""

from __future__ import annotations

from django.urls import path

from colporteur.web.campaigns import audience, files, seeing, sending, trying, views, writing

urlpatterns = [
    path("newsletters/", views.index, name="campaigns"),
    path("newsletters/new", writing.new, name="campaign-new"),
    path("newsletters/<int:number>/", writing.one, name="campaign"),
    path("newsletters/<int:number>/audience", audience.page, name="campaign-audience"),
    path("newsletters/<int:number>/count", audience.count, name="campaign-count"),
    path("newsletters/<int:number>/files", files.change, name="campaign-files"),
    path("newsletters/<int:number>/preview", seeing.preview, name="campaign-preview"),
    path("newsletters/<int:number>/seen", seeing.frame, name="campaign-seen"),
    path("newsletters/<int:number>/try", trying.page, name="campaign-try"),
    path("newsletters/<int:number>/check", sending.check, name="campaign-check"),
    path("newsletters/<int:number>/release", sending.release, name="campaign-release"),
    path("newsletters/<int:number>/send", sending.page, name="campaign-send"),
    path("newsletters/<int:number>/copy", writing.copy, name="campaign-copy"),
    path("newsletters/<int:number>/delete", writing.delete, name="campaign-delete"),
]
