"""The life of a list: switched off and on, closed and opened again, deleted and restored, moved, copied, and in the end purged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import naming, quotas, routes, templates
from colporteur.flow.organisations import actor
from colporteur.store import journal
from colporteur.store.lists import Alias, List, ListState, Role
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import totals
from colporteur.store.people import Person
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.purging import purge
from colporteur.store.wordings import Wording

log = logging.getLogger("colporteur.lists")

_LIVING = (ListState.ACTIVE, ListState.OFF, ListState.CLOSED)


@dataclass(frozen=True)
class Going:
    """What deleting a list takes away, and until when (``days`` from now) it can be restored."""

    members: int
    messages: int
    waiting: int  # messages nobody has decided about
    leaving: int  # messages still on their way
    mailbox: bool
    days: int


def going(list_: List) -> Going:
    """What would go with the list."""
    still = [MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED]
    return Going(
        members=totals([list_.pk]).get(list_.pk, 0),
        messages=Post.objects.filter(list=list_).count(),
        waiting=Post.objects.filter(list=list_, state=PostState.HELD).count(),
        leaving=Mailing.objects.filter(list=list_, state__in=still).exclude(kind=MailingKind.LETTER).count(),
        mailbox=Mailbox.objects.filter(list=list_).exists(),
        days=policy(list_).keep_deleted,
    )


def switch(list_: List, on: bool, now: datetime, *, by: Person | str) -> bool:
    """Switch the list's service on or off; off it takes and sends nothing and loses nothing. False when it was so."""
    return _move(list_, ListState.OFF if on else ListState.ACTIVE, ListState.ACTIVE if on else ListState.OFF, "list.on" if on else "list.off", now, by)


def close(list_: List, now: datetime, *, by: Person | str) -> bool:
    """Its time is over: mail is refused for good, everything is kept. False when it was closed (or is not working yet)."""
    return any(_move(list_, before, ListState.CLOSED, "list.closed", now, by) for before in (ListState.ACTIVE, ListState.OFF))


def reopen(list_: List, now: datetime, *, by: Person | str) -> bool:
    """Open a closed list again, switched on. False when it was not closed."""
    return _move(list_, ListState.CLOSED, ListState.ACTIVE, "list.reopened", now, by)


@transaction.atomic
def delete(list_: List, now: datetime, *, by: Person | str) -> bool:
    """Hide the list with everything it has; ``restore`` brings it back until ``purge_at``. False when somebody else just did."""
    for before in _LIVING:
        if _move(list_, before, ListState.DELETED, "list.deleted", now, by):
            list_.state_before, list_.purge_at = before, now + timedelta(days=policy(list_).keep_deleted)
            list_.save(update_fields=["state_before", "purge_at"])
            return True
    return False


@transaction.atomic
def delete_all(lists: Sequence[List], now: datetime, *, by: Person | str) -> int:
    """Delete several together: all or none. How many were there to delete."""
    return sum(delete(list_, now, by=by) for list_ in sorted(lists, key=lambda one: one.pk))


@transaction.atomic
def restore(address: str, now: datetime, *, by: Person | str) -> List:
    """Bring a deleted list back as it was. Raises ``ValueError`` when there is none (any more)."""
    checked = normal(address)
    found = List.objects.select_related("organisation", "domain").filter(address=checked, state=ListState.DELETED, purge_at__gt=now).first()
    if found is not None:
        quotas.check_list(found.organisation, found.domain)
    if found is None or not _move(found, ListState.DELETED, ListState(found.state_before or ListState.ACTIVE), "list.restored", now, by):
        raise ValueError(_("there is no deleted list %(address)s") % {"address": checked})
    found.state_before, found.purge_at = "", None
    found.save(update_fields=["state_before", "purge_at"])
    return found


