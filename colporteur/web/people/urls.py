"""Addresses of people, for administrators."""

from __future__ import annotations

from django.urls import path

from colporteur.web.people import views

urlpatterns = [
    path("people/", views.index, name="people"),
    path("people/add", views.add, name="person-add"),
    path("people/<int:number>/", views.one, name="person"),
    path("people/<int:number>/merge", views.merge, name="person-merge"),
]
