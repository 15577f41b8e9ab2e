"""Joining a list: who asks or is invited says yes from the address itself, and where the policy wants it an owner decides.
Where it is open, whoever is proven to have the address needs no letter.

The letter that asks carries no word of who asked: anybody can write an address into a form or a mail. Its link opens a
page that asks; nothing happens on opening it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from colporteur import notices
from colporteur.domain import tokens
from colporteur.domain.addresses import Service, normal
from colporteur.domain.attributes import Value
from colporteur.domain.entries import display_name
from colporteur.domain.policy import Joining
from colporteur.domain.tokens import Purpose
from colporteur.flow import attributes, letters, memberships
from colporteur.flow.moderation.telling import owner_address, owners
from colporteur.store import journal
from colporteur.store.joining import OPEN, JoinRequest, JoinState
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.rights import administers, holds

log = logging.getLogger("colporteur.memberships")

GOOD_FOR = timedelta(days=14)
"""How long the letter that asks is good; what waits for an owner waits."""
REASON_MOST = 2000
WORDS_MOST = 500


class Outcome(StrEnum):
    """What became of a wish."""

    CLOSED = "closed"  # only owners add members
    MEMBER = "member"  # was one before
    ASKED = "asked"  # a letter asks the address
    WAITING = "waiting"  # an owner decides
    JOINED = "joined"
    REFUSED = "refused"
    OVER = "over"  # too late, or decided before


class JoinLink(NamedTuple):
    """What a mailed link names: the request, and whose link it is."""

    request: JoinRequest
    address: Address


def open_to_all(list_: List) -> bool:
    """Whether anybody may ask to join."""
    return list_.state == ListState.ACTIVE and policy(list_).joining.asked_for


@dataclass(frozen=True, slots=True)
class Asking:
    """How somebody asks. ``proof``: why it is sure that the address is theirs, "" when it is not. ``words``: the answer to the
    list's question. ``language``: of the page, for somebody whose own we do not know. ``client``: IP address. ``values``: of attributes."""

    name: str = ""
    door: str = "mail"
    proof: str = ""
    words: str = ""
    language: str = ""
    client: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)


@transaction.atomic
def ask(list_: List, address: Address, now: datetime, asking: Asking = Asking(), in_reply_to: str = "") -> Outcome:
    """Somebody asks that ``address`` joins: it is asked itself, once a day at most, unless it need not be.

    Raises ``Invalid`` when the list has as many members as it may have.
    """
    if Membership.objects.filter(list=list_, address=address, until__isnull=True).exists():
        return Outcome.MEMBER
    way = policy(list_).joining
    if list_.state != ListState.ACTIVE or not way.asked_for:
        return Outcome.CLOSED
    row = _open(list_, address, now, JoinState.ASKED, asking)
    if row.state == JoinState.WAITING:
        return Outcome.WAITING
    if way is Joining.OWNER and row.state == JoinState.ASKED:
        return _wait(row, now)
    if way is Joining.OPEN and asking.proof:
        row.confirmed_at, row.proof = now, asking.proof
        return _join(row, now, address.email, asking.client)
    if not letters.today("joining", address, list_, now):
        _send("joining", row, now, in_reply_to)
    return Outcome.ASKED


@transaction.atomic
def invite(list_: List, email: str, now: datetime, *, by: Person | str, name: str = "") -> Outcome:
    """An owner invites an address; whoever says yes is a member at once. Raises ``ValueError`` for what is no address."""
    address, _made = Address.objects.select_related("person").get_or_create(email=normal(email), defaults={"name": name})
    if Membership.objects.filter(list=list_, address=address, until__isnull=True).exists():
        return Outcome.MEMBER
    row = _open(list_, address, now, JoinState.INVITED, Asking(name, str(by)))
    if row.state == JoinState.WAITING:  # asked before: the owner's word is there now
        return decide(row.pk, True, now, by=by)
    if not letters.today("invited", address, list_, now):
        _send("invited", row, now, "")
        journal.write("join.invited", now, organisation=list_.organisation_id, list=list_.pk, address=address.pk, email=address.email, by=str(by))
    return Outcome.ASKED


