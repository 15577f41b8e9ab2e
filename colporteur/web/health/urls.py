"""Probes."""

from django.urls import path

from colporteur.web.health import views

urlpatterns = [path("live", views.live, name="health-live"), path("ready", views.ready, name="health-ready")]
