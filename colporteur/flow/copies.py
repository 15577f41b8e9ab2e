"""Copies leave: slices are claimed, outcomes settled by the batch. Called by the delivery lanes, once per batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import F

from colporteur.domain.mailings import MailingKind, MailingState, Pace, next_attempt
from colporteur.domain.posts import PostState
from colporteur.domain.transports import account_of
from colporteur.domain.words import Invalid
from colporteur.flow import bounces, campaigns, destinations, failures, mailings, moderation, routes, signing, trouble
from colporteur.flow.campaigns import readers
from colporteur.mail.campaigns import message as newsletters
from colporteur.mail.campaigns.message import Manner, Personal
from colporteur.mail.render import Prepared, Rewriting, prepare
from colporteur.mail.signing import Signer
from colporteur.store import buckets, copies, journal
from colporteur.store.buckets import Limits, Until
from colporteur.store.copies import Claimed, Due, Room, Standing
from colporteur.store.destinations import stopped_on
from colporteur.store.mailings import Mailing, end, to_send
from colporteur.store.people import Address
from colporteur.store.sealed import SealBroken, unseal

log = logging.getLogger("colporteur.mail")

MOST_PREPARATIONS = 5
_PREPARE_AGAIN = timedelta(seconds=5)  # doubled each time


class Work(NamedTuple):
    """A claimed slice with its open copies, and what decides whose turn it is. ``list``: 0 for none. ``readers``: of a campaign, what
    its fields are for each address; None for everything else."""

    slice: Claimed
    copies: list[Due]
    priority: int
    list: int
    readers: dict[int, dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A mailing's message, ready to be completed per copy."""

    prepared: Prepared | Personal  # Personal: a newsletter with fields in it
    envelope_sender: str  # "{token}" is replaced; "" is the null sender
    label: str  # for the mail journal
    signer: Signer | None = None  # None: copies leave unsigned
    pace: str = Pace.USUAL
    limited: bool = False  # the mailing may have a limit of its own, also one that is set while it leaves


class Refused(NamedTuple):
    """A copy that was not accepted. ``final``: 5xx. ``unknown``: it may have arrived, nobody can say."""

    address: int
    code: int
    text: str
    final: bool = False
    unknown: bool = False
    policy: bool = False  # refused because of us, not of the recipient: tried once more


def incomplete(address: int, error: Exception) -> Refused:
    """A copy that cannot be completed with what is known of its reader: it fails, nobody else's does, and no address is to blame."""
    why = str(error) if isinstance(error, Invalid) else f"{type(error).__name__}: {error}"
    return Refused(address, 554, f"5.6.5 copy not completed: {why}"[:1000], final=True)


class Way(NamedTuple):
    """A transport with copies to send. ``limited``: copies need slots. ``by_destination``: groups of destinations have their
    limits, too."""

    transport: int
    url: str
    connections: int
    limited: bool = False
    by_destination: bool = False

    @property
    def account(self) -> str:
        """The account at the other end, which several transports may share; "" when it has none."""
        return account_of(self.url)


def sweep(now: datetime) -> int:
    """What needs a look now and then: mailings without a transport get one, rested ones go on, and those end whose last
    outcome was settled by a worker that was killed. How many may leave that could not before."""
    for mailing in copies.sent_out():
        finish(mailing, now)
    given = mailings.assign_transports()
    moved = copies.unlocked(routes.leave_stranded)
    return given + moved + copies.unlocked(lambda: mailings.resume_due(now))  # their slices follow, which others lock first


def put_aside(_now: datetime) -> int:
    """Slices of paused mailings are not looked at by every claim any more, from now until these go on; how many."""
    return copies.park()


def ways_due(now: datetime) -> list[Way]:
    """Transports with due copies."""
    copies.ripen(now)
    found = []
    for transport, sealed, most, by_destination in copies.transports_due(now):
        try:
            found.append(_way(transport, unseal(sealed), most or settings.CONNECTIONS, by_destination))
        except SealBroken as error:  # one transport nobody can open does not stop the others
            trouble.stop_transport(transport, str(error), now, lasting=True)
    return found


def _way(transport: int, url: str, connections: int, by_destination: bool | None) -> Way:
    limited = buckets.limited(transport, account_of(url))
    grouped = limited if by_destination is None else by_destination
    grouped |= stopped_on(transport)  # one that is stopped must be told from the others
    return Way(transport, url, connections, limited or grouped, grouped)


