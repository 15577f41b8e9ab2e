"""Probes: a short letter to a paused address, with a report's way back, at growing distance."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from colporteur.domain.bounces import REASONS, Event, Kind
from colporteur.domain.mailings import CopyState
from colporteur.domain.standing import SILENCE, Standing, next_probe
from colporteur.domain.words import Invalid
from colporteur.flow import letters
from colporteur.flow.mailings import transport_for
from colporteur.flow.memberships import LEFT_BY_BOUNCE
from colporteur.flow.organisations import actor
from colporteur.flow.rewriting import bounces_address
from colporteur.flow.standing import moving
from colporteur.flow.standing.links import link
from colporteur.flow.standing.moving import Move
from colporteur.store import journal, standing
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Copy
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.store.standing import FAILING, AddressStanding, DeliveryEvent

AT_ONCE = 200
AGAIN = timedelta(days=1)
"""When a probe failed for a reason that is not the mailbox's: neither an answer nor a failure."""


def begin(row: AddressStanding, now: datetime) -> None:
    """A pause begins: the first probe has its day."""
    row.probes, row.probe, row.probed_at = 0, None, None
    row.next_probe = now + (next_probe(0) or AGAIN)


def stop(row: AddressStanding) -> None:
    """No more probes."""
    row.probes, row.probe, row.probed_at, row.next_probe = 0, None, None, None


def probes_due(now: datetime) -> int:
    """Send the probes whose day has come, and settle those that nothing came back of; how many."""
    with transaction.atomic():
        due = AddressStanding.objects.select_for_update(skip_locked=True, of=("self",)).select_related("address__person").filter(state=Standing.PAUSED.value, next_probe__lte=now)
        sent = list(due.order_by("next_probe")[:AT_ONCE])
        for row in sent:
            _send(row, now, by="bounces")
    return len(sent) + _settle(now)


@transaction.atomic
def probe(addresses: Collection[int], now: datetime, *, by: Person | str) -> int:
    """Send a probe now to those of these addresses that are paused or gone because mail came back; how many.

    Raises ``Invalid`` when none is.
    """
    rows = AddressStanding.objects.select_for_update(of=("self",)).select_related("address__person").filter(pk__in=addresses, state__gte=Standing.PAUSED.value, probe__isnull=True)
    found = list(rows.exclude(kind=Kind.COMPLAINT).order_by("pk"))
    if not found:
        raise Invalid(_("none of these addresses is paused or gone because messages came back, or a letter is on its way already"))
    for row in found:
        _send(row, now, by=by)
    return len(found)


def _send(row: AddressStanding, now: datetime, *, by: Person | str) -> None:
    list_ = _place(row)
    row.next_probe = None
    if list_ is None:  # it is on no list any more: nobody would write to it
        row.save(update_fields=["next_probe"])
        return
    title, reason = list_.title or list_.address, REASONS.get(row.reason)
    fields = {
        "list": list_.address, "title": title, "email": row.address.email, "reason": (lambda: _(reason.words)) if reason else "", "link": link(row.address, now),
        "owner": letters.sender_of(list_),
    }  # fmt: skip
    row.probe = letters.send("probe", row.address, now, fields=fields, list_=list_, envelope_sender=bounces_address(list_, transport_for(list_)))
    row.probed_at = now
    row.save(update_fields=["probe", "probed_at", "next_probe"])
    journal.write("standing.probed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, mailing=row.probe, address=row.pk, email=row.address.email, by=str(by))


def _place(row: AddressStanding) -> List | None:
    """The list a probe is written for: the one something came back of last, else any the address is or was on."""
    places = Membership.objects.filter(address=row.pk).exclude(list__state=ListState.DELETED).select_related("list__organisation", "list__domain")
    current = [one.list for one in places.filter(until__isnull=True).order_by("id")[:50]]
    ended = [one.list for one in places.filter(until__isnull=False, until__gte=row.since, left_by=LEFT_BY_BOUNCE).order_by("id")[:50]]
    found = current or ended
    return next((list_ for list_ in found if list_.pk == row.list_id), found[0] if found else None)


def answered(events: Iterable[Event], now: datetime) -> list[Move]:
    """What came back of probes: a dead or full mailbox is one more failure, a sign of life brings the address back. The moves made."""
    said = {event.mailing_id: event for event in events if event.mailing_id and (event.verdict.kind.counts or _alive(event))}
    moves = []
    for row in AddressStanding.objects.select_for_update().filter(probe__in=list(said)):
        event = said[row.probe or 0]
        if event.address_id != row.pk:
            continue
        old = row.standing
        if _alive(event):
            moves.append(Move(_good(row, now), old))
        else:
            row.kind, row.reason, row.last_at = event.verdict.kind.value, event.verdict.reason, event.at
            moves.append(Move(_failed(row, now), old))
    moving.make(moves, now, by="probe")
    return moves


def _alive(event: Event) -> bool:
    return event.verdict.reason in ("delivered", "absence", "receipt")


def _good(row: AddressStanding, now: datetime) -> AddressStanding:
    stop(row)
    if row.standing is Standing.GONE:
        moving.restore([row], now, left_by=[LEFT_BY_BOUNCE])
    row.state, row.counts_from, row.failures, row.score = Standing.GOOD.value, now, 0, None
    return row


def _failed(row: AddressStanding, now: datetime) -> AddressStanding:
    probes = row.probes + 1
    stop(row)
    row.probes = probes
    wait = next_probe(probes)
    if row.standing is Standing.GONE or wait is None:
        row.state = Standing.GONE.value
    else:
        row.next_probe = now + wait
    return row


def _settle(now: datetime) -> int:
    """Probes nothing came back of in ``SILENCE`` have arrived; those that could not be sent are tried again."""
    with transaction.atomic():
        rows = list(AddressStanding.objects.select_for_update(skip_locked=True).filter(probe__isnull=False, probed_at__lte=now - AGAIN).order_by("probed_at")[:AT_ONCE])
        standing.lock([row.pk for row in rows])
        states = dict(Copy.objects.filter(mailing__in=[row.probe for row in rows if row.probe]).values_list("mailing_id", "state"))
        refused = set(DeliveryEvent.objects.filter(mailing_id__in=list(states), kind__in=FAILING).values_list("mailing_id", flat=True))
        moves = []
        for row in rows:
            old, number = row.standing, row.probe or 0
            if states.get(number) == CopyState.SENT and number not in refused:
                if row.probed_at and row.probed_at <= now - SILENCE:
                    moves.append(Move(_good(row, now), old))
            elif states.get(number) not in (CopyState.QUEUED, CopyState.DEFERRED):
                row.probe, row.probed_at = None, None
                row.next_probe = now + AGAIN if row.standing is Standing.PAUSED else None
                moves.append(Move(row, old))
        moving.make(moves, now, by="probe")
    return len(moves)
