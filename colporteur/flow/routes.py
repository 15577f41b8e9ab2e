"""Routes: the way out of a list's mail, inherited list -> domain -> organisation -> site, and slices that change over.

Without a route there is one way out: the organisation's own default transport, else the site's. A transport is usable while
it is switched on and not in trouble; when it is not, open slices move to one that is, and are shared out anew when it
comes back. A slice under lease moves when it is given back, so nothing is sent twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from colporteur.domain import routes
from colporteur.domain.mailings import MailingState, Pace
from colporteur.domain.policy import Layer
from colporteur.domain.routes import Means, Step
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store import routes as rows
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.organisations import Domain, Organisation, Site
from colporteur.store.people import Person
from colporteur.store.routes import RouteStep
from colporteur.store.sealed import SealBroken, unseal
from colporteur.store.transports import Transport

log = logging.getLogger("colporteur.mail")

Place = Site | Organisation | Domain | List
_OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)
MOST_CHECKS = 20
"""Transports looked at together."""
_LAYERS = (Layer.LIST, Layer.DOMAIN, Layer.ORGANISATION, Layer.SITE)

CHECK_AFTER = timedelta(seconds=30)
CHECK_IDLE = timedelta(hours=1)
"""How often a transport in trouble is looked at, and one of a route that had nothing to send."""


@dataclass(frozen=True, slots=True)
class Route:
    """The effective route of a list (or of the site) and where it comes from; ``Layer.DEFAULT``: the default transport alone.

    ``inherited``: what would hold if the list itself said nothing.
    """

    origin: Layer
    steps: tuple[Step, ...]  # of transport ids
    transports: dict[int, Transport]
    inherited: Route | None = None

    @property
    def first(self) -> Transport | None:
        """The transport mail is prepared for: the first that can take it, else the first switched on, else the first."""
        order = [self.transports[step.transport] for step in self.steps]
        return next(filter(usable, order), None) or next((one for one in order if one.enabled), order[0] if order else None)

    def turns(self, prepared_for: Transport | None, pace: str = Pace.USUAL, without: Collection[int] = ()) -> tuple[int, ...]:
        """Whose turn it is, for slices of a message prepared for a transport; () when nothing can take it now. ``without``:
        transports that refused this very message.

        ``Pace.FAST``: every rank takes its part, by the connections each transport may have.
        """

        def can(id_: int) -> bool:
            one = self.transports[id_]
            return id_ not in without and usable(one) and (prepared_for is None or one.pk == prepared_for.pk or routes.carries(_means(one), _means(prepared_for)))

        if pace != Pace.FAST:
            return routes.turns(routes.sharing(self.steps, can))
        steps = [step._replace(weight=self.transports[step.transport].connections or settings.CONNECTIONS) for step in self.steps]
        return routes.turns(routes.sharing(steps, can, every_rank=True))

    @property
    def text(self) -> str:
        """As the command takes it: ``main:3 second / reserve``."""
        return routes.text_of([step._replace(transport=self.transports[step.transport].name) for step in self.steps])


def usable(transport: Transport) -> bool:
    """Switched on and not in trouble."""
    return transport.enabled and not transport.failures


# --- reading ------------------------------------------------------------------------------------------------------


def route_of(list_: List | None) -> Route:
    """The effective route of a list; of the site's own letters for None."""
    return routes_of([list_])[0]


def routes_of(lists: Sequence[List | None]) -> list[Route]:
    """The effective routes of several lists, in the same order, in two queries."""
    known = [list_ for list_ in lists if list_]
    organisations = sorted({one.organisation_id for one in known})
    places: dict[tuple[Layer, int], list[RouteStep]] = {}
    for step in rows.steps([one.pk for one in known if one.pk], sorted({one.domain_id for one in known if one.domain_id}), organisations):
        places.setdefault(_place_of(step), []).append(step)
    defaults = _defaults(organisations)
    return [_effective(list_, places, defaults) for list_ in lists]


def site() -> Site:
    """The installation's row, made at first need."""
    return Site.objects.get_or_create(id=1)[0]


