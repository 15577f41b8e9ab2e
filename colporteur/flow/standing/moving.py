"""An address moves from one standing to another: row, journal, news for owners, and the memberships that end or come back with it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from colporteur.domain.bounces import Kind
from colporteur.domain.policy import OnComplaint, Policy, WhenGone
from colporteur.domain.standing import Standing
from colporteur.flow import memberships
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, ListState
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy, site_policy
from colporteur.store.standing import AddressStanding, StandingNews

mail = logging.getLogger("colporteur.mail")

_FIELDS = [field.name for field in AddressStanding._meta.concrete_fields if not field.primary_key]


class Move(NamedTuple):
    """``row``: as it shall be. ``old``: what it was."""

    row: AddressStanding
    old: Standing

    @property
    def new(self) -> Standing:
        """What it becomes."""
        return self.row.standing

    @property
    def stops(self) -> bool:
        """Messages no longer come, or the next worse thing."""
        return self.new >= Standing.PAUSED and self.new > self.old

    @property
    def back(self) -> bool:
        """Messages come again."""
        return self.old >= Standing.PAUSED > self.new


def rows_of(addresses: Collection[int], now: datetime) -> dict[int, AddressStanding]:
    """The rows of addresses, new ones for those that are good and have none."""
    found = {row.pk: row for row in AddressStanding.objects.filter(address__in=addresses)}
    return {address: found.get(address) or AddressStanding(address_id=address, since=now) for address in addresses}


def make(moves: Sequence[Move], now: datetime, *, by: Person | str) -> None:
    """Write the rows, and everything that follows where the standing is another. The caller holds the addresses' lock."""
    for move in moves:
        if move.new != move.old:
            move.row.since = now
    AddressStanding.objects.bulk_create([move.row for move in moves], update_conflicts=True, unique_fields=["address"], update_fields=_FIELDS, batch_size=2000)
    changed = [move for move in moves if move.new != move.old]
    if not changed:
        return
    emails = dict(Address.objects.filter(pk__in=[move.row.pk for move in changed]).values_list("pk", "email"))
    places = _places([move.row.pk for move in changed if move.stops or move.back])
    left = _leave([move for move in changed if move.stops], places, emails, now)
    entries, news = [], []
    for move in changed:
        mail.info("standing address=%s is=%s was=%s reason=%s by=%s", emails.get(move.row.pk, ""), move.new.word, move.old.word, move.row.reason, by)
        entries += _entries(move, places.get(move.row.pk, []), emails.get(move.row.pk, ""), now, by)
        if move.stops or move.back:
            news += [
                StandingNews(at=now, list_id=list_.pk, address_id=move.row.pk, state=move.new, kind=move.row.kind, reason=move.row.reason, left=(list_.pk, move.row.pk) in left)
                for list_ in places.get(move.row.pk, [])
            ]
    JournalEntry.objects.bulk_create(entries, batch_size=2000)
    StandingNews.objects.bulk_create(news, batch_size=2000)


def _places(addresses: Sequence[int]) -> dict[int, list[List]]:
    """Lists each address is on."""
    found: dict[int, list[List]] = {}
    rows = Membership.objects.filter(address__in=addresses, until__isnull=True).exclude(list__state=ListState.DELETED).order_by("list_id").values_list("address_id", "list_id")
    pairs = list(rows)
    lists = List.objects.select_related("organisation", "domain").in_bulk({list_ for _address, list_ in pairs})
    for address, list_ in pairs:
        found.setdefault(address, []).append(lists[list_])
    return found


