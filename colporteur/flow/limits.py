"""Limits: set for a transport, an account, an organisation, a list or a destination group; shown; and what they mean for the
end of a mailing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain.mailings import Pace, Priority
from colporteur.domain.pacing import Bucket, Rate, cadence_of, seconds_for
from colporteur.domain.providers import HOSTS, Host, host_called, host_of
from colporteur.domain.transports import account_of
from colporteur.flow import routes
from colporteur.flow.organisations import actor
from colporteur.store import buckets, journal
from colporteur.store.buckets import ACCOUNT, GROUP, LIST, ORGANISATION, TRANSPORT, BucketRow
from colporteur.store.destinations import DestinationGroup
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person
from colporteur.store.policies import policy
from colporteur.store.sealed import SealBroken, unseal
from colporteur.store.transports import Transport


class Thing(NamedTuple):
    """What has limits, as the buckets know it, and as people do."""

    kind: str
    key: str
    name: str
    organisation: int | None = None


class Limit(NamedTuple):
    """One limit and how much of it was used in the window that ends now. ``profile``: whose published figure it comes from."""

    rate: Rate
    profile: str
    used: int


def of_transport(transport: Transport) -> Thing:
    """The transport itself."""
    return Thing(TRANSPORT, str(transport.pk), transport.name, transport.organisation_id)


def of_account(transport: Transport) -> Thing | None:
    """Its account at the provider, which other transports may share; None when it has none, or its URL cannot be read."""
    try:
        account = account_of(unseal(transport.url_sealed))
    except SealBroken:
        return None
    return Thing(ACCOUNT, account, account, transport.organisation_id) if account else None


def of_organisation(organisation: Organisation) -> Thing:
    """Everything its lists send."""
    return Thing(ORGANISATION, str(organisation.pk), organisation.name, organisation.pk)


def of_list(list_: List) -> Thing:
    """Everything one list sends."""
    return Thing(LIST, str(list_.pk), list_.address, list_.organisation_id)


def of_group(group: DestinationGroup) -> Thing:
    """Everything that goes to a group of destinations."""
    return Thing(GROUP, str(group.pk), group.title)


def show(thing: Thing | None) -> list[Limit]:
    """Limits of a thing, the shortest window first."""
    return shown([thing])[0] if thing else []


def shown(things: Sequence[Thing]) -> list[list[Limit]]:
    """The same for several, in two statements."""
    states = buckets.peek([thing[:2] for thing in things])
    profiles = dict(BucketRow.objects.filter(pk__in=[state.id for state in states]).values_list("pk", "profile"))
    found: dict[tuple[str, str], list[Limit]] = {}
    for state in sorted(states, key=lambda state: state.bucket.rate.seconds):
        found.setdefault((state.kind, state.key), []).append(Limit(state.bucket.rate, profiles.get(state.id, ""), state.bucket.used()))
    return [found.get(thing[:2], []) for thing in things]


@transaction.atomic
def change(thing: Thing, rates: Iterable[Rate], now: datetime, by: Person | str, profile: str = "") -> bool:
    """These are the limits from now on, none without any; what was used in a window that stays is not forgotten. False: they
    were so."""
    wanted = {rate.seconds: rate.number for rate in rates}
    rows = {row.seconds: row for row in BucketRow.objects.select_for_update().filter(kind=thing.kind, key=thing.key).order_by("pk")}
    changed = False
    for seconds in sorted({*wanted, *rows}):
        row, number = rows.get(seconds), wanted.get(seconds)
        if row is None and number:
            BucketRow.objects.create(kind=thing.kind, key=thing.key, number=number, seconds=seconds, profile=profile)
        elif row is not None and number is None:
            row.delete()
        elif row is not None and (row.number, row.profile) != (number, profile):
            BucketRow.objects.filter(pk=row.pk).update(number=number, profile=profile)
        else:
            continue
        changed = True
    if changed:
        buckets.come_back()
        words = ", ".join(str(Rate(wanted[seconds], seconds)) for seconds in sorted(wanted)) or "—"
        list_ = int(thing.key) if thing.kind == LIST else None
        journal.write("limits.changed", now, actor=actor(by), organisation=thing.organisation, list=list_, place=thing.name, by=str(by), change=words)
        wake(Wake.DELIVER)
    return changed


def use_profile(transport: Transport, name: str, now: datetime, by: Person | str) -> Host:
    """The limits of a host for a transport and its account: four fifths of what it publishes. Raises ``ValueError``."""
    host = host_called(name)
    if host is None:
        raise ValueError(_("there is no profile called %(name)r; known: %(known)s") % {"name": name[:40], "known": ", ".join(known.name for known in HOSTS)})
    account, way = host.shares()
    thing = of_account(transport)
    if account and thing is None:
        way = tuple(sorted({*account, *way}, key=lambda rate: rate.seconds))
    elif thing:
        change(thing, account, now, by, host.name)
    change(of_transport(transport), way, now, by, host.name)
    return host


def suggested(transport: Transport) -> Host | None:
    """The host a transport seems to belong to, by the name of its server."""
    thing = of_account(transport)
    return host_of(thing.name.rpartition("@")[2]) if thing else None


@transaction.atomic
def by_destination(transport: Transport, wanted: bool | None, now: datetime, by: Person | str) -> bool:
    """Whether groups of destinations have their limits with this transport, too; None: as soon as it has limits itself."""
    if Transport.objects.filter(pk=transport.pk, by_destination=wanted).exists():
        return False
    Transport.objects.filter(pk=transport.pk).update(by_destination=wanted)
    transport.by_destination = wanted
    words = "by destination: " + {None: "when limited", True: "yes", False: "no"}[wanted]
    journal.write("limits.changed", now, actor=actor(by), organisation=transport.organisation_id, place=transport.name, by=str(by), change=words)
    return True


# --- how long it takes ------------------------------------------------------------------------------------------


def seconds_of(transports: Sequence[Transport], list_: List | None, copies: int, priority: int = Priority.POST, ahead: int = 0, pace: str = Pace.USUAL) -> float:
    """Seconds until so many copies of a list have left, at least, if these transports share them; 0: nothing limits them.

    ``ahead``: copies of others that leave by these transports before. Limits of destinations are not reckoned with.
    """
    own = [of_list(list_), Thing(ORGANISATION, str(list_.organisation_id), "")] if list_ else []
    cadence = cadence_of(priority, pace)
    longest = seconds_for(copies, _buckets(own), cadence)
    ways = [[of_transport(transport), *([account] if (account := of_account(transport)) else [])] for transport in transports]
    if not ways:
        return longest
    limited = [found for way in ways if (found := _buckets(way))]
    if len(limited) < len(ways):
        return longest  # one of them has no limit
    rates = [1 / max(seconds_for(copies + ahead, found, cadence), 1e-9) for found in limited]
    return max(longest, 1 / sum(rates))


def before_sending(list_: List, copies: int) -> float:
    """Seconds a message to so many members of a list would take at least, by the transports it would leave by; 0: at once."""
    route = routes.route_of(list_)
    pace = policy(list_).pace
    turns = set(route.turns(route.first, pace))
    return seconds_of([transport for transport in route.transports.values() if transport.pk in turns], list_, copies, pace=pace)


def _buckets(things: Sequence[Thing]) -> list[Bucket]:
    return [state.bucket for state in buckets.peek([thing[:2] for thing in things])]
