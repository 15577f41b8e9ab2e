"""Addresses of lists inside lists."""

from __future__ import annotations

from django.urls import path

from colporteur.web.nesting import views

urlpatterns = [path("lists/<int:number>/inside", views.inside, name="list-inside")]
