"""Mailings: made for a post, a letter or a message passed on; paused, resumed, cancelled, counted.

What each reader's copy looks like is frozen in ``flow.rewriting``, the audience in ``flow.planning``; sending and settling are
``flow.copies``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, F, Func, Q, Sum, TextField, Value

from colporteur.domain.mailings import CopyState, MailingKind, MailingState, Pace, Priority
from colporteur.domain.policy import Policy, Urgency
from colporteur.flow import limits, nesting, routes
from colporteur.flow.rewriting import bounces_address, only_sender
from colporteur.mail.parse import skim
from colporteur.store import authors, copies, journal
from colporteur.store.arrivals import keep
from colporteur.store.destinations import hosts_of_copies
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.policies import policy
from colporteur.store.posts import Post
from colporteur.store.routes import by_transport as by_way
from colporteur.store.transports import Transport

__all__ = ["Totals", "assign_transports", "by_transport", "cancel", "create_for_post", "create_forward", "create_letter", "destinations", "pause", "resume", "resume_due", "set_pace", "totals", "totals_of", "transport_for"]

log = logging.getLogger("colporteur.mail")

_STILL = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)


# --- making -----------------------------------------------------------------------------------------------------


def create_for_post(post: Post, now: datetime, values: Policy | None = None) -> Mailing:
    """The mailing of an accepted post: the audience is this moment; its copies are written by ``planning.plan_due``. Inner
    lists that want to be asked again get the post before their own rules. ``values``: the list's policy, where it is known.

    In the caller's transaction; the caller wakes PLAN last.
    """
    list_, values = post.list, values or policy(post.list)
    nesting.pass_on(post, now)
    return Mailing.objects.create(
        priority=Priority.NEWSLETTER if values.urgency == Urgency.PATIENT else Priority.POST, pace=values.pace,
        kind=MailingKind.POST, list=list_, post=post, transport=transport_for(list_), subject=post.subject, language=list_.language or list_.organisation.language,
        blob_id=post.arrival.blob_id, audience_at=now, excluded=left_out(post, values), created=now,
    )  # fmt: skip


def create_letter(raw: bytes, to: Address, now: datetime, *, letter: str, subject: str, list_: List | None, language: str, envelope_sender: str = "") -> Mailing:
    """A composed letter to one address: mailing, slice and copy at once, with the highest priority.

    In the caller's transaction. ``envelope_sender`` "" is the null sender; ``{token}`` in it is replaced.
    """
    return _few(raw, [to.id], now, letter=letter, subject=subject, list_=list_, language=language, envelope_sender=envelope_sender, addressee=to.id)


def create_forward(raw: bytes, addresses: Sequence[Address], now: datetime, *, list_: List, subject: str) -> Mailing:
    """The same bytes, untouched, to several addresses: a message to the owners. In the caller's transaction.

    The list stands in the envelope, each copy by a token of its own: reports about it come to the list and never reach the
    author, who wrote to one address and must not learn the owners' from a report; the null sender is for mail of programs.
    """
    language = list_.language or list_.organisation.language
    return _few(raw, list(dict.fromkeys(a.id for a in addresses)), now, letter="owner", subject=subject, list_=list_, language=language, envelope_sender=bounces_address(list_, transport_for(list_)))


def left_out(post: Post, values: Policy | None = None) -> list[int]:
    """Ids of addresses the policy leaves out: the author's own, and those who stand in To or Cc."""
    values = values or policy(post.list)
    ids: set[int] = set()
    if own := {one.id for one in authors.addresses([post.sender])} if post.sender else set():
        wishes = dict(Membership.objects.filter(list=post.list, address__in=own, until__isnull=True, own_copy__isnull=False).values_list("address_id", "own_copy"))
        ids.update(address for address in own if not wishes.get(address, values.own_copy))
    if values.skip_addressed:
        found = skim(bytes(post.arrival.blob.raw))
        ids.update(Address.objects.filter(email__in={mailbox.email for mailbox in (*found.to, *found.cc)} - {""}).values_list("id", flat=True))
    return sorted(ids)


def _few(raw: bytes, addresses: Sequence[int], now: datetime, *, letter: str, subject: str, list_: List | None, language: str, envelope_sender: str, addressee: int | None = None) -> Mailing:
    transport = transport_for(list_)
    if list_ and not envelope_sender:
        envelope_sender = only_sender(list_, transport)
    mailing = Mailing.objects.create(
        kind=MailingKind.LETTER, list=list_, letter=letter, addressee=addressee, transport=transport, state=MailingState.RUNNING, priority=Priority.LETTER, subject=subject, language=language,
        blob_id=keep(raw), envelope_sender=envelope_sender, audience_at=now, planned=True, created=now, started=now,
    )  # fmt: skip
    copies.write_few(mailing.id, addresses, routes.turn_of(mailing), Priority.LETTER)
    wake(Wake.DELIVER)
    return mailing