def claim(transport_id: int, now: datetime, lease: float, room: Room | None = None) -> list[Work]:
    """Own due copies for ``lease`` seconds, about as many as there is room for; copies of members who left or paused since are
    cancelled. Empty: nothing is due for which there is room."""
    with transaction.atomic():
        copies.ripen(now)
        offers = copies.claim(transport_id, now, lease, room or Room())
        if not offers:
            return []
        works = {offer.claimed[:2]: Work(offer.claimed, [], offer.priority, offer.list, {} if offer.personal else None) for offer in offers}
        gone: dict[tuple[int, int], list[int]] = {}
        for key, found in groupby(copies.copies_of([offer.claimed for offer in offers], now), itemgetter(0, 1)):
            dues = list(found)
            works[key].copies.extend(here := [due for due in dues if due.here])
            if len(here) < len(dues):
                gone[key] = [due.address for due in dues if not due.here]
        for (mailing, number), addresses in gone.items():
            copies.cancel_absent(mailing, number, addresses)
        for work in works.values():
            if work.readers is not None and work.copies:
                work.readers.update(readers.for_copies(work.slice.mailing, [readers.Asked(due.address, due.email, due.name) for due in work.copies]))
        empty = [work.slice for work in works.values() if not work.copies]
        for one in empty:
            copies.recount(one.mailing, one.number)
    for mailing in {one.mailing for one in empty}:
        finish(mailing, now)
    return [work for work in works.values() if work.copies]


def message_of(mailing_id: int) -> Message:
    """The mailing's message, prepared. Raises whatever is wrong with it: see ``could_not_prepare``."""
    mailing = to_send(mailing_id)
    raw = bytes(mailing.blob.raw)
    prepared: Prepared | Personal = newsletters.prepare(raw, Manner.from_json(mailing.rewriting)) if mailing.campaign_id else prepare(raw, Rewriting.from_json(mailing.rewriting))
    limited = mailing.kind == MailingKind.CAMPAIGN
    return Message(prepared, mailing.envelope_sender, mailing.list.address if mailing.list else mailing.letter, signing.signer_of(mailing, prepared), mailing.pace, limited)


@transaction.atomic
def could_not_prepare(mailing_id: int, slices: Sequence[Claimed], error: str, now: datetime) -> bool:
    """A message that cannot be prepared is tried again a few times; then its post is quarantined and the mailing ended,
    so that others flow. A newsletter waits for its author instead. True when it was given up."""
    error = error.replace("\x00", "")[:1000]
    Mailing.objects.filter(id=mailing_id).update(attempts=F("attempts") + 1, error=error)
    mailing = Mailing.objects.select_for_update().get(id=mailing_id)
    log.error("cannot-prepare mailing=%d attempts=%d error=%r", mailing_id, mailing.attempts, error)
    if mailing.attempts < MOST_PREPARATIONS:
        copies.release(slices, due=now + _PREPARE_AGAIN * 2 ** (mailing.attempts - 1))
        return False
    if mailing.kind == MailingKind.CAMPAIGN:
        copies.release(slices)
        campaigns.halt(mailing_id, error, now)
        return False
    ended = copies.cancel_open(mailing_id)
    Mailing.objects.filter(id=mailing_id).update(state=MailingState.CANCELLED, planned=True, finished=now if ended else None)
    if mailing.post_id:
        moderation.quarantine(mailing.post_id, error, now, PostState.ACCEPTED)
    return True


# --- settling ---------------------------------------------------------------------------------------------------


def accepted(slice_: Claimed, addresses: Sequence[int], lease: float, now: datetime) -> Standing:
    """Record acceptances, whoever owns the slice now; how the slice stands."""

    def record() -> Standing:
        standing = copies.accepted(slice_, addresses, lease)
        if standing.changed < len(addresses):
            late()
        return standing

    @transaction.atomic
    def late() -> None:
        copies.lock_mailing(slice_.mailing)  # who moves copies makes slices, and the totals of one this cannot see yet would miss what is recorded
        copies.accepted_late(slice_.mailing, addresses)

    standing = copies.unlocked(record)
    if standing.done:
        finish(slice_.mailing, now)
    return standing


def refused(slice_: Claimed, refusals: Sequence[Refused], now: datetime, jitter: Callable[[], float]) -> bool:
    """Fail or put off copies of a slice this worker owns, keeping the replies. False: another worker owns it now, nothing
    was changed."""

    failed: list[Refused] = []

    def record() -> bool:
        with transaction.atomic():
            copies.lock_mailing(slice_.mailing)
            if not copies.owned(slice_):
                return False
            failed[:] = _sort_out(slice_, refusals, now, jitter)
            return True

    owned = copies.unlocked(record)
    if failed:  # apart: what follows locks addresses and lists, and a copy's outcome waits for neither
        list_, kind = Mailing.objects.values_list("list_id", "kind").get(id=slice_.mailing)
        copies.unlocked(lambda: bounces.refused(slice_.mailing, list_, [(one.address, one.code, one.text) for one in failed], now))
        if kind == MailingKind.CAMPAIGN:
            campaigns.judge(slice_.mailing, now)
    if owned:
        finish(slice_.mailing, now)
    return owned


