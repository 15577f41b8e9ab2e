"""Policy values above the lists: of the site, an organisation or a domain. A list's own are set by ``flow.lists``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from colporteur.domain import policy as options
from colporteur.flow import quotas
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.organisations import Domain, Organisation, Site
from colporteur.store.people import Person
from colporteur.store.policies import site_policy
from colporteur.store.templates import OwnTemplate

Place = Site | Organisation | Domain | OwnTemplate
_LAYERS: dict[type[Place], options.Layer] = {Site: options.Layer.SITE, Organisation: options.Layer.ORGANISATION, Domain: options.Layer.DOMAIN, OwnTemplate: options.Layer.TEMPLATE}


@transaction.atomic
def set_policy(place: Place, values: Mapping[str, str | None], by: Person | str, now: datetime) -> dict[str, Any]:
    """Set options from texts for everything below ``place`` (or following it); None goes back to the inherited value. All or none, journaled.

    Returns what changed, option -> new value (None: inherited). Raises ``ValueError`` with a sentence for each wrong one.
    """
    row = type(place).objects.select_for_update().get(pk=place.pk)
    row.policy, changed = options.changed(row.policy, values, _LAYERS[type(place)])
    if any(changed.get(name, (None, None))[1] is not None for name in ("leaving", "urgency")):
        options.check_leaving(_above(row) | {_LAYERS[type(place)]: row.policy})
    if not isinstance(row, OwnTemplate):
        quotas.check_size(row, changed.get("max_size", (None, None))[1])
    row.save(update_fields=["policy"])
    place.policy = row.policy
    wanted = {name: new for name, (_old, new) in changed.items()}
    if wanted:
        _journal(place, wanted, by, now)
    return wanted


def site() -> Site:
    """The installation's row, made at first need."""
    return Site.objects.get_or_create(id=1)[0]


def _above(place: Place) -> dict[options.Layer, Mapping[str, Any]]:
    """What the layers above a place say."""
    if isinstance(place, Site):
        return {}
    organisation = None if isinstance(place, Organisation) else place.organisation
    return {options.Layer.SITE: site_policy()} | ({options.Layer.ORGANISATION: organisation.policy} if organisation else {})


def _journal(place: Place, changed: Mapping[str, Any], by: Person | str, now: datetime) -> None:
    organisation = place.organisation_id if isinstance(place, Domain | OwnTemplate) else place.pk if isinstance(place, Organisation) else None
    name = "" if isinstance(place, Site) else str(place)
    change = ", ".join(f"{option}: {'—' if value is None else str(value)[:200]}" for option, value in changed.items())
    journal.write("policy.changed", now, actor=actor(by), organisation=organisation, by=str(by), place=name or "site", change=change)