@transaction.atomic
def confirm(number: int, now: datetime, client: str = "") -> Outcome:
    """The address says yes: it is a member, or an owner is asked. Harmless when repeated. ``client``: IP address, for the ledger."""
    row = JoinRequest.objects.select_for_update(of=("self",)).select_related("list__organisation", "list__domain", "address__person").get(pk=number)
    if row.state not in (JoinState.ASKED, JoinState.INVITED):
        return Outcome(row.state)
    way = policy(row.list).joining
    if row.asked_at < now - GOOD_FOR or row.list.state != ListState.ACTIVE or (not way.asked_for and row.state != JoinState.INVITED):
        return Outcome.OVER
    row.confirmed_at = now
    if way in (Joining.APPROVAL, Joining.OWNER) and row.state == JoinState.ASKED:
        return _wait(row, now)
    return _join(row, now, row.address.email, client)


@transaction.atomic
def decide(number: int, accept: bool, now: datetime, *, by: Person | str, reason: str = "") -> Outcome:
    """An owner's decision; the first one counts: ``OVER`` when there was another. Whether ``by`` may is the caller's question."""
    row = JoinRequest.objects.select_for_update(of=("self",)).select_related("list__organisation", "list__domain", "address__person").get(pk=number)
    if row.state != JoinState.WAITING:
        return Outcome.OVER
    if accept:
        return _join(row, now, str(by))
    row.state, row.decided_at, row.decided_by, row.reason = JoinState.REFUSED, now, str(by), reason.replace("\x00", "").strip()[:REASON_MOST]
    row.save()
    journal.write("join.refused", now, actor=by.pk if isinstance(by, Person) else None, organisation=row.list.organisation_id, list=row.list_id, address=row.address_id, email=row.address.email, by=str(by))
    letters.send("declined", row.address, now, list_=row.list, fields=about(row) | {"reason": row.reason, "owner": owner_address(row.list)}, language=_language(row))
    return Outcome.REFUSED


def read_token(text: str, purpose: Purpose) -> JoinLink | None:
    """What the link of a letter names: ``JOIN`` the address that may join, ``ADMIT`` an owner, who must still be one."""
    found = tokens.read(settings.TOKEN_KEY, purpose, text.strip().lower())
    row = JoinRequest.objects.select_related("list__organisation", "list__domain", "address__person").filter(pk=found[0]).first() if found else None
    address = Address.objects.select_related("person").filter(pk=found[1]).first() if found else None
    if row is None or address is None or row.list.state == ListState.DELETED:
        return None
    if purpose is Purpose.JOIN:
        return JoinLink(row, address) if row.address_id == address.pk else None
    may = holds(row.list, address, RoleKind.OWNER) or (address.person is not None and administers(address.person, row.list.organisation_id))
    return JoinLink(row, address) if may else None


def about(row: JoinRequest) -> dict[str, object]:
    """Fields every letter about joining has."""
    return {"list": row.list.address, "title": row.list.title or row.list.address, "email": row.address.email}


# --- how ---


def _open(list_: List, address: Address, now: datetime, state: JoinState, asking: Asking) -> JoinRequest:
    """The open request of an address, begun anew where it lay too long."""
    values = {"name": display_name(asking.name)[:100], "state": state, "door": asking.door, "asked_at": now}
    values |= {"words": asking.words.replace("\x00", "").strip()[:WORDS_MOST], "language": asking.language, "client": asking.client, "values": dict(asking.values)}
    row, made = JoinRequest.objects.get_or_create(list=list_, address=address, state__in=OPEN, defaults=values)
    if not made and row.state != JoinState.WAITING and (row.asked_at < now - timedelta(days=1) or state == JoinState.INVITED):
        for field, value in values.items():
            if field != "state" or row.state != JoinState.INVITED:
                setattr(row, field, value)
        row.save()
    row.list, row.address = list_, address
    return row


