"""Addresses of signing in and out, and of one's own account."""

from __future__ import annotations

from django.urls import path

from colporteur.web.signin import addresses, entering, identities, merging, passkeys, privacy, security, views

urlpatterns = [
    path("signin", views.ask, name="signin"),
    path("signin/password", views.by_password, name="signin-password"),
    path("signin/second", entering.second, name="signin-second"),
    path("signin/passkey", passkeys.sign_in, name="signin-passkey"),
    path("signin/passkey/options", passkeys.ask, name="signin-passkey-options"),
    path("signin/with/<int:number>", identities.start, name="signin-with"),
    path("signin/with/<int:number>/back", identities.back, name="signin-back"),
    path("signin/connect/<str:token>", identities.by_letter, name="signin-connect"),
    path("signup/<str:token>", views.sign_up, name="signup"),
    path("signout", views.leave, name="signout"),
    path("s/<str:token>", views.by_link, name="signin-link"),
    path("account", views.account, name="account"),
    path("account/addresses", addresses.change, name="my-addresses"),
    path("account/addresses/<str:token>", addresses.confirm, name="my-address"),
    path("account/export", privacy.export, name="my-export"),
    path("account/erase", privacy.erase, name="my-erase"),
    path("account/merge/<str:token>", merging.confirm, name="my-merge"),
    path("account/security", security.page, name="my-security"),
    path("account/security/app", security.app, name="my-app"),
    path("account/security/codes", security.codes, name="my-codes"),
    path("account/security/remove", security.remove, name="my-way-remove"),
    path("account/security/everywhere", security.everywhere, name="my-sessions-end"),
    path("account/security/passkeys", passkeys.add, name="my-passkeys"),
    path("account/security/passkeys/options", passkeys.offer, name="my-passkeys-options"),
    path("account/security/connect", identities.connect, name="my-identity"),
    path("account/password", views.password, name="password"),
    path("language", views.language, name="language"),
]
