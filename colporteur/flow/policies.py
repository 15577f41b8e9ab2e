"""Policy values above the lists: of the site, an organisation or a domain. A list's own are set by ``flow.lists``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from colporteur.domain import policy as options
from colporteur.domain.addresses import normal
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.organisations import Domain, Organisation, Site
from colporteur.store.people import Person

Place = Site | Organisation | Domain


@transaction.atomic
def set_policy(place: Place, values: Mapping[str, str | None], by: Person | str, now: datetime) -> dict[str, Any]:
    """Set options from texts for everything below ``place``; None goes back to the inherited value. All or none, journaled.

    Returns what changed, option -> new value (None: inherited). Raises ``ValueError`` with a sentence for each wrong one.
    """
    parsed, wrong = {}, []
    for name, text in values.items():
        try:
            value = options.parse(name, text)
            parsed[name] = normal(value) if name == "reply_address" and value else value
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    row = type(place).objects.select_for_update().get(pk=place.pk)
    changed = {}
    for name, value in parsed.items():
        if (name in row.policy) == (values[name] is not None) and row.policy.get(name) == value:
            continue
        if values[name] is None:
            row.policy.pop(name)
        else:
            row.policy[name] = value
        changed[name] = value
    if changed:
        row.save(update_fields=["policy"])
        place.policy = row.policy
        _journal(place, changed, by, now)
    return changed


def site() -> Site:
    """The installation's row, made at first need."""
    return Site.objects.get_or_create(id=1)[0]


def _journal(place: Place, changed: Mapping[str, Any], by: Person | str, now: datetime) -> None:
    organisation = place.organisation_id if isinstance(place, Domain) else place.pk if isinstance(place, Organisation) else None
    name = "" if isinstance(place, Site) else place.name
    change = ", ".join(f"{option}: {'—' if value is None else str(value)[:200]}" for option, value in changed.items())
    journal.write("policy.changed", now, actor=actor(by), organisation=organisation, by=str(by), place=name or "site", change=change)
