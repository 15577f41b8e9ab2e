"""Planning: the audience of a mailing is written, range by range, as copies and slices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.policy import Copies, FromForm
from colporteur.domain.posts import PostState
from colporteur.flow import campaigns, digests, moderation, nesting, routes, senders, sources
from colporteur.flow.campaigns import audience
from colporteur.flow.rewriting import bounces_address, frozen
from colporteur.store import copies, journal, standing
from colporteur.store.jobs import Wake, wake
from colporteur.store.mailings import Mailing, lock_to_plan, of_post, to_cancel, to_plan, wait_for
from colporteur.store.policies import policy

log = logging.getLogger("colporteur.mail")
debug = logging.getLogger("colporteur.planning")

FIRST_RANGE, RANGE = 2_000, 10_000
"""Copies committed together: few at first so that sending starts at once."""

ATTEMPTS = 5
WAITS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
"""How long after it was made a mailing is planned again that could not be, by failed attempts."""


def plan_due(now: datetime, *, known_only: bool = False, unasked: Callable[[], None] = lambda: None) -> int:
    """Write the next range of every mailing that is not planned yet; how many ranges were written, 0: nothing to do. Where somebody else is at the
    only ones it waits until they are not.

    ``known_only``: leave a mailing alone until the DMARC policy of its author's domain was asked for, and the list's source (the worker
    asks ``senders.domains_to_look_up`` and ``sources.claim`` when ``unasked`` is called); otherwise an unknown policy counts as none. A
    mailing that cannot be planned is tried again a few times, then its post is quarantined; the others are planned meanwhile.
    """
    written, taken = 0, list[int]()
    for id_, attempts, created, planned_to, _sender in to_plan():
        if attempts and now < created + WAITS[min(attempts, len(WAITS)) - 1]:
            continue
        if written and planned_to:
            break  # first ranges go before further ones: what was accepted meanwhile does not wait for a long audience
        try:
            one = _plan_range(id_, now, known_only, unasked)
            written += one or 0
            taken += [id_] if one is None else []
        except (OperationalError, InterfaceError):
            raise  # the database's trouble, not the mailing's
        except Exception as error:
            _could_not_plan(id_, error, now)
    if taken and not written:  # whoever has it may only ask whether it is done, and will not wake us
        wait_for(taken[0])
        return 1
    return written


def cancel_due(now: datetime) -> int:
    """Cancel the next range of copies of every mailing that was cancelled while it had more than one; how many ranges."""
    ids = list(to_cancel().values_list("id", flat=True))
    for id_ in ids:
        copies.unlocked(lambda id_=id_: _cancel_range(id_, now))  # type: ignore[misc]
    return len(ids)


@transaction.atomic
def _cancel_range(mailing_id: int, now: datetime) -> None:
    copies.lock_mailing(mailing_id)  # a worker may just be moving copies to a slice of their own
    if copies.cancel_open(mailing_id):
        Mailing.objects.filter(id=mailing_id).update(finished=now)


@transaction.atomic
def _could_not_plan(mailing_id: int, failure: Exception, now: datetime) -> None:
    error = f"{type(failure).__name__}: {failure}".replace("\x00", "")[:1000]
    debug.warning("planning failed mailing=%s", mailing_id, exc_info=failure)
    Mailing.objects.filter(id=mailing_id).update(attempts=F("attempts") + 1, error=error)
    mailing = Mailing.objects.select_for_update().get(id=mailing_id)
    log.error("cannot-plan mailing=%d attempts=%d error=%s", mailing_id, mailing.attempts, error)
    if mailing.attempts < ATTEMPTS:
        return
    if mailing.kind == MailingKind.CAMPAIGN:
        campaigns.halt(mailing_id, error, now)
        return
    ended = copies.cancel_open(mailing_id)
    Mailing.objects.filter(id=mailing_id).update(state=MailingState.CANCELLED, planned=True, finished=now if ended else None)
    if mailing.post_id:
        moderation.quarantine(mailing.post_id, error, now, PostState.ACCEPTED)


@transaction.atomic
def _plan_range(mailing_id: int, now: datetime, known_only: bool, unasked: Callable[[], None]) -> int | None:
    """How many ranges were written; None: somebody is at the mailing."""
    mailing = lock_to_plan(mailing_id)
    if mailing is None or mailing.list is None:
        return None if mailing is None else 0
    first = mailing.planned_to == 0
    if first and not _freeze(mailing, now, known_only):
        unasked()
        return 0
    limit = FIRST_RANGE if first else RANGE
    _write_campaign(mailing, limit) if mailing.kind == MailingKind.CAMPAIGN else _write(mailing, limit)
    if mailing.state == MailingState.PLANNED:
        mailing.state = MailingState.RUNNING
    if mailing.planned:
        _planned(mailing, now)
    mailing.save(update_fields=["planned", "planned_to", "spared", "state", "started", "finished", "rewriting", "envelope_sender", *(["attempts", "error", "audience_at", "nested"] if first else [])])
    wake(Wake.DELIVER)
    return 1


def _write(mailing: Mailing, limit: int) -> None:
    """The next copies of a post or digest."""
    assert mailing.list
    earlier = of_post(mailing.post_id, mailing.id) if mailing.post_id else []
    written, last = copies.plan_range(
        mailing.id, mailing.list.id, mailing.planned_to, mailing.audience_at, excluded=mailing.excluded, earlier=[id_ for id_, _at in earlier], limit=limit,
        first=copies.next_number(mailing.id), turns=routes.turns_for(mailing), priority=mailing.priority,
        chosen=mailing.chosen, since=min((at for _id, at in earlier), default=mailing.audience_at), nested=nesting.reached(mailing),
        mode=DeliveryMode(mailing.delivery), window=copies.Window(**mailing.window) if mailing.window else None,
    )  # fmt: skip
    mailing.planned = written < limit
    mailing.planned_to = last or mailing.planned_to
    if mailing.planned:
        mailing.spared = _spared(mailing)


def _write_campaign(mailing: Mailing, limit: int) -> None:
    """The next copies of a campaign."""
    written, more = audience.plan(mailing, limit, copies.next_number(mailing.id), routes.turns_for(mailing))
    mailing.planned = not more
    mailing.planned_to = written.last or mailing.planned_to
    mailing.spared += written.in_trouble
    if mailing.planned:
        audience.forget_picked(mailing.id)


def _freeze(mailing: Mailing, now: datetime, known_only: bool) -> bool:
    """Fix what every copy will look like, and for whom. False: the author's domain is not known, or a source not asked yet."""
    assert mailing.list
    values = policy(mailing.list)
    if known_only and values.from_form == FromForm.WHEN_NEEDED and mailing.post and not senders.known(senders.domain_of(mailing.post.sender), now):
        return False
    if mailing.delivery == DeliveryMode.EACH:  # the others have the moment they were made for
        moment = sources.asked_for(mailing, now)
        if known_only and moment is None:
            return False
        mailing.audience_at = moment or mailing.audience_at
    mailing.started, mailing.attempts, mailing.error = now, 0, ""
    mailing.envelope_sender = bounces_address(mailing.list, mailing.transport, together=values.copies == Copies.TOGETHER and mailing.kind != MailingKind.CAMPAIGN)
    if mailing.kind == MailingKind.CAMPAIGN:
        return True  # the rest was frozen when it was started
    mailing.rewriting = digests.with_page(mailing, frozen(mailing, values)).to_json()
    mailing.nested = nesting.frozen(mailing.list, values)
    if mailing.post and mailing.delivery == DeliveryMode.EACH and not mailing.chosen:
        digests.put_aside(mailing, values, now)
    return True


def _spared(mailing: Mailing) -> int:
    """Members left out because mail does not reach them."""
    nested = nesting.reached(mailing)
    return standing.stopped(nested.lists if nested else [mailing.list_id or 0])


def _planned(mailing: Mailing, now: datetime) -> None:
    total = copies.counts([mailing.id]).get(mailing.id, copies.Counts()).total
    journal.write("mailing.planned", now, list=mailing.list_id, post=mailing.post_id, mailing=mailing.id, total=total)
    if mailing.spared:
        journal.write("standing.spared", now, list=mailing.list_id, post=mailing.post_id, mailing=mailing.id, count=mailing.spared)
    log.info("planned mailing=%d post=%s list=%s copies=%d spared=%d", mailing.id, mailing.post_id, mailing.list.address if mailing.list else "", total, mailing.spared)
    if mailing.state == MailingState.RUNNING and not copies.has_open_slices(mailing.id):
        mailing.state, mailing.finished = MailingState.DONE, now
        journal.write("mailing.done", now, list=mailing.list_id, post=mailing.post_id, mailing=mailing.id)
