"""Addresses of the site's settings: organisations and domains."""

from __future__ import annotations

from django.urls import path, register_converter

from colporteur.web.organisations import domains, look, one, views


class Hexadecimal:
    """Digits in base 16."""

    regex = "[0-9a-f]{6,16}"

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(Hexadecimal, "hex")

urlpatterns = [
    path("look/<hex:colour>.css", look.style, name="look-style"),
    path("look/<int:number>/<hex:version>.png", look.logo, name="look-logo"),
    path("settings/organisations/<int:number>/", one.one, name="organisation"),
    path("settings/", views.settings, name="settings"),
    path("settings/domains/add", views.add_domain, name="domain-add"),
    path("settings/domains/<int:number>/", domains.one, name="domain"),
    path("settings/domains/<int:number>/switch", views.switch, name="domain-switch"),
]