def own_steps(place: Place) -> tuple[Step, ...]:
    """The steps set at one place itself, by transport id; empty: inherited."""
    return tuple(Step(step.transport_id, step.weight, step.rank) for step in RouteStep.objects.filter(**_where(place)).order_by("rank", "-weight", "id"))


def own_text(place: Place) -> str:
    """The same by name, as the command takes it."""
    steps = RouteStep.objects.filter(**_where(place)).select_related("transport").order_by("rank", "-weight", "id")
    return routes.text_of([Step(step.transport.name, step.weight, step.rank) for step in steps])


def _place_of(step: RouteStep) -> tuple[Layer, int]:
    if step.list_id:
        return Layer.LIST, step.list_id
    if step.domain_id:
        return Layer.DOMAIN, step.domain_id
    return (Layer.ORGANISATION, step.organisation_id) if step.organisation_id else (Layer.SITE, 0)


def _defaults(organisations: Sequence[int]) -> dict[int | None, Transport]:
    """Organisation -> its own default transport; None -> the site's. Only those switched on."""
    answer: dict[int | None, Transport] = {}
    for transport in rows.switched_on(organisations):
        answer.setdefault(transport.organisation_id, transport)
    return answer


def _effective(list_: List | None, places: dict[tuple[Layer, int], list[RouteStep]], defaults: dict[int | None, Transport]) -> Route:
    ids = {Layer.LIST: list_.pk, Layer.DOMAIN: list_.domain_id, Layer.ORGANISATION: list_.organisation_id, Layer.SITE: 0} if list_ else {Layer.SITE: 0}
    found: list[Route] = []
    for layer in _LAYERS:
        if layer is Layer.SITE and list_ and (own := defaults.get(list_.organisation_id)):
            found.append(_alone(own))  # an organisation's own transport goes before what the site says
        if layer in ids and (steps := places.get((layer, ids[layer] or 0))):
            found.append(Route(layer, tuple(Step(step.transport_id, step.weight, step.rank) for step in steps), {step.transport_id: step.transport for step in steps}))
    found.append(_alone(defaults[None]) if None in defaults else Route(Layer.DEFAULT, (), {}))
    best = found[0]
    return Route(best.origin, best.steps, best.transports, found[1]) if best.origin is Layer.LIST else best


def _alone(transport: Transport) -> Route:
    return Route(Layer.DEFAULT, (Step(transport.pk),), {transport.pk: transport})


def _where(place: Place) -> dict[str, int | None]:
    where: dict[str, int | None] = {"list": None, "domain": None, "organisation": None}
    return where if isinstance(place, Site) else where | {type(place).__name__.lower(): place.pk}


def _means(transport: Transport) -> Means:
    return Means(transport.name, transport.kind, transport.traits)


# --- changing -----------------------------------------------------------------------------------------------------


@transaction.atomic
def set_route(place: Place, steps: Sequence[Step], now: datetime, *, by: Person | str) -> bool:
    """The route of a place by transport names; none: it is inherited again. Open slices follow. False: it was so.

    Raises ``ValueError`` with a sentence: no such transport, one of another organisation, two that cannot stand in for one
    another because a message is prepared for one way only.
    """
    type(place).objects.select_for_update().get(pk=place.pk)
    organisation = None if isinstance(place, Site) else place.pk if isinstance(place, Organisation) else place.organisation_id
    steps = routes.checked(steps)
    known = {found.name: found for found in Transport.objects.filter(Q(organisation=organisation) | Q(organisation__isnull=True), removed__isnull=True, name__in=[step.transport for step in steps])}
    for step in steps:
        if step.transport not in known:
            raise ValueError(_("there is no transport called %(name)r that may be used here") % {"name": step.transport})
    routes.compatible([_means(known[step.transport]) for step in steps])
    before, after = own_text(place), routes.text_of(steps)
    if before == after:
        return False
    where = _where(place)
    RouteStep.objects.filter(**where).delete()
    RouteStep.objects.bulk_create(RouteStep(**{f"{name}_id": value for name, value in where.items()}, transport=known[step.transport], rank=step.rank, weight=step.weight) for step in steps)
    _journal(place, organisation, before, after, now, by)
    _share_out(_below(place), kept=False)
    return True


