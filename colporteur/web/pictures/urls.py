"""The address of a picture."""

from __future__ import annotations

from django.urls import path

from colporteur.web.pictures import views

urlpatterns = [path("f/<str:key>", views.picture, name="picture")]
