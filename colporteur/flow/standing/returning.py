"""Back to good: the person says so, an owner forgives, or something shows that somebody reads the mailbox."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from colporteur.domain.bounces import Kind
from colporteur.domain.standing import Standing
from colporteur.flow import memberships
from colporteur.flow.organisations import actor
from colporteur.flow.standing import moving, probing
from colporteur.flow.standing.links import link, read
from colporteur.flow.standing.moving import Move
from colporteur.store import journal, standing
from colporteur.store.journal import JournalEntry
from colporteur.store.people import Address, Person
from colporteur.store.standing import AddressStanding

__all__ = ["Returning", "come_back", "forgive", "heard_from", "link", "named"]


class Returning(NamedTuple):
    """What a link names: ``row`` None when the address is good. ``good``: the link is not too old."""

    address: Address
    row: AddressStanding | None
    good: bool


def named(token: str, now: datetime) -> Returning | None:
    """What a link of a letter names; None when it is not ours."""
    address, good = read(token, now)
    if address is None:
        return None
    return Returning(address, AddressStanding.objects.filter(pk=address.pk, state__gte=Standing.PAUSED.value).first(), good)


def come_back(addresses: Collection[int], now: datetime, *, by: Person | str) -> int:
    """Somebody who has these addresses wants to receive again: also what ended by the complaint. How many came back."""
    return _back(addresses, now, by, (memberships.LEFT_BY_BOUNCE, memberships.LEFT_BY_COMPLAINT), also_complained=True)


def forgive(addresses: Collection[int], now: datetime, *, by: Person | str, also_complained: bool = False) -> int:
    """What came back counts no more, and memberships that ended by it begin again. How many addresses.

    Who complained comes back by his own will only; ``also_complained`` is for administrators, who were asked to.
    """
    return _back(addresses, now, by, (memberships.LEFT_BY_BOUNCE,), also_complained=also_complained)


def heard_from(addresses: Collection[int], now: datetime, *, by: str) -> int:
    """Somebody reads what comes to these addresses: paused ones receive again. Who complained is not meant. How many."""
    paused = AddressStanding.objects.filter(pk__in=addresses, state__gte=Standing.PAUSED.value).exclude(kind=Kind.COMPLAINT).values_list("pk", flat=True)
    found = list(paused)
    return forgive(found, now, by=by) if found else 0


@transaction.atomic
def _back(addresses: Collection[int], now: datetime, by: Person | str, left_by: Collection[str], *, also_complained: bool) -> int:
    standing.lock(addresses)
    rows = [row for row in AddressStanding.objects.filter(pk__in=addresses, state__gt=Standing.GOOD.value) if also_complained or row.kind != Kind.COMPLAINT]
    restored = moving.restore([row for row in rows if row.standing >= Standing.PAUSED], now, left_by=list(left_by))
    moves = []
    for row in rows:
        old = row.standing
        probing.stop(row)
        row.state, row.counts_from, row.review_at, row.failures, row.score, row.first_at = Standing.GOOD.value, now, None, 0, None, None
        moves.append(Move(row, old))
    moving.make(moves, now, by=by)
    _journal_joined(restored, now, by)
    return len(moves)


def _journal_joined(restored: Collection[tuple[int, int]], now: datetime, by: Person | str) -> None:
    assert "membership.joined" in journal.EVENTS
    emails = dict(Address.objects.filter(pk__in=[address for _list, address in restored]).values_list("pk", "email"))
    JournalEntry.objects.bulk_create(
        JournalEntry(at=now, event="membership.joined", actor_id=actor(by), list_id=list_, address_id=address, values={"email": emails[address], "by": str(by)}) for list_, address in restored
    )