def transport_for(list_: List | None) -> Transport | None:
    """The way out a list's mail is prepared for: the first of its route that can take it; None when there is none."""
    return routes.route_of(list_).first


def assign_transports() -> int:
    """Give open mailings that were made while there was no transport the one there is now; how many."""
    waiting = Mailing.objects.filter(transport__isnull=True, state__in=[MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED]).select_related("list")
    given = 0
    for mailing in waiting.order_by("id")[:500]:
        if transport := transport_for(mailing.list):
            given += Mailing.objects.filter(id=mailing.id, transport__isnull=True).update(transport=transport)
            Slice.objects.filter(mailing=mailing, transport__isnull=True, done=False).update(transport=transport)
    return given


# --- steering: one row changed by compare-and-set ---------------------------------------------------------------


@transaction.atomic
def pause(mailing_id: int, now: datetime, by: str, *, actor: int | None = None) -> bool:
    """No further slice leaves, and what a worker already holds goes back after its next outcomes. False: not running.

    A mailing that stands still because of a trouble becomes paused by hand: it no longer goes on by itself.
    """
    won = Mailing.objects.filter(Q(state=MailingState.RUNNING) | Q(state=MailingState.PAUSED, resume_at__isnull=False), id=mailing_id).update(state=MailingState.PAUSED, pause_reason="", resume_at=None)
    if won:
        _journal(mailing_id, "mailing.paused", now, actor, by)
    return bool(won)


def resume(mailing_id: int, now: datetime, by: str, *, actor: int | None = None) -> bool:
    """Go on with what is open, whoever or whatever paused it; a transport in trouble is tried at once. False: not paused."""
    return copies.unlocked(lambda: _resume(mailing_id, now, by, actor))


@transaction.atomic
def _resume(mailing_id: int, now: datetime, by: str, actor: int | None) -> bool:
    won = Mailing.objects.filter(id=mailing_id, state=MailingState.PAUSED).update(state=MailingState.RUNNING, pause_reason="", resume_at=None, restored_from=None)
    if won:
        Transport.objects.filter(id__in=Slice.objects.filter(mailing=mailing_id, done=False).values("transport")).update(next_try=None)
        _journal(mailing_id, "mailing.resumed", now, actor, by)
        wake(Wake.DELIVER)
    return bool(won)


@transaction.atomic
def set_pace(mailing_id: int, pace: Pace, now: datetime, by: str, *, actor: int | None = None) -> bool:
    """Another pace for what has not left: soon for copies a worker holds, at once for the others. False: it was so, or ended."""
    won = Mailing.objects.filter(id=mailing_id, state__in=_STILL).exclude(pace=pace).update(pace=pace)
    if won:
        routes.share_out(mailing_id)
        _journal(mailing_id, "mailing.pace", now, actor, by, pace=pace.value)
        wake(Wake.DELIVER)
    return bool(won)


def resume_due(now: datetime) -> int:
    """Let mailings go on whose temporary trouble may be over; how many."""
    return Mailing.objects.filter(state=MailingState.PAUSED, resume_at__lte=now).update(state=MailingState.RUNNING, pause_reason="", resume_at=None)


def cancel(mailing_id: int, now: datetime, by: str, *, actor: int | None = None) -> bool:
    """Abandon what has not left; copies in the dialogue at this moment may still be accepted, and are then recorded.

    False: it had ended already. Of a large mailing a worker cancels the most, range by range.
    """
    return copies.unlocked(lambda: _cancel(mailing_id, now, by, actor))


@transaction.atomic
def _cancel(mailing_id: int, now: datetime, by: str, actor: int | None) -> bool:
    won = Mailing.objects.filter(id=mailing_id, state__in=_STILL).update(state=MailingState.CANCELLED, planned=True, finished=now, pause_reason="", resume_at=None, restored_from=None)
    if won:
        if not (ended := copies.cancel_open(mailing_id)):
            Mailing.objects.filter(id=mailing_id).update(finished=None)
        _journal(mailing_id, "mailing.cancelled", now, actor, by)
        log.info("cancelled mailing=%d", mailing_id)
        if not ended:
            wake(Wake.PLAN)
    return bool(won)


def _journal(mailing_id: int, event: str, now: datetime, actor: int | None, by: str, **values: Any) -> None:
    mailing = Mailing.objects.only("list_id", "post_id").get(id=mailing_id)
    journal.write(event, now, actor=actor, list=mailing.list_id, post=mailing.post_id, mailing=mailing_id, by=by, **values)


# --- counting ---------------------------------------------------------------------------------------------------


