"""Leaving a list: at once where the member's word is enough, else an owner is asked. Whatever door it came by.

Newsletters are never among those an owner decides about (``domain.policy``); complaints and erasing somebody ask nobody either.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from colporteur.domain import tokens
from colporteur.domain.addresses import Service
from colporteur.domain.policy import Leaving
from colporteur.domain.tokens import Purpose
from colporteur.flow import letters, memberships, nesting, tracking
from colporteur.flow.memberships import Left
from colporteur.flow.moderation.telling import owner_address, owners
from colporteur.flow.organisations import actor
from colporteur.store import copies, journal
from colporteur.store.leaving import LeaveRequest, LeaveState, waiting
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.rights import administers, holds

AGAIN = timedelta(days=1)
"""After a refusal owners are not asked again so soon."""
REASON_MOST = 2000


class Outcome(StrEnum):
    """What became of the wish to leave."""

    NONE = "none"  # is no member
    CLOSED = "closed"  # only owners remove members
    UNSURE = "unsure"  # the address has to be asked first
    WAITING = "waiting"  # an owner decides
    LEFT = "left"
    REFUSED = "refused"
    OVER = "over"  # decided before, or gone another way


class Sure(StrEnum):
    """How sure it is that the member wishes it."""

    NO = "no"  # anybody may have written the address
    VOUCHED = "vouched"  # a mail server the administrators named vouches for the message
    SAID = "said"  # a signed link, an answer to the letter that asks, or somebody who is signed in


class PartLink(NamedTuple):
    """What the link of an owner's letter names."""

    request: LeaveRequest
    owner: Address


@transaction.atomic
def ask(list_: List, address: Address, now: datetime, *, by: Person | str, sure: Sure, door: str = "web") -> Outcome:
    """A member wishes to leave. ``UNSURE``: nothing was done, the caller has the address asked."""
    if not Membership.objects.filter(list=list_, address=address, until__isnull=True).exists():
        return Outcome.NONE
    way = policy(list_).leaving
    if not way.asked_for:
        return Outcome.CLOSED
    if way is Leaving.OWNER:
        return _wait(list_, address, now, sure is not Sure.NO, door)
    if sure is not Sure.SAID and not (way is Leaving.OPEN and sure is Sure.VOUCHED):
        return Outcome.UNSURE
    if way is Leaving.APPROVAL:
        return _wait(list_, address, now, True, door)
    memberships.leave(list_, address, now, by=by)
    return Outcome.LEFT


@transaction.atomic
def by_token(token: str, now: datetime, *, by: str = "unsubscribe link", door: str = "web") -> tuple[Left, Outcome] | None:
    """Leave, or ask to, by the link or mail of one copy; harmless when repeated. None when the token is not ours."""
    found = memberships.named_by_token(token)
    if found is None:
        return None
    if not found.member:
        return found, Outcome.NONE
    if found.left_out:
        nesting.exclude(found.list, found.address.email, now, by=by)
        copies.gone([found.address.pk])
    elif found.way.by_oneself:  # of a newsletter whatever the list became since
        memberships.leave(found.list, found.address, now, by=by)
    if found.left_out or found.way.by_oneself:
        if named := tokens.read(settings.TOKEN_KEY, Purpose.COPY, token.strip().lower()):
            tracking.left(named[0], now)
        return found, Outcome.LEFT
    return found, ask(found.list, found.address, now, by=by, sure=Sure.SAID, door=door)


