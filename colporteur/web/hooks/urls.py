"""The webhook of a sending service."""

from __future__ import annotations

from django.urls import path

from colporteur.web.hooks import views

urlpatterns = [path("hooks/<str:transport>/<str:secret>/", views.hear, name="hook")]
