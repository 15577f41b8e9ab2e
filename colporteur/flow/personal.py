"""What is decided for one member of a list: delivery, a pause between two days, who judges what they write, and a note."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from colporteur.domain import policy as policies
from colporteur.domain.digests import DeliveryMode
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from colporteur.store.policies import policy

NOTE_LENGTH = 2000


@dataclass(frozen=True)
class Choices:
    """All that is decided for a member. ``own_copy`` None: as the list says."""

    delivery: str
    pause_from: datetime | None = None
    pause_until: datetime | None = None
    posting: str = ""
    own_copy: bool | None = None
    hidden: bool = False
    note: str = ""


def choices_of(membership: Membership) -> Choices:
    """What is decided now."""
    return Choices(**{name: getattr(membership, name) for name in Choices.__dataclass_fields__})


@transaction.atomic
def choose(membership: Membership, wanted: Choices, now: datetime, *, by: Person | str) -> list[str]:
    """Decide for one member; the names of what changed. A pause that has begun, or has ended, counts at once.

    Raises ``Invalid`` when the pause ends before it begins or the note is too long.
    """
    if wanted.pause_from and wanted.pause_until and wanted.pause_until <= wanted.pause_from:
        raise Invalid(_("the pause ends before it begins"))
    if len(wanted.note) > NOTE_LENGTH:
        raise Invalid(_("the note is longer than %(most)s characters"), most=NOTE_LENGTH)
    row = Membership.objects.select_for_update(of=("self",)).select_related("list").get(pk=membership.pk)
    held = choices_of(row)
    changed = [name for name in Choices.__dataclass_fields__ if getattr(held, name) != getattr(wanted, name)]
    if not changed or row.until:
        return []
    for name in changed:
        setattr(row, name, getattr(wanted, name))
    if {"pause_from", "pause_until"} & set(changed):
        row.paused = bool(row.pause_from or row.pause_until) and (not row.pause_from or row.pause_from <= now) and (not row.pause_until or row.pause_until > now)
    if "delivery" in changed:
        row.delivery_since = now
    row.save(update_fields=[*changed, "paused", *(["delivery_since"] if "delivery" in changed else [])])
    journal.write("membership.changed", now, actor=actor(by), organisation=row.list.organisation_id, list=row.list_id, address=row.address_id, email=row.email, by=str(by), change=", ".join(changed))
    return changed


def offered(membership: Membership) -> tuple[DeliveryMode, ...]:
    """The ways to receive this member can choose: those of the list, and the one there is."""
    found = policies.offered(policy(membership.list))
    return tuple(mode for mode in DeliveryMode if mode in found or mode == membership.delivery)


def receive(membership: Membership, mode: str, now: datetime, *, by: Person | str) -> bool:
    """A member chooses how to receive; False when it was so. Raises ``Invalid`` where the list does not offer it."""
    if mode not in offered(membership):
        raise Invalid(_("this list does not offer that way to receive"))
    return bool(choose(membership, replace(choices_of(membership), delivery=mode), now, by=by))


def pauses_due(now: datetime) -> int:
    """Begin and end the pauses whose day has come; how many. What waited while a pause ended too long ago ends as well."""
    current = Membership.objects.filter(until__isnull=True)
    begun = current.filter(pause_from__lte=now).update(paused=True, pause_from=None)
    return begun + current.filter(pause_until__lte=now).update(paused=False, pause_until=None)