def _sort_out(slice_: Claimed, refusals: Sequence[Refused], now: datetime, jitter: Callable[[], float]) -> list[Refused]:
    """Failed (these are returned), or due again: by reply, attempts and age. An unknown outcome is repeated once, never twice."""
    tried = copies.tried(slice_, [one.address for one in refusals])
    began = Mailing.objects.values_list("started", flat=True).get(id=slice_.mailing) or now
    age = (now - began).total_seconds()
    failed: dict[int, int] = {}
    deferred: dict[int, dict[int, int]] = {}  # attempts -> {address: code}
    for one in refusals:
        if one.address not in tried:
            continue
        attempts, last = tried[one.address]
        again = one.unknown and attempts > 0 and last == 0
        again |= one.policy and attempts > 0 and last // 100 == 5
        if one.final or again or next_attempt(attempts + 1, age, 0.0) is None:
            failed[one.address] = one.code
        else:
            deferred.setdefault(attempts, {})[one.address] = one.code
    if failed:
        copies.failed(slice_, failed)
    for attempts, replies in deferred.items():
        wait = next_attempt(attempts + 1, age, jitter()) or next_attempt(attempts + 1, age, 0.0) or 0.0
        copies.defer(slice_, replies, now + timedelta(seconds=wait), now)
    copies.write_refusals(slice_.mailing, now, [(one.address, one.code, one.text.replace("\x00", "")) for one in refusals if one.address in tried])
    emails = dict(Address.objects.filter(pk__in=tried).values_list("pk", "email"))
    for one in refusals:
        if one.address in tried:
            state = "failed" if one.address in failed else "deferred"
            log.info("%s mailing=%d to=%s code=%d reply=%r", state, slice_.mailing, emails.get(one.address, ""), one.code, one.text[:200])
    return [one for one in refusals if one.address in failed]


class Later(NamedTuple):
    """Copies of a claimed slice that leave at ``due``: an address each. ``group``: it is this destination group that rests; else
    ``limits`` are what they wait for."""

    slice: Claimed
    addresses: Sequence[int]
    due: datetime
    group: int = 0
    limits: Limits = ()


def put_off(transport: int, parts: Sequence[Later], mailings_until: Mapping[int, Until], now: datetime) -> bool:
    """Nothing of some copies may leave for long: they come due later, attempts and states as they are. Whole mailings too,
    as far as nobody holds their slices. False: a group rests no more, or limits have changed: what waited for that is due at once."""
    rests = [copies.unlocked(lambda part=part: _put_off(transport, part, now)) for part in parts]  # type: ignore[misc]
    for mailing, until in mailings_until.items():
        rests.append(copies.unlocked(lambda mailing=mailing, until=until: buckets.put_off(mailing, transport, until)))  # type: ignore[misc]
    return all(rests)


@transaction.atomic
def _put_off(transport: int, part: Later, now: datetime) -> bool:
    rests = destinations.rest(transport, part.group, now) if part.group else part.due  # what a worker remembers may be over since
    copies.lock_mailing(part.slice.mailing)
    if not buckets.hold(part.limits):
        rests = None
    if copies.owned(part.slice):
        copies.put_off(part.slice, part.addresses, rests or now)
    return rests is not None


def release(slices: Sequence[Claimed], until: Until | None = None) -> None:
    """Give leases back; what was not sent stays queued and may leave at once, or then if limits are still the same."""

    @transaction.atomic
    def put_back() -> None:
        copies.release(slices, until.at if until and buckets.hold(until.limits) else None)

    if slices:
        copies.unlocked(put_back)
        copies.unlocked(routes.leave_stranded)  # what comes back from a transport in trouble leaves by another


def renew(slices: Sequence[Claimed], lease: float) -> set[Claimed]:
    """Prolong leases: the slices that are still this worker's and whose mailing runs."""
    return copies.renew(slices, lease) if slices else set()


def finish(mailing_id: int, now: datetime) -> bool:
    """Mark the mailing done when every copy is written and none is open. True when this call did it."""
    if copies.has_open_slices(mailing_id):
        return False
    copies.unlocked(lambda: bounces.untold(mailing_id, now))
    return _finish(mailing_id, now)


@transaction.atomic
def _finish(mailing_id: int, now: datetime) -> bool:
    state, planned = copies.lock_mailing(mailing_id)
    if not planned or state not in (MailingState.RUNNING, MailingState.PAUSED) or copies.has_open_slices(mailing_id):
        return False
    kind, list_, post = end(mailing_id, now)
    if kind != MailingKind.LETTER:
        journal.write("mailing.done", now, list=list_, post=post, mailing=mailing_id)
    found = copies.counts([mailing_id]).get(mailing_id, copies.Counts())
    log.info("done mailing=%d post=%s sent=%d failed=%d cancelled=%d", mailing_id, post, found.sent, found.failed, found.cancelled)
    if kind == MailingKind.POST:
        failures.tell_ended(mailing_id, found.failed, found.total, now)
    return True
