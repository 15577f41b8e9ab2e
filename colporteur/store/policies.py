"""The effective policy of a list: the layers as rows hold them, folded by ``domain.policy``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from colporteur.domain.policy import Effective, Layer, Policy, effective, policy_of
from colporteur.domain.templates import TEMPLATES
from colporteur.store.lists import List
from colporteur.store.statements import execute
from colporteur.store.templates import OwnTemplate


def site_policy() -> Mapping[str, Any]:
    """What the site's layer says; ask once and hand it on when several lists are looked at."""
    return _of_site("SELECT policy::text FROM site WHERE id = 1")


def site_quotas() -> Mapping[str, Any]:
    """What the site allows every organisation (``domain.quotas``)."""
    return _of_site("SELECT quotas::text FROM site WHERE id = 1")


def _of_site(query: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next((json.loads(row[0]) for row in execute(query, []).fetchall()), {})
    return found


def layers(list_: List, site: Mapping[str, Any] | None = None) -> dict[Layer, Mapping[str, Any]]:
    """What each layer says for this list (query the list with ``select_related("organisation", "domain")``)."""
    return {
        Layer.SITE: site_policy() if site is None else site,
        Layer.ORGANISATION: list_.organisation.policy,
        Layer.DOMAIN: list_.domain.policy if list_.domain else {},
        Layer.TEMPLATE: template_policy(list_.template),
        Layer.LIST: list_.policy,
    }


def template_policy(key: str) -> Mapping[str, Any]:
    """What a template says: a shipped one without asking, one made here by one query."""
    if shipped := TEMPLATES.get(key):
        return shipped.policy
    return OwnTemplate.objects.filter(key=key).values_list("policy", flat=True).first() or {}


def policy(list_: List, site: Mapping[str, Any] | None = None) -> Policy:
    """Effective policy of a list. What its organisation or domain allows a message at most bounds it (``domain.quotas``)."""
    found = policy_of(layers(list_, site))
    most = [place.quotas["message_size"] for place in (list_.organisation, list_.domain) if place and "message_size" in place.quotas]
    return replace(found, max_size=min(found.max_size, *most)) if most else found


def explained(list_: List) -> dict[str, Effective]:
    """Every option with its value and where it comes from."""
    return effective(layers(list_))
