"""What somebody receives from an organisation, chosen by the link of any of its messages, without an account.

The token is that of a copy: it proves one address, for the lists of one organisation. A new address is asked itself, by letter,
and the old one is told.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction

from colporteur.domain import tokens
from colporteur.domain.addresses import normal
from colporteur.domain.attributes import Value
from colporteur.domain.mailings import MailingKind
from colporteur.domain.policy import Policy
from colporteur.domain.tokens import Purpose
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attempts, attributes, leaving, letters, memberships, nesting, people, personal
from colporteur.flow.leaving import Outcome, Sure
from colporteur.flow.memberships import Given
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Organisation
from colporteur.store.people import Address
from colporteur.store.policies import policy, site_policy
from colporteur.store.privacy import ERASED
from colporteur.store.segments import Details

log = logging.getLogger("colporteur.memberships")

PAUSE, LEAVE = "pause", "leave"
MOST = 200
"""Lists on one page."""
MOVE_HOURS = 48
A_DAY = 3
"""Letters one address gets in a day because somebody wrote it as the new one."""
_MOVES = Signer(salt="colporteur.moves")


class Reader(NamedTuple):
    """Whom a link names. ``list``: by which the message came."""

    address: Address
    organisation: Organisation
    list: List


class Move(NamedTuple):
    """A change of address that was asked for."""

    old: Address
    new: str
    organisation: Organisation


def read(token: str) -> Reader | None:
    """Whom the token of a copy names; None when it is not ours."""
    numbers = tokens.read(settings.TOKEN_KEY, Purpose.COPY, token.strip().lower())
    mailing = Mailing.objects.filter(pk=numbers[0], list__isnull=False).select_related("list__organisation", "list__domain").first() if numbers else None
    address = Address.objects.select_related("person").filter(pk=numbers[1]).first() if numbers else None
    if mailing is None or mailing.list is None or address is None or address.email.endswith(f"@{ERASED}"):
        return None
    return Reader(address, mailing.list.organisation, nesting.inner_of(mailing, address.pk) or mailing.list)


def a_week(list_: List, now: datetime) -> int:
    """Messages of a list in a week, by those of the last four."""
    return round(Mailing.objects.filter(list=list_, kind__in=(MailingKind.POST, MailingKind.CAMPAIGN), created__gte=now - timedelta(days=28)).count() / 4)


def received(reader: Reader) -> list[tuple[Membership, Policy]]:
    """The address's memberships of lists of the organisation, that of the list the message came by first."""
    site = site_policy()
    rows = Membership.objects.filter(address=reader.address, until__isnull=True, list__organisation=reader.organisation).exclude(list__state=ListState.DELETED)
    found = sorted(rows.select_related("list__organisation", "list__domain", "address")[:MOST], key=lambda row: (row.list_id != reader.list.pk, row.list.address))
    return [(row, policy(row.list, site)) for row in found]


@transaction.atomic
def choose(membership: Membership, wish: str, now: datetime, *, until: datetime | None = None) -> Outcome | None:
    """How a member receives from now on: a way the list offers, ``PAUSE`` until a moment, or ``LEAVE``. What became of leaving, else None.

    Raises ``Invalid`` for a way that is not offered, or a pause without an end.
    """
    by = membership.email
    if wish == LEAVE:
        return leaving.ask(membership.list, membership.address, now, by=by, sure=Sure.SAID)
    if wish == PAUSE:
        if until is None or not now < until <= now + people.PAUSE_MOST:
            raise Invalid(_("choose a day after today, within two years"))
        personal.choose(membership, replace(personal.choices_of(membership), pause_from=None, pause_until=until), now, by=by)
        return None
    if wish not in personal.offered(membership):
        raise Invalid(_("this list does not offer that way to receive"))
    memberships.pause(membership.list, [membership.email], now, by=by, paused=False)
    membership.refresh_from_db()
    personal.choose(membership, replace(personal.choices_of(membership), delivery=wish, pause_from=None, pause_until=None), now, by=by)
    return None


@transaction.atomic
def leave_all(reader: Reader, now: datetime) -> list[tuple[List, Outcome]]:
    """Leave every list of the organisation, or ask to where an owner decides."""
    return [(row.list, leaving.ask(row.list, row.address, now, by=row.email, sure=Sure.SAID)) for row, _policy in received(reader)]