def copy(from_: List, to: List) -> None:
    """A copied list leaves by the same way, as far as it may be used there. In the caller's transaction."""
    RouteStep.objects.bulk_create(RouteStep(list=to, transport_id=step.transport_id, rank=step.rank, weight=step.weight) for step in RouteStep.objects.filter(list=from_))
    leave_behind(to)


def leave_behind(list_: List) -> None:
    """Take out of a list's route what belongs to another organisation than its own. In the caller's transaction."""
    RouteStep.objects.filter(list=list_, transport__organisation__isnull=False).exclude(transport__organisation=list_.organisation_id).delete()


def _journal(place: Place, organisation: int | None, before: str, after: str, now: datetime, by: Person | str) -> None:
    if isinstance(place, List):
        journal.write("list.changed", now, actor=actor(by), organisation=organisation, list=place.pk, by=str(by), change=f"route: {before or '—'} → {after or '—'}", option="route", old=before, new=after)
    else:
        journal.write("policy.changed", now, actor=actor(by), organisation=organisation, by=str(by), place="site" if isinstance(place, Site) else place.name, change=f"route: {before or '—'} → {after or '—'}")


def _below(place: Place) -> list[Mailing]:
    """Open mailings whose way out may come from a place."""
    found = Mailing.objects.filter(state__in=_OPEN)
    if isinstance(place, List):
        found = found.filter(list=place)
    elif isinstance(place, Domain):
        found = found.filter(list__domain=place)
    elif isinstance(place, Organisation):
        found = found.filter(list__organisation=place)
    return list(found.select_related("list", "transport"))


# --- slices change over -------------------------------------------------------------------------------------------


def turns_for(mailing: Mailing) -> tuple[int, ...]:
    """By which transports the slices of a mailing leave, in turn; what it was prepared for when nothing can take it now."""
    return route_of(mailing.list).turns(mailing.transport, mailing.pace, mailing.shunned) or ((mailing.transport_id,) if mailing.transport_id else ())


def ways_of(list_: List, pace: str) -> list[Transport]:
    """Transports a message of the list would leave by now."""
    route = route_of(list_)
    turns = set(route.turns(route.first, pace))
    return [transport for transport in route.transports.values() if transport.pk in turns]


def leave_stranded() -> int:
    """Move open slices off transports that are in trouble or switched off, where another can take them; how many mailings.

    Mailings that had paused for the trouble go on.
    """
    ids = rows.stranded()
    return _share_out(Mailing.objects.filter(id__in=ids).select_related("list", "transport"), kept=True) if ids else 0


def turn_of(mailing: Mailing) -> int | None:
    """By which transport a mailing of one slice leaves; None: there is none yet."""
    turns = turns_for(mailing)
    return turns[crc32(str(mailing.pk).encode()) % len(turns)] if turns else None


def without_stand_in(mailings: QuerySet[Mailing]) -> list[Mailing]:
    """Those of the mailings whose copies no transport can take now."""
    found = list(mailings.select_related("list", "transport"))
    return [mailing for mailing, route in zip(found, routes_of([one.list for one in found]), strict=True) if not route.turns(mailing.transport, without=mailing.shunned)]


def waits_for(mailing: Mailing) -> list[Transport]:
    """Transports that open slices of a mailing wait for, in trouble or switched off, when no other can take them."""
    if route_of(mailing.list).turns(mailing.transport):
        return []
    ids = Slice.objects.filter(mailing=mailing, done=False).values("transport").distinct()
    return [one for one in Transport.objects.filter(id__in=ids) if not usable(one)]


def share_out(mailing_id: int) -> None:
    """The open slices of a mailing are shared out anew. In the caller's transaction."""
    _share_out(Mailing.objects.filter(pk=mailing_id).select_related("list", "transport"), kept=False)


