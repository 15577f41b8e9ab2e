"""Address of the home page."""

from __future__ import annotations

from django.urls import path

from colporteur.web.home import views

urlpatterns = [path("", views.home, name="home")]