class Totals(NamedTuple):
    """Copies of a mailing by state. ``rate_per_s``: accepted copies a second since the start; ``eta``: when the open ones
    will have left at that rate, None when nothing can be said."""

    total: int = 0
    queued: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    rate_per_s: float = 0.0
    eta: datetime | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The five states, as the contract's ``counts``."""
        return {"queued": self.queued, "sent": self.sent, "deferred": self.deferred, "failed": self.failed, "cancelled": self.cancelled}


def totals(mailing_id: int, now: datetime | None = None) -> Totals:
    """Totals of one mailing; with ``now`` also its rate and when it will be done, limits reckoned with."""
    answer = totals_of([mailing_id], now)[mailing_id]
    if now is None or not answer.queued:
        return answer
    mailing = Mailing.objects.select_related("list").get(pk=mailing_id)
    if mailing.state not in (MailingState.PLANNED, MailingState.RUNNING):
        return answer
    seconds = limits.seconds_of(_ways(mailing), mailing.list, answer.queued, mailing.priority, _ahead(mailing, answer.queued), mailing.pace, hosts=lambda: hosts_of_copies(mailing.pk), now=now)
    if mailing.kind == MailingKind.CAMPAIGN:
        seconds = max(seconds, limits.seconds_of_mailing(mailing.pk, answer.queued))
    return answer._replace(eta=now + timedelta(seconds=seconds)) if seconds >= 1 else answer


def _ways(mailing: Mailing) -> list[Transport]:
    """Transports its open copies leave by."""
    used = Slice.objects.filter(mailing=mailing, done=False, transport__isnull=False).values_list("transport").distinct()
    return list(Transport.objects.filter(Q(pk__in=used) | Q(pk=mailing.transport_id)))


def _ahead(mailing: Mailing, queued: int) -> int:
    """Copies of other mailings that leave by the same transport before the last of this one: lists take turns."""
    others = Slice.objects.filter(done=False, transport=mailing.transport_id, mailing__state=MailingState.RUNNING, priority__lte=mailing.priority).exclude(mailing=mailing)
    open_ = others.values("mailing", "priority").annotate(n=Sum(F("size") - F("sent") - F("failed") - F("cancelled")))
    return sum(row["n"] if row["priority"] < mailing.priority else min(row["n"], queued) for row in open_[:1000])


def totals_of(mailing_ids: Sequence[int], now: datetime | None = None) -> Mapping[int, Totals]:
    """Totals of several mailings, in two statements."""
    found = copies.counts(mailing_ids)
    times = {row[0]: row[1:] for row in Mailing.objects.filter(id__in=mailing_ids).values_list("id", "state", "started", "finished")}
    return {id_: _totals(found.get(id_, copies.Counts()), *times.get(id_, ("", None, None)), now) for id_ in mailing_ids}


def destinations(mailing_id: int) -> list[tuple[str, Totals]]:
    """Totals by the domain the copies go to, the largest first. Reads every copy of the mailing."""
    domain = Func(F("address__email"), Value("@"), Value(-1), function="split_part", output_field=TextField())
    states = {"queued": CopyState.QUEUED, "sent": CopyState.SENT, "deferred": CopyState.DEFERRED, "failed": CopyState.FAILED, "cancelled": CopyState.CANCELLED}
    counted = Copy.objects.filter(mailing=mailing_id).annotate(domain=domain).values("domain").annotate(
        total=Count("address_id"), **{f"n_{name}": Count("address_id", filter=Q(state=state)) for name, state in states.items()}).order_by("-total", "domain")  # fmt: skip
    names = ("domain", "total", *(f"n_{name}" for name in states))
    return [(domain, Totals(total, *numbers)) for domain, total, *numbers in counted.values_list(*names)]


def by_transport(mailing_id: int) -> list[tuple[str, Totals]]:
    """Totals by the transport of the copies' slices, the largest first; "" while there is none."""
    counted = by_way(mailing_id)
    names = dict(Transport.objects.filter(pk__in=[id_ for id_, _numbers in counted if id_]).values_list("pk", "name"))
    return [(names.get(id_ or 0, ""), _totals(copies.Counts(*numbers), "", None, None, None)) for id_, numbers in counted]


def _totals(found: copies.Counts, state: str, started: datetime | None, finished: datetime | None, now: datetime | None) -> Totals:
    queued = found.total - found.sent - found.failed - found.cancelled - found.deferred
    answer = Totals(found.total, queued, found.sent, found.deferred, found.failed, found.cancelled)
    end = finished or now
    if not started or not end:
        return answer
    rate = found.sent / max((end - started).total_seconds(), 0.001)
    running = state == MailingState.RUNNING and now is not None and rate > 0 and queued > 0
    return answer._replace(rate_per_s=round(rate, 1), eta=now + timedelta(seconds=queued / rate) if running and now else None)