@transaction.atomic
def decide(number: int, accept: bool, now: datetime, *, by: Person | str, reason: str = "") -> Outcome:
    """An owner's decision; the first one counts: ``OVER`` when there was another, or the member is gone. Whether ``by`` may is the caller's question."""
    row = LeaveRequest.objects.select_for_update(of=("self",)).select_related("list__organisation", "list__domain", "address__person").get(pk=number)
    if not waiting(row.list).filter(pk=row.pk).exists():
        return Outcome.OVER
    row.decided_at, row.decided_by = now, str(by)
    fields = _about(row) | {"owner": owner_address(row.list)}
    if accept:
        if row.confirmed_at:
            memberships.leave(row.list, row.address, now, by=by)
        else:  # nobody knows that it was the member who asked: an import may add the address again
            memberships.remove(row.list, [row.address.email], now, by=by)
        row.state = LeaveState.LEFT
        letters.send("left", row.address, now, list_=row.list, fields=fields)
    else:
        row.state, row.reason = LeaveState.REFUSED, reason.replace("\x00", "").strip()[:REASON_MOST]
        journal.write("leave.refused", now, actor=actor(by), organisation=row.list.organisation_id, list=row.list_id, address=row.address_id, email=row.address.email, by=str(by))
        letters.send("stays", row.address, now, list_=row.list, fields=fields | {"reason": row.reason})
    row.save()
    return Outcome(row.state)


def read_token(text: str) -> PartLink | None:
    """What the link of an owner's letter names; the owner must still be one."""
    found = tokens.read(settings.TOKEN_KEY, Purpose.PART, text.strip().lower())
    row = LeaveRequest.objects.select_related("list__organisation", "list__domain", "address__person").filter(pk=found[0]).first() if found else None
    owner = Address.objects.select_related("person").filter(pk=found[1]).first() if found else None
    if row is None or owner is None or row.list.state == ListState.DELETED:
        return None
    may = holds(row.list, owner, RoleKind.OWNER) or (owner.person is not None and administers(owner.person, row.list.organisation_id))
    return PartLink(row, owner) if may else None


def asked_for(list_: List) -> str:
    """The address one leaves by; "" where members do not."""
    return letters.service_address(list_, Service.UNSUBSCRIBE)[0] if policy(list_).leaving.asked_for else ""


# --- how ---


def _about(row: LeaveRequest) -> dict[str, object]:
    return {"list": row.list.address, "title": row.list.title or row.list.address, "email": row.address.email}


def _wait(list_: List, address: Address, now: datetime, confirmed: bool, door: str) -> Outcome:
    if row := waiting(list_).filter(address=address).first():
        if confirmed and not row.confirmed_at:
            row.confirmed_at = now
            row.save(update_fields=["confirmed_at"])
        return Outcome.WAITING
    if LeaveRequest.objects.filter(list=list_, address=address, state=LeaveState.REFUSED, decided_at__gt=now - AGAIN).exists():
        return Outcome.REFUSED
    row, _made = LeaveRequest.objects.update_or_create(  # one of an earlier membership is asked anew
        list=list_, address=address, state=LeaveState.WAITING, defaults={"door": door, "asked_at": now, "confirmed_at": now if confirmed else None}
    )
    row.list, row.address = list_, address
    journal.write("leave.asked", now, organisation=list_.organisation_id, list=list_.pk, address=address.pk, email=address.email)
    _tell_owners(row, now)
    return Outcome.WAITING


def _tell_owners(row: LeaveRequest, now: datetime) -> None:
    """One letter to each owner, decided by its links or by a reply."""
    web = letters.public(row.list)
    for to in owners(row.list):
        token = tokens.sign(settings.TOKEN_KEY, Purpose.PART, row.pk, to.pk)
        reply, tag = letters.service_address(row.list, Service.CONFIRM, token)
        page = f"{settings.BASE_URL}/j/{token}"
        accept, refuse = (f"{page}?do=accept", f"{page}?do=refuse") if web else (letters.mailto(reply, tag, row.list.address, word) for word in ("accept", "refuse"))
        name = (row.address.person.name if row.address.person else "") or row.address.name
        fields = _about(row) | {"name": name, "proven": "yes" if row.confirmed_at else "", "accept": accept, "refuse": refuse, "reply": reply}
        letters.send("parting", to, now, list_=row.list, fields=fields, reply_to=reply, tag=tag)