def _wait(row: JoinRequest, now: datetime) -> Outcome:
    row.state = JoinState.WAITING
    row.save()
    journal.write("join.asked", now, organisation=row.list.organisation_id, list=row.list_id, address=row.address_id, email=row.address.email)
    _tell_owners(row, now)
    return Outcome.WAITING


def _language(row: JoinRequest) -> str:
    """The person's own, else that of the page it was asked on, else as for any letter."""
    return (row.address.person.language if row.address.person else "") or row.language


def _send(letter: str, row: JoinRequest, now: datetime, in_reply_to: str) -> None:
    token = tokens.sign(settings.TOKEN_KEY, Purpose.JOIN, row.pk, row.address_id)
    reply, tag = letters.service_address(row.list, Service.CONFIRM, token)
    fields = about(row) | {"link": f"{settings.BASE_URL}/j/{token}" if letters.public(row.list) else "", "reply": reply, "owner": owner_address(row.list)}
    letters.send(letter, row.address, now, list_=row.list, fields=fields, reply_to=reply, tag=tag, in_reply_to=in_reply_to, language=_language(row))


def _join(row: JoinRequest, now: datetime, by: str, client: str = "") -> Outcome:
    memberships.add(row.list, [(row.address.email, row.name)], now, by=by, bring_back=True, given=_given(row, client or row.client))
    if row.values:
        there = {one.key for one in attributes.fields_of(row.list)}
        attributes.write(row.list, row.address, {key: value for key, value in row.values.items() if key in there}, now, by=by, own=True)
    if row.words:
        Membership.objects.filter(list=row.list, address=row.address, until__isnull=True, note="").update(note=row.words)
    row.state, row.decided_at, row.decided_by = JoinState.JOINED, now, by
    row.save()
    leave = letters.service_address(row.list, Service.UNSUBSCRIBE)[0] if policy(row.list).leaving.asked_for else ""
    letters.send("joined", row.address, now, list_=row.list, fields=about(row) | {"owner": owner_address(row.list), "leave": leave}, language=_language(row))
    log.info("joined list=%s address=%s by=%s", row.list.address, row.address.email, by)
    return Outcome.JOINED


def _given(row: JoinRequest, client: str) -> memberships.Given:
    """For the consent ledger: the letter that asked, and when it was answered."""
    letter = "invited" if row.state == JoinState.INVITED else "joining"
    wording = "" if row.proof or not row.confirmed_at else notices.shipped(letter, _language(row) or letters.language_of(row.address, row.list)).text
    times = f"request {row.pk} by {row.door}, asked {row.asked_at.isoformat()}, confirmed {row.confirmed_at.isoformat() if row.confirmed_at else ''}{f', {row.proof}' if row.proof else ''}"
    return memberships.Given("invited" if row.state == JoinState.INVITED else "asked", own=row.confirmed_at is not None, wording=wording, client=client, evidence=times)


def _tell_owners(row: JoinRequest, now: datetime) -> None:
    """One letter to each owner, decided by its links or by a reply."""
    web = letters.public(row.list)
    for to in owners(row.list):
        token = tokens.sign(settings.TOKEN_KEY, Purpose.ADMIT, row.pk, to.pk)
        reply, tag = letters.service_address(row.list, Service.CONFIRM, token)
        page = f"{settings.BASE_URL}/j/{token}"
        accept, refuse = (f"{page}?do=accept", f"{page}?do=refuse") if web else (letters.mailto(reply, tag, row.list.address, word) for word in ("accept", "refuse"))
        fields = about(row) | {"name": row.name, "accept": accept, "refuse": refuse, "reply": reply}
        letters.send("admit", to, now, list_=row.list, fields=fields, reply_to=reply, tag=tag)