def tell(list_: List, address: Address, values: Mapping[str, Value | None], now: datetime) -> bool:
    """The member's own answers to what the list asks; whether something changed."""
    return bool(attributes.write(list_, address, values, now, by=address.email, own=True))


def speak(address: Address, language: str, now: datetime) -> bool:
    """The language somebody is written to in; False when it was so, or is none of ours."""
    if language not in dict(settings.LANGUAGES) or (address.person and address.person.language == language):
        return False
    person = address.person or people.add(address.email, now=now)
    person.language = language
    person.save(update_fields=["language"])
    return True


@transaction.atomic
def ask_to_move(reader: Reader, email: str, now: datetime, *, client: str = "") -> bool:
    """A letter asks the new address; False when enough were sent. Raises ``Invalid`` for what is no address, or the same."""
    new = normal(email)
    if new == reader.address.email:
        raise Invalid(_("this is the address you have"))
    if not attempts.from_client(client, now):
        return False
    address, _made = Address.objects.select_related("person").get_or_create(email=new)
    if letters.today("moving", address, None, now) >= A_DAY:
        return False
    token = _MOVES.sign_object([reader.address.pk, new, reader.organisation.pk, int((now + timedelta(hours=MOVE_HOURS)).timestamp())])
    fields = {"organisation": reader.organisation.name, "old": reader.address.email, "email": new, "link": f"{settings.BASE_URL}/p/move/{token}", "hours": str(MOVE_HOURS)}
    letters.send("moving", address, now, fields=fields, list_=reader.list, language=_language(reader.address))
    return True


def asked_to_move(token: str, now: datetime) -> Move | None:
    """What the link of that letter names; None when it is too old or not ours."""
    try:
        number, new, organisation, until = _MOVES.unsign_object(token)
    except (BadSignature, ValueError):
        return None
    old = Address.objects.select_related("person").filter(pk=number).first()
    found = Organisation.objects.filter(pk=organisation).first()
    return Move(old, new, found) if old and found and now.timestamp() < until else None


@transaction.atomic
def move(asked: Move, now: datetime, *, client: str = "") -> list[List]:
    """The new address said yes: it takes the place of the old one on the organisation's lists, with what was chosen and known; the lists.

    The old one left by its own wish, so that no import brings it back; it is told. Raises ``Invalid`` when a list is full.
    """
    address, _made = Address.objects.get_or_create(email=asked.new)
    rows = list(Membership.objects.select_for_update(of=("self",)).filter(address=asked.old, until__isnull=True, list__organisation=asked.organisation).exclude(list__state=ListState.DELETED).select_related("list__organisation", "list__domain").order_by("list"))
    for row in rows:
        memberships.leave(row.list, asked.old, now, by=asked.new)
        memberships.add(row.list, [(asked.new, asked.old.name)], now, by=asked.new, bring_back=True, given=Given("asked", own=True, client=client, evidence=f"instead of membership {row.pk}, confirmed by letter"))
        _carry(row, address, now)
    if rows:
        lists = "\n".join(row.list.title or row.list.address for row in rows)
        letters.send("moved", asked.old, now, fields={"organisation": asked.organisation.name, "old": asked.old.email, "email": asked.new, "lists": lists, "owner": letters.sender_of(rows[0].list)}, list_=rows[0].list)
        log.info("moved address=%s to=%s lists=%d", asked.old.email, asked.new, len(rows))
    return [row.list for row in rows]


# --- how ---


def _carry(row: Membership, address: Address, now: datetime) -> None:
    there = Membership.objects.get(list=row.list, address=address, until__isnull=True)
    if there.since == now:
        same: Sequence[str] = ("delivery", "paused", "pause_from", "pause_until", "posting", "own_copy", "hidden", "note")
        Membership.objects.filter(pk=there.pk).update(**{name: getattr(row, name) for name in same}, delivery_since=now)
    known = Details.objects.filter(list=row.list, address=row.address_id).first()
    if known and not Details.objects.filter(list=row.list, address=address).exists():
        Details.objects.create(list=row.list, address=address, values=known.values, own=known.own)


def _language(address: Address) -> str:
    return address.person.language if address.person else ""
