"""Lists that are asked for: the request, what administrators decide about it, and who is told.

The list is there from the beginning, ``pending``: its owner makes every setting, but it takes neither members nor mail.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from colporteur.domain import tokens
from colporteur.domain.addresses import normal
from colporteur.domain.templates import TEMPLATES
from colporteur.flow import creating, letters, lists, roles, templates
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.people import Address, Person
from colporteur.store.requests import ListRequest, RequestState
from colporteur.store.rights import administers, administrators_of, organisations_for

log = logging.getLogger("colporteur.lists")

MOST_OPEN = 5
"""Requests one person may have open at a time: administrators read every one of them."""
PURPOSE_MOST = 4000


class Decided(NamedTuple):
    """What became of a decision: whether it was the first, and the request as it stands now."""

    won: bool
    request: ListRequest


class RequestLink(NamedTuple):
    """What a mailed link names."""

    request: ListRequest
    person: Person


@transaction.atomic
def ask(person: Person, address: str, template: str, purpose: str, now: datetime, *, title: str = "", owners: Sequence[str] = ()) -> ListRequest:
    """Ask for a list; its organisation's administrators are told by mail. ``owners``: further ones besides the person.

    Raises ``ValueError`` saying what is wrong and what to write.
    """
    purpose = purpose.replace("\x00", "").strip()
    if not purpose:
        raise ValueError(_("say what the list is for: the administrators read it"))
    if len(purpose) > PURPOSE_MOST:
        raise ValueError(_("the purpose is longer than %(most)s characters") % {"most": PURPOSE_MOST})
    Person.objects.select_for_update().get(pk=person.pk)  # two requests at once are counted one after the other
    if ListRequest.objects.filter(person=person, state=RequestState.OPEN).count() >= MOST_OPEN:
        raise ValueError(_("you have asked for %(most)s lists already: wait until an administrator has decided") % {"most": MOST_OPEN})
    if not person.primary_email:
        raise ValueError(_("your account has no address yet"))
    others = [email for email in dict.fromkeys(normal(owner) for owner in owners) if email not in set(person.addresses.values_list("email", flat=True))]
    made = lists.create(address, template, person.primary_email, now, title=title, by=person, asked=True)
    for email in others:
        roles.give(made, email, RoleKind.OWNER, now, by=person)
    request = ListRequest.objects.create(
        organisation=made.organisation, list=made, address=made.address, title=made.title, template=template, purpose=purpose, person=person, asked_at=now,
    )  # fmt: skip
    journal.write("list.asked", now, actor=person.pk, organisation=made.organisation_id, list=made.pk, by=str(person))
    _tell_administrators(request, now)
    log.info("asked list=%s by=%s", made.address, person.pk)
    return request


def decide(number: int, activate: bool, now: datetime, *, by: Person | str, reason: str = "") -> Decided:
    """Activate the list or refuse it with a reason; the first decision counts. Whether ``by`` may is the caller's question."""
    return _end(number, RequestState.ACTIVATED if activate else RequestState.REFUSED, now, by, reason.replace("\x00", "").strip()[:PURPOSE_MOST])


def withdraw(number: int, now: datetime, *, by: Person) -> Decided:
    """The person who asked takes the request back."""
    return _end(number, RequestState.WITHDRAWN, now, by, "")


def requests_for(person: Person) -> QuerySet[ListRequest]:
    """Requests the person may see: one's own, and those of the organisations one administers."""
    return ListRequest.objects.filter(Q(person=person) | Q(organisation__in=organisations_for(person))).select_related("person", "organisation", "list", "decided_by")


def waiting_for(person: Person) -> QuerySet[ListRequest]:
    """Open requests the person may decide about."""
    return ListRequest.objects.filter(organisation__in=organisations_for(person), state=RequestState.OPEN)


def token(request: ListRequest, to: Address) -> str:
    """Signed name of one request for one administrator; it is good until the request is decided."""
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.REQUEST, request.pk, to.pk)


def read_token(text: str) -> RequestLink | None:
    """What the link names; None when it is not ours, or whose it is administers the organisation no more."""
    numbers = tokens.read(settings.TOKEN_KEY, tokens.Purpose.REQUEST, text.strip().lower())
    if numbers is None:
        return None
    request = ListRequest.objects.select_related("person", "organisation", "list", "decided_by").filter(pk=numbers[0]).first()
    address = Address.objects.select_related("person").filter(pk=numbers[1]).first()
    if request is None or address is None or address.person is None or not administers(address.person, request.organisation_id):
        return None
    return RequestLink(request, address.person)


# --- how ---


@transaction.atomic
def _end(number: int, state: RequestState, now: datetime, by: Person | str, reason: str) -> Decided:
    row = ListRequest.objects.select_for_update(of=("self",)).select_related("person", "organisation", "list__organisation", "list__domain").get(pk=number)
    if row.state != RequestState.OPEN:
        return Decided(False, row)
    row.state, row.decided_at, row.decided_by, row.reason = state, now, by if isinstance(by, Person) else None, reason
    list_ = row.list
    event = {RequestState.ACTIVATED: "list.activated", RequestState.REFUSED: "list.refused", RequestState.WITHDRAWN: "list.withdrawn"}[state]
    journal.write(event, now, actor=actor(by), organisation=row.organisation_id, list=list_.pk if list_ else None, by=str(by), name=row.address)
    if list_ is not None and state is RequestState.ACTIVATED:
        List.objects.filter(pk=list_.pk, state=ListState.PENDING).update(state=ListState.ACTIVE)
        list_.state = ListState.ACTIVE
    elif list_ is not None:
        row.list = None
    row.save()
    if list_ is not None and state is not RequestState.ACTIVATED:
        list_.delete()  # it never had members or messages; its name is free again
    _tell_person(row, now)
    log.info("%s list=%s by=%s", state.value, row.address, by.pk if isinstance(by, Person) else by)
    return Decided(True, row)


def _tell_administrators(request: ListRequest, now: datetime) -> None:
    assert request.list is not None
    shipped = TEMPLATES.get(request.template)
    template: object = gettext_lazy(shipped.title) if shipped else next((own.title for own in templates.own(request.organisation_id) if own.key == request.template), request.template)
    owners = ", ".join(holder.email for holder in roles.of(request.list) if holder.kind == RoleKind.OWNER)
    fields: dict[str, object] = {
        "list": request.address, "title": request.title or request.address, "template": template,
        "who": str(request.person), "email": request.person.primary_email, "purpose": request.purpose, "owners": owners,
    }  # fmt: skip
    for to in administrators_of(request.organisation):
        page = f"{settings.BASE_URL}/r/{token(request, to)}"
        language = "" if to.person and to.person.language else request.organisation.language
        letters.send("asked", to, now, fields=fields | {"link": page, "activate": f"{page}?do=activate", "refuse": f"{page}?do=refuse"}, language=language)


def _tell_person(request: ListRequest, now: datetime) -> None:
    to = Address.objects.select_related("person").filter(email=request.person.primary_email).first()
    if to is None or request.state == RequestState.WITHDRAWN:
        return
    fields: dict[str, object] = {"list": request.address, "title": request.title or request.address, "reason": request.reason}
    language = "" if request.person.language else request.organisation.language
    if request.state == RequestState.REFUSED:
        letters.send("refused", to, now, fields=fields, language=language)
    elif request.list is not None:
        letters.send("activated", to, now, list_=request.list, fields=fields | {"link": f"{settings.BASE_URL}/lists/{request.list.pk}/members"}, language=language)
        creating.tell_owners(request.list, now, by=request.person, language="")