def _leave(moves: Sequence[Move], places: dict[int, list[List]], emails: dict[int, str], now: datetime) -> set[tuple[int, int]]:
    """End the memberships the lists' settings want ended: of addresses that are gone (but for members a source would bring back),
    and after a complaint those of the same organisation. (list, address) of those that ended."""
    site = site_policy()
    kept: dict[int, Policy] = {}
    wanted: dict[int, list[int]] = {}
    complained = {move.row.pk: move.row.list_id for move in moves if move.row.kind == Kind.COMPLAINT}
    organisations = dict(List.objects.filter(pk__in={list_ for list_ in complained.values() if list_}).values_list("pk", "organisation"))
    sourced = set(Membership.objects.filter(address__in=[move.row.pk for move in moves], until__isnull=True, source__isnull=False).values_list("list_id", "address_id"))
    lists = {list_.pk: list_ for one in places.values() for list_ in one}
    for move in moves:
        address = move.row.pk
        for list_ in places.get(address, []):
            values = kept.get(list_.pk) or kept.setdefault(list_.pk, policy(list_, site))
            if address in complained:
                ends = values.on_complaint is OnComplaint.LEAVE and organisations.get(complained[address] or 0, list_.organisation_id) == list_.organisation_id
            else:
                ends = move.new is Standing.GONE and values.when_gone is WhenGone.LEAVE and (list_.pk, address) not in sourced
            if ends:
                wanted.setdefault(list_.pk, []).append(address)
    for list_id, addresses in wanted.items():
        for why in (True, False):
            some = [emails[address] for address in addresses if (address in complained) is why]
            if some:
                memberships.end(lists[list_id], some, memberships.LEFT_BY_COMPLAINT if why else memberships.LEFT_BY_BOUNCE, now, by="bounces")
    return {(list_, address) for list_, addresses in wanted.items() for address in addresses}


def _entries(move: Move, places: Iterable[List], email: str, now: datetime, by: Person | str) -> list[JournalEntry]:
    event = {Standing.SHAKY: "standing.shaky", Standing.PAUSED: "standing.paused", Standing.GONE: "standing.gone"}.get(move.new, "standing.good")
    if move.back:
        event = "standing.good"
    elif move.new is Standing.GOOD:
        return []  # it had only been watched
    elif move.row.kind == Kind.COMPLAINT:
        event = "standing.complaint"
    assert event in journal.EVENTS
    values = {"email": email, "reason": move.row.reason, "by": str(by)}
    about: list[tuple[int | None, int | None]] = [(list_.organisation_id, list_.pk) for list_ in places]
    return [JournalEntry(at=now, event=event, actor_id=actor(by), organisation_id=organisation, list_id=list_, address_id=move.row.pk, values=values) for organisation, list_ in about or [(None, None)]]


_RESTORE = """
-- Memberships that ended because mail came back, or by a complaint, since a moment; as they were, unless there is one again.
INSERT INTO membership (list_id, address_id, source_id, consent_id, delivery, paused, posting, own_copy, hidden, note, since, left_by)
SELECT DISTINCT ON (m.list_id, m.address_id) m.list_id, m.address_id, (SELECT s.id FROM source s WHERE s.id = m.source_id FOR KEY SHARE), m.consent_id, m.delivery, false, m.posting, m.own_copy, m.hidden, m.note, %(now)s, ''
  FROM unnest(%(addresses)s::bigint[], %(since)s::timestamptz[]) w (address, since)
  JOIN membership m ON m.address_id = w.address AND m.until >= w.since AND m.left_by = ANY (%(left_by)s)
  JOIN list l ON l.id = m.list_id AND l.state <> 'deleted'
 WHERE NOT EXISTS (SELECT 1 FROM membership n WHERE n.list_id = m.list_id AND n.address_id = m.address_id AND (n.until IS NULL OR n.until > m.until))
 ORDER BY m.list_id, m.address_id, m.until DESC
ON CONFLICT DO NOTHING
RETURNING list_id, address_id
"""


def restore(rows: Collection[AddressStanding], now: datetime, *, left_by: Sequence[str]) -> list[tuple[int, int]]:
    """Bring back memberships that ended since each row's standing began; (list, address) of each."""
    with connection.cursor() as cursor:
        cursor.execute(_RESTORE, {"addresses": [row.pk for row in rows], "since": [row.since for row in rows], "left_by": list(left_by), "now": now})
        return [(row[0], row[1]) for row in cursor.fetchall()]
