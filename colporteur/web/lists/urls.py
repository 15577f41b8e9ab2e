"""Addresses of lists: all of them, a new one, one's messages, what ends or moves it."""

from __future__ import annotations

from django.urls import path, re_path

from colporteur.web.lists import life, views

urlpatterns = [
    path("lists/", views.index, name="lists"),
    path("lists/new", views.new, name="list-new"),
    path("lists/<int:number>/", views.posts, name="list"),
    path("lists/<int:number>/about", views.about, name="list-about"),
    path("lists/delete", life.delete_several, name="lists-delete"),
    path("lists/deleted", life.deleted, name="lists-deleted"),
    path("lists/<int:number>/restore", life.restore, name="list-restore"),
    path("lists/<int:number>/switch", life.switch, name="list-switch"),
    path("lists/<int:number>/close", life.close, name="list-close"),
    path("lists/<int:number>/delete", life.delete, name="list-delete"),
    path("lists/<int:number>/addresses", life.addresses, name="list-addresses"),
    path("lists/<int:number>/copy", life.copy, name="list-copy"),
    path("lists/<int:number>/roles", views.roles_of, name="roles"),
    path("lists/<int:number>/activity", views.activity, name="activity"),
    re_path(r"^lists/(?P<address>[^/]+@[^/]+)/(?P<rest>[a-z-]+)/?$", views.by_address, name="list-by-address"),
]
