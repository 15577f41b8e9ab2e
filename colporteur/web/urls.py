"""Every address of the web: each noun keeps its own."""

from __future__ import annotations

from django.urls import include, path

NOUNS = ("tracking", "home", "signin", "moderation", "requests", "lists", "memberships", "standing", "bounces", "nesting", "sources", "joining", "segments", "attributes", "policies", "wordings", "templates", "mailboxes", "posts", "errands", "campaigns", "mailings", "digests", "pictures", "privacy", "people", "organisations", "transports", "hooks", "limits", "routes", "signing", "identities", "demo")

urlpatterns = [path("health/", include("colporteur.web.health.urls")), *(path("", include(f"colporteur.web.{noun}.urls")) for noun in NOUNS)]
