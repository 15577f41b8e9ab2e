"""Trouble on the way out: mailings pause with the reply as their reason, nothing is counted against a copy."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from colporteur.domain import trouble
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.flow import letters, routes, transports
from colporteur.store import copies, journal
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import RoleKind
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.rights import addresses_of
from colporteur.store.transports import Transport

log = logging.getLogger("colporteur.mail")


@transaction.atomic
def stop_transport(transport_id: int, reply: str, now: datetime, *, lasting: bool) -> datetime:
    """No connection, greeting, TLS or AUTH: what another transport of the route can take moves there, the rest waits until
    the time returned, then tries again.

    Mailings of lists that wait pause meanwhile, so that their owners see the reply; letters just wait. ``lasting``: trying
    later is unlikely to help by itself, people are told at once.
    """
    again = transports.trouble(Transport.objects.get(id=transport_id), reply, now, lasting=lasting)
    routes.leave_stranded()
    here = Slice.objects.filter(mailing=OuterRef("pk"), transport=transport_id, done=False)
    running = Mailing.objects.filter(Exists(here), state=MailingState.RUNNING).exclude(kind=MailingKind.LETTER)
    for mailing in routes.without_stand_in(running):
        _pause(mailing, reply, again, now)
    return again


@transaction.atomic
def stop_mailing(mailing_id: int, transport_id: int, code: int, reply: str, now: datetime) -> bool:
    """MAIL FROM refused, or many copies alike in a row: what is left of this mailing goes to another transport of its route;
    without one it rests, and its owners are told once. A letter is put off.

    False: it is not running any more.
    """
    if routes.shun(mailing_id, transport_id):
        return True
    mailing = Mailing.objects.select_related("list").get(id=mailing_id)
    wait = trouble.rest(code, (now - (mailing.started or now)).total_seconds())
    first = not JournalEntry.objects.filter(mailing_id=mailing_id, event="mailing.stopped").exists()
    if not _pause(mailing, reply, now + timedelta(seconds=wait) if wait is not None else None, now):
        return False
    if first and mailing.kind != MailingKind.LETTER and mailing.list:
        fields = {"thing": mailing.subject or mailing.list.address, "error": reply, "since": now, "link": f"{settings.BASE_URL}/sending/{quote(str(mailing_id))}/"}
        for address in addresses_of(mailing.list, RoleKind.OWNER):
            letters.send("trouble", address, now, fields=fields, list_=mailing.list)
    return True


def over(transport_id: int, now: datetime, *, looked: bool = False) -> None:
    """The transport took mail, or lets us in again: what its trouble had paused goes on, its part of the work comes back.

    ``looked``: nothing was sent, it was only opened.
    """
    transport = Transport.objects.get(id=transport_id)
    if transports.recovered(transport, now, looked=looked):
        copies.unlocked(lambda: routes.came_back(transport))


def _pause(mailing: Mailing, reply: str, resume_at: datetime | None, now: datetime) -> bool:
    reply = reply.replace("\x00", "")[:1000]
    won = Mailing.objects.filter(id=mailing.id, state=MailingState.RUNNING).update(state=MailingState.PAUSED, pause_reason=reply, resume_at=resume_at)
    if won:
        journal.write("mailing.stopped", now, list=mailing.list_id, post=mailing.post_id, mailing=mailing.id, reason=reply)
        log.warning("stopped mailing=%d again=%s reply=%s", mailing.id, resume_at.isoformat() if resume_at else "", reply)
    return bool(won)
