"""One address, or many, in all lists of an organisation: found, paused, removed, with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from colporteur.domain.addresses import normal
from colporteur.flow import memberships
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Person


class Place(NamedTuple):
    """A membership of one of the addresses asked for."""

    email: str
    list_id: int
    list_address: str
    paused: bool
    delivery: str
    since: datetime


class Report(NamedTuple):
    """What was done: address of a list -> addresses changed there; ``nowhere``: those on none of the lists."""

    changed: dict[str, list[str]]
    nowhere: list[str]


def find(lists: QuerySet[List], emails: Sequence[str]) -> list[Place]:
    """Where the addresses are members, by address and list. Raises ``Invalid`` when a text is not an address."""
    wanted = list(dict.fromkeys(normal(email) for email in emails))
    rows = Membership.objects.filter(address__email__in=wanted, until__isnull=True, list__in=lists).order_by("email", "list__address")
    return [Place(*row) for row in rows.values_list("email", "list_id", "list__address", "paused", "delivery", "since")]


def pause(lists: QuerySet[List], emails: Sequence[str], now: datetime, *, by: Person | str, paused: bool = True) -> Report:
    """Send nothing to them, or send again, on every one of the lists; all or none."""

    def one(list_: List, found: list[str]) -> list[str]:
        changing = list(Membership.objects.filter(list=list_, until__isnull=True, address__email__in=found).exclude(paused=paused).values_list("email", flat=True))
        memberships.pause(list_, changing, now, by=by, paused=paused)
        return changing

    return _everywhere(lists, emails, one)


def remove(lists: QuerySet[List], emails: Sequence[str], now: datetime, *, by: Person | str) -> Report:
    """End their memberships of every one of the lists; all or none."""
    return _everywhere(lists, emails, lambda list_, found: memberships.remove(list_, found, now, by=by).removed)


@transaction.atomic
def _everywhere(lists: QuerySet[List], emails: Sequence[str], act: Callable[[List, list[str]], list[str]]) -> Report:
    places = find(lists, emails)
    found: dict[int, list[str]] = {}
    for place in places:
        found.setdefault(place.list_id, []).append(place.email)
    rows = List.objects.select_related("organisation", "domain").in_bulk(sorted(found))
    changed = {rows[pk].address: act(rows[pk], found[pk]) for pk in sorted(found)}  # in one order, so that two of these wait for each other
    known = {place.email for place in places}
    nowhere = [email for email in dict.fromkeys(normal(email) for email in emails) if email not in known]
    return Report({address: done for address, done in sorted(changed.items()) if done}, nowhere)
