"""What anybody may ask for on the public pages of lists: to join and to leave.

The answer is the same whatever the address is here. Nobody's mailbox is filled from here: letters are bounded for each
address, each place they are asked from, and each list; they carry no word of who asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.db import transaction

from colporteur.domain.addresses import normal
from colporteur.domain.policy import Joining
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attempts, joining, leaving, letters, mine
from colporteur.flow.errands.leaving import ask_to_leave
from colporteur.flow.joining import Asking, Outcome
from colporteur.flow.leaving import Outcome as Outgoing
from colporteur.flow.leaving import Sure
from colporteur.store.lists import List, ListState
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy, site_policy
from colporteur.store.rights import Right, lists_for

log = logging.getLogger("colporteur.memberships")

OF_LIST = 60
"""Requests one list takes within ``attempts.WINDOW``: many addresses written into its form are no new members."""
OF_ADDRESS = 5
"""Letters one address gets in a day because somebody wrote it into these forms."""
LETTERS = ("joining", "leaving", "mine")
LOOKED_AT = 500
"""Lists of a domain one page looks at."""


class Taken(StrEnum):
    """What is said to a stranger."""

    TAKEN = "taken"  # whatever becomes of it
    LATER = "later"  # too many requests from that place, or for that list


class Shown(NamedTuple):
    """A list one may know of. ``way``: how one joins."""

    list: List
    way: Joining


def named(host: str, name: str) -> List | None:
    """A list that works, by the parts of its address, or of one it had before."""
    address = f"{name}@{host}".lower()
    found = List.objects.filter(state=ListState.ACTIVE).exclude(domain__enabled=False).select_related("organisation", "domain")
    return found.filter(address=address).first() or found.filter(aliases__address=address).first()


def may_know(list_: List) -> bool:
    """Whether the page for joining is there: not for a list that is hidden, or closed, and takes nobody."""
    found = policy(list_)
    return found.joining.asked_for or (found.joining is Joining.INVITED and not found.hidden)


def may_leave_here(list_: List) -> bool:
    """Whether the page for leaving is there: a hidden list nobody may ask to join tells nobody that it exists."""
    found = policy(list_)
    return found.joining.asked_for or not found.hidden


def on_domain(host: str, after: str = "") -> tuple[list[Shown], str]:
    """Lists of a domain that may be seen and joined, by address; the address to go on after, "" at the end."""
    return _visible(List.objects.filter(address__endswith=f"@{host.lower()}"), after)


def for_person(person: Person, after: str = "") -> tuple[list[Shown], str]:
    """What somebody who is signed in may join: lists on the domains of their lists and addresses."""
    domains = lists_for(person, Right.SEE).exclude(domain=None).values("domain")
    hosts = {email.rpartition("@")[2] for email in person.addresses.filter(verified_at__isnull=False).values_list("email", flat=True)}
    return _visible(List.objects.filter(domain__in=domains) | List.objects.filter(domain__name__in=hosts), after)


def _visible(lists: Any, after: str) -> tuple[list[Shown], str]:
    site: Mapping[str, Any] = site_policy()
    found = list(lists.filter(state=ListState.ACTIVE, address__gt=after).exclude(domain__enabled=False).select_related("organisation", "domain").order_by("address")[:LOOKED_AT])
    rules = [(list_, policy(list_, site)) for list_ in found]
    return [Shown(list_, rule.joining) for list_, rule in rules if rule.joining.asked_for and not rule.hidden], found[-1].address if len(found) == LOOKED_AT else ""


def join(list_: List, email: str, now: datetime, asking: Asking) -> Taken:
    """Somebody wrote an address into the form. A member gets the link to their own page instead.

    Raises ``ValueError`` when it is no address.
    """
    email = normal(email)
    if not _room(list_, asking.client, now):
        return Taken.LATER
    with transaction.atomic():
        address, _made = Address.objects.select_related("person").get_or_create(email=email)
        if not _bearable(address, now):
            return Taken.TAKEN
        if _outcome(list_, address, now, asking) is Outcome.MEMBER:
            mine.send_link(email, now, asking.language)
    return Taken.TAKEN


def join_signed_in(list_: List, person: Person, email: str, now: datetime, asking: Asking) -> Outcome | Taken:
    """Somebody who is signed in asks for one of their proven addresses. Raises ``ValueError`` when it is none of these, or the list is full."""
    address = person.addresses.select_related("person").filter(email=normal(email), verified_at__isnull=False).first()
    if address is None:
        raise Invalid(_("choose one of your own addresses"))
    if not _room(list_, asking.client, now):
        return Taken.LATER
    return joining.ask(list_, address, now, asking)


def leave(list_: List, email: str, now: datetime, client: str = "", language: str = "") -> Taken:
    """Somebody wants an address to leave: it is asked itself, or an owner is, when it is a member that may ask. Raises ``ValueError``
    when it is no address."""
    email = normal(email)
    if not _room(list_, client, now):
        return Taken.LATER
    with transaction.atomic():
        address, _made = Address.objects.select_related("person").get_or_create(email=email)
        outcome = leaving.ask(list_, address, now, by=email, sure=Sure.NO)
        wanted = outcome is Outgoing.WAITING
        if outcome is not Outgoing.WAITING:
            wanted = outcome is Outgoing.UNSURE and _bearable(address, now) and not letters.today("leaving", address, list_, now)
            ask_to_leave(list_, address, now, language)
        if not wanted:
            transaction.set_rollback(True)  # written all the same: who measures how long it takes learns nothing
    return Taken.TAKEN


def _room(list_: List, client: str, now: datetime) -> bool:
    found = attempts.from_client(client, now) and attempts.book(f"joins:{list_.pk}", now, OF_LIST)
    if not found:
        log.warning("too many requests for list=%s client=%s", list_.address, client)
    return found


def _bearable(address: Address, now: datetime) -> bool:
    return letters.written_today(address, LETTERS, now) < OF_ADDRESS


def _outcome(list_: List, address: Address, now: datetime, asking: Asking) -> Outcome:
    try:
        with transaction.atomic():
            return joining.ask(list_, address, now, asking)
    except ValueError:  # a full list: the owners see it, a stranger does not
        log.warning("nobody more can join list=%s", list_.address, exc_info=True)
        return Outcome.CLOSED
