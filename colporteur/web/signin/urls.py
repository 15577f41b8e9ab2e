"""Addresses of signing in and out, and of one's own account."""

from __future__ import annotations

from django.urls import path

from colporteur.web.signin import addresses, privacy, views

urlpatterns = [
    path("signin", views.ask, name="signin"),
    path("signin/password", views.by_password, name="signin-password"),
    path("signout", views.leave, name="signout"),
    path("s/<str:token>", views.by_link, name="signin-link"),
    path("account", views.account, name="account"),
    path("account/addresses", addresses.change, name="my-addresses"),
    path("account/addresses/<str:token>", addresses.confirm, name="my-address"),
    path("account/export", privacy.export, name="my-export"),
    path("account/erase", privacy.erase, name="my-erase"),
    path("account/password", views.password, name="password"),
    path("language", views.language, name="language"),
]
