"""Addresses of lists: all of them, a new one, one's messages, what ends or moves it."""

from __future__ import annotations

from django.urls import path, re_path

from colporteur.web.lists import views

urlpatterns = [
    path("lists/", views.index, name="lists"),
    path("lists/new", views.new, name="list-new"),
    path("lists/<int:number>/", views.posts, name="list"),
    path("lists/<int:number>/about", views.about, name="list-about"),
    path("lists/<int:number>/switch", views.switch, name="list-switch"),
    path("lists/<int:number>/delete", views.delete, name="list-delete"),
    path("lists/<int:number>/roles", views.roles_of, name="roles"),
    path("lists/<int:number>/activity", views.activity, name="activity"),
    re_path(r"^lists/(?P<address>[^/]+@[^/]+)/(?P<rest>[a-z-]+)/?$", views.by_address, name="list-by-address"),
]