@transaction.atomic
def move(list_: List, address: str, now: datetime, *, by: Person | str, keep: bool = True) -> None:
    """Another address, on the same domain or another one, whose organisation the list then belongs to.

    The old address stays as an alias when ``keep``; the List-Id never changes, so that members' filters go on working
    (RFC 2919 section 3). Raises ``ValueError`` when the address cannot be taken.
    """
    checked, domain = naming.wanted(address)
    row = List.objects.select_for_update(of=("self",)).select_related("organisation", "domain").get(pk=list_.pk)
    old = row.address
    if checked == old:
        raise ValueError(_("the list has this address already"))
    if domain is None:
        raise ValueError(_("%(domain)s is not a domain of this installation: a list can only move to one of its domains") % {"domain": checked.rpartition("@")[2]})
    naming.free(checked, row)
    if domain.organisation_id != row.organisation_id or domain.pk != row.domain_id:
        quotas.check_list(domain.organisation, domain)
    Alias.objects.filter(list=row, address=checked).delete()  # back to an address it had
    row.template, row.policy = templates.carried(row, domain.organisation)
    row.address, row.domain, row.organisation = checked, domain, domain.organisation
    row.save(update_fields=["address", "domain", "organisation", "template", "policy"])
    routes.leave_behind(row)
    if keep:
        Alias.objects.create(list=row, address=old)
    journal.write("list.moved", now, actor=actor(by), organisation=row.organisation_id, list=row.pk, by=str(by), old=old, new=checked)
    log.info("moved list=%s to=%s", old, checked)
    for name in ("address", "domain", "organisation", "template", "policy"):
        setattr(list_, name, getattr(row, name))


_COPY_MEMBERS = """
INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by)
SELECT %(new)s, address_id, delivery, paused, %(now)s, '' FROM membership WHERE list_id = %(old)s AND until IS NULL ORDER BY address_id
"""


@transaction.atomic
def copy(list_: List, address: str, now: datetime, *, by: Person | str, title: str = "", members: bool = False) -> List:
    """A new list with the settings, roles and own texts of this one, and its members if wanted; messages are not copied.

    Raises ``ValueError`` when the address cannot be taken.
    """
    checked, domain = naming.wanted(address)
    if domain is None:
        raise ValueError(_("%(domain)s is not a domain of this installation: a list can only be copied to one of its domains") % {"domain": checked.rpartition("@")[2]})
    naming.free(checked)
    quotas.check_list(domain.organisation, domain)
    template, own = templates.carried(list_, domain.organisation)
    made = List.objects.create(
        organisation=domain.organisation, domain=domain, address=checked, title=title or list_.title, description=list_.description, template=template,
        policy=own, language=list_.language, list_id=checked.replace("@", "."),
    )  # fmt: skip
    routes.copy(list_, made)
    Role.objects.bulk_create(Role(list=made, kind=role.kind, person_id=role.person_id, address_id=role.address_id, group_id=role.group_id, domain=role.domain) for role in list_.roles.order_by("id") if not role.group_id or made.organisation_id == list_.organisation_id)
    Wording.objects.bulk_create(Wording(letter=own.letter, language=own.language, list=made, subject=own.subject, text=own.text, html=own.html) for own in Wording.objects.filter(list=list_))
    journal.write("list.copied", now, actor=actor(by), organisation=made.organisation_id, list=made.pk, by=str(by), of=list_.address)
    if members:
        with connection.cursor() as cursor:
            cursor.execute(_COPY_MEMBERS, {"new": made.pk, "old": list_.pk, "now": now})
            count = cursor.rowcount
        quotas.check_members(made, count)
        journal.write("memberships.joined", now, actor=actor(by), organisation=made.organisation_id, list=made.pk, count=count, by=str(by), source=list_.address)
    log.info("copied list=%s to=%s members=%s", list_.address, checked, members)
    return made


def purge_due(now: datetime) -> int:
    """Purge deleted lists whose time is over, for good; how many. A worker's round."""
    due = list(List.objects.filter(state=ListState.DELETED, purge_at__lte=now).order_by("purge_at")[:20])
    for list_ in due:
        purge(list_)
        journal.write("list.purged", now, organisation=list_.organisation_id, name=list_.address)
        log.info("purged list=%s", list_.address)
    return len(due)


@transaction.atomic
def _move(list_: List, before: ListState, after: ListState, event: str, now: datetime, by: Person | str) -> bool:
    if not List.objects.filter(pk=list_.pk, state=before).update(state=after):
        return False
    list_.state = after
    journal.write(event, now, actor=actor(by), organisation=list_.organisation_id, list=list_.pk, by=str(by))
    log.info("moved list=%s from=%s to=%s", list_.address, before.value, after.value)
    return True