def shun(mailing_id: int, transport_id: int) -> bool:
    """A transport refuses this very message: its open slices leave by the others of the route. In the caller's transaction.

    False: no other can take them, or the mailing is not running; then every one may be tried again later.
    """
    mailing = Mailing.objects.select_for_update(of=("self",)).select_related("list", "transport").get(pk=mailing_id)
    without = sorted({*mailing.shunned, transport_id})
    if mailing.state != MailingState.RUNNING or not route_of(mailing.list).turns(mailing.transport, mailing.pace, without):
        Mailing.objects.filter(pk=mailing_id).update(shunned=[])
        return False
    if without != mailing.shunned:
        Mailing.objects.filter(pk=mailing_id).update(shunned=without)
        log.warning("moved mailing=%d refused_by=%d", mailing_id, transport_id)
    _share_out(Mailing.objects.filter(pk=mailing_id).select_related("list", "transport"), kept=True)
    return True


def came_back(transport: Transport) -> int:
    """A transport works again: open slices of the mailings that may leave by it are shared out anew; how many mailings."""
    steps = RouteStep.objects.filter(transport=transport)
    places = Q(transport=transport) | Q(list__in=steps.values("list")) | Q(list__domain__in=steps.values("domain")) | Q(list__organisation__in=steps.values("organisation"))
    if steps.filter(list__isnull=True, domain__isnull=True, organisation__isnull=True).exists():
        places = Q()  # the site's route: anybody's
    return _share_out(Mailing.objects.filter(places, state__in=_OPEN).select_related("list", "transport"), kept=False)


@transaction.atomic
def _share_out(mailings: Iterable[Mailing], *, kept: bool) -> int:
    found = list(mailings)
    if not found:
        return 0
    by_turns: dict[tuple[int, ...], list[int]] = {}
    ways = dict(zip((one.list_id for one in found), routes_of([one.list for one in found]), strict=True))
    for mailing in found:
        if turns := ways[mailing.list_id].turns(mailing.transport, mailing.pace, mailing.shunned):
            by_turns.setdefault(turns, []).append(mailing.pk)
    moved: set[int] = set()
    for turns, ids in by_turns.items():
        moved |= rows.place(ids, turns, kept=kept)
    if going := moved if kept else {id_ for ids in by_turns.values() for id_ in ids}:
        Mailing.objects.filter(id__in=going, state=MailingState.PAUSED, resume_at__isnull=False).update(state=MailingState.RUNNING, pause_reason="", resume_at=None)
        names = dict(Transport.objects.filter(id__in={one for turns in by_turns for one in turns}).values_list("id", "name"))
        for turns, ids in by_turns.items():
            for id_ in moved.intersection(ids):
                log.info("moved mailing=%d transports=%s", id_, ",".join(names[one] for one in dict.fromkeys(turns)))
        wake(Wake.DELIVER)
    return len(moved)


# --- health -------------------------------------------------------------------------------------------------------


class Check(NamedTuple):
    """A transport to be looked at without mail."""

    transport: int
    url: str


@transaction.atomic
def checks_due(now: datetime) -> list[Check]:
    """Transports to look at now: in trouble and due for a try, or of a route and idle for an hour. Each is given out once:
    the time is written before anybody connects."""
    due = Q(failures__gt=0) & (Q(next_try__isnull=True) | Q(next_try__lte=now)) & (Q(checked_at__isnull=True) | Q(checked_at__lte=now - CHECK_AFTER))
    hour_ago = now - CHECK_IDLE
    of_a_route = Exists(RouteStep.objects.filter(transport=OuterRef("pk")))
    idle = Q(of_a_route, failures=0) & (Q(checked_at__isnull=True) | Q(checked_at__lte=hour_ago)) & (Q(last_success__isnull=True) | Q(last_success__lte=hour_ago))
    found = list(Transport.objects.select_for_update(skip_locked=True, of=("self",)).filter(due | idle, enabled=True).order_by("checked_at", "id")[:MOST_CHECKS])
    Transport.objects.filter(id__in=[one.pk for one in found]).update(checked_at=now)
    checks = []
    for one in found:
        with suppress(SealBroken):  # its lane says so
            checks.append(Check(one.pk, unseal(one.url_sealed)))
    return checks
