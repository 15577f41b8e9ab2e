"""Limits: set for a transport, an account, an organisation, a list or a destination group; shown; and what they mean for the
end of a mailing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import BigIntegerField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from colporteur.domain.mailings import Pace, Priority
from colporteur.domain.pacing import Bucket, Cadence, Rate, cadence_of, seconds_for
from colporteur.domain.providers import HOSTS, Host, host_called, host_of
from colporteur.domain.transports import account_of
from colporteur.flow import destinations, routes
from colporteur.flow.organisations import actor
from colporteur.store import buckets, journal, nesting
from colporteur.store.buckets import ACCOUNT, GROUP, LIST, MAILING, ORGANISATION, TRANSPORT, BucketRow
from colporteur.store.destinations import DestinationGroup, hosts_of_members
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List, ListState
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person
from colporteur.store.policies import policy
from colporteur.store.sealed import SealBroken, unseal
from colporteur.store.transports import Transport

_MOST_SHOWN = 50


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
        elif row is not None and number is not None and (row.number, row.profile) != (number, profile):
            buckets.renumber(row.pk, Rate(number, seconds), profile=profile)
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


def seconds_of(transports: Sequence[Transport], list_: List | None, copies: int, priority: int = Priority.POST, ahead: int = 0, pace: str = Pace.USUAL,
               hosts: Callable[[], Mapping[str, int]] | None = None, now: datetime | None = None) -> float:  # fmt: skip
    """Seconds until so many copies of a list have left, at least, if these transports share them; 0: nothing limits them.

    ``ahead``: copies of others that leave by these transports before. ``hosts``: how many of a sample of them go to which
    domain, asked for where groups of destinations have limits of their own.
    """
    to_groups = _to_groups(transports, copies, hosts, cadence_of(priority, pace), now) if hosts and copies else 0.0
    return max(to_groups, _by_ways(transports, list_, copies, priority, ahead, pace))


def _to_groups(transports: Sequence[Transport], copies: int, hosts: Callable[[], Mapping[str, int]], cadence: Cadence, now: datetime | None) -> float:
    """Until the slowest group of destinations has its part: its limits, slowed down as it is, after its rest."""
    grouped = [transport for transport in transports if _is_grouped(transport)]
    if not grouped:
        return 0.0
    sample = hosts()
    groups = destinations.known_groups(sample)
    parts: Counter[int] = Counter()
    for host, number in sample.items():
        parts[groups.get(host, 0)] += number
    rows = DestinationGroup.objects.filter(pk__in=list(parts), enabled=True)
    whole, longest = parts.total() * len(transports), 0.0
    for row in rows:
        part = -(-copies * parts[row.pk] * len(grouped) // whole)
        rest = max(0.0, (row.rests_until - now).total_seconds()) if row.rests_until and now else 0.0
        longest = max(longest, rest + seconds_for(part, _buckets([of_group(row)]), cadence) * 100 / max(row.percent, 1))
    return longest


def _is_grouped(transport: Transport) -> bool:
    """Whether groups of destinations have their limits with this transport (``flow.copies``: the same)."""
    if transport.by_destination is not None:
        return transport.by_destination
    account = of_account(transport)
    return buckets.limited(transport.pk, account.key if account else "")


def _by_ways(transports: Sequence[Transport], list_: List | None, copies: int, priority: int, ahead: int, pace: str) -> float:
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


def seconds_of_mailing(mailing: int, copies: int) -> float:
    """Seconds until so many copies of a mailing have left by its own limit, evenly; 0: it has none."""
    return seconds_for(copies, _buckets([Thing(MAILING, str(mailing), "")]), Cadence.EVEN)


def before_sending(list_: List, copies: int, now: datetime | None = None) -> float:
    """Seconds a message to so many members of a list would take at least, by the transports it would leave by; 0: at once."""
    return seconds_of(_ways(list_), list_, copies, pace=policy(list_).pace, hosts=lambda: hosts_of_members([list_.pk, *nesting.inside(list_.pk).paths]), now=now)


def _ways(list_: List) -> list[Transport]:
    """Transports a message of the list would leave by now."""
    return routes.ways_of(list_, policy(list_).pace)


def lists_with_limits(organisation: Organisation) -> list[tuple[List, list[Limit]]]:
    """Lists of an organisation that have limits of their own, by address."""
    keys = BucketRow.objects.filter(kind=LIST).annotate(of=Cast("key", BigIntegerField())).values("of")
    lists = list(List.objects.filter(organisation=organisation, pk__in=keys).exclude(state=ListState.DELETED).order_by("address")[:_MOST_SHOWN])
    return list(zip(lists, shown([of_list(list_) for list_ in lists]), strict=True)) if lists else []


class Held(NamedTuple):
    """A limit a list's copies are under, with whose it is; ``narrowest``: it lets the least through over time."""

    thing: Thing
    limit: Limit
    narrowest: bool


def above(list_: List) -> list[Held]:
    """Every limit the copies of a list are under, its own first: list, organisation, transports and their accounts."""
    ways = _ways(list_)
    things = [of_list(list_), of_organisation(list_.organisation), *(thing for way in ways for thing in (of_transport(way), of_account(way)) if thing)]
    found = [(thing, limit) for thing, limits in zip(things, shown(things), strict=True) for limit in limits]
    least = min((limit.rate.number / limit.rate.seconds for _thing, limit in found), default=0.0)
    return [Held(thing, limit, limit.rate.number / limit.rate.seconds == least) for thing, limit in found]


def _buckets(things: Sequence[Thing]) -> list[Bucket]:
    return [state.bucket for state in buckets.peek([thing[:2] for thing in things])]
