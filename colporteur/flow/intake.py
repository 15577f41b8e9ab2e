"""What comes in: raw bytes with an envelope become rows, committed before anybody is told yes.

Every door (LMTP, IMAP, POP3, the web's composer) hands over batches to ``receive``: one transaction and a fixed number
of queries for all of them (group commit). A recipient that is a list's post address makes a post, every other address
of a list an errand (``docs/decisions/posts-and-errands.md``).
Sources: RFC 2033 section 4.2 (a reply per recipient), RFC 3463 (enhanced status codes).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from colporteur.flow import routing
from colporteur.flow.routing import Place, Ways
from colporteur.mail import headers
from colporteur.store import arrivals, jobs, mailboxes, posts, taking
from colporteur.store.arrivals import Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.statements import together

log = logging.getLogger("colporteur.intake")
journal = logging.getLogger("colporteur.mail")

MAX_RECIPIENTS = 100
"""Recipients of one transaction; RFC 5321 section 4.5.3.1.8 asks for at least 100."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as a door got it.

    ``recipients``: RCPT TO; of collected mail the addresses it was delivered to, which only tell plus-parts.
    ``mail_from``: "" for the null sender. ``door``: lmtp, imap, pop3 or web. ``mailbox``, ``validity``, ``uid``: the
    ledger's key of collected mail; such mail belongs to the mailbox's list.
    """

    raw: bytes
    mail_from: str
    recipients: tuple[str, ...]
    door: str
    mailbox: int | None = None
    validity: int = 0
    uid: str = ""


class Reply(NamedTuple):
    """What the door answers for one recipient: reply code and text with its enhanced status code."""

    code: int
    text: str


TAKEN = Reply(250, "2.6.0 Taken")
UNKNOWN = Reply(550, "5.1.1 No such list here")
OFF = Reply(550, "5.2.1 This list is switched off, nothing was delivered")
OFF_FOR_NOW = Reply(450, "4.2.1 This list is switched off, try again later")
CLOSED = Reply(550, "5.2.1 This list is closed, nothing was delivered")
TROUBLE = Reply(451, "4.3.0 Our trouble, not yours: try again later")


def known(recipient: str) -> Reply:
    """Whether mail for this recipient would be taken now. Raises ``django.db.Error`` when the database is in trouble."""
    return known_all([recipient])[0]


def known_all(recipients: Sequence[str]) -> list[Reply]:
    """``known`` for many, in the same number of queries."""
    ways = routing.ways(recipients)
    return [_reply(ways.find(recipient)) for recipient in recipients]


def receive(incoming: Sequence[Incoming], now: datetime) -> list[tuple[Reply, ...]]:
    """Take a batch: one transaction, one reply per recipient (a single reply for mail without recipients).

    Never raises: what is our own trouble is answered 451 and nothing of that message is kept. When a batch fails, its
    messages are tried one by one, so that one the database refuses never turns others away.
    """
    try:
        with transaction.atomic():
            return _receive(incoming, now)
    except Exception as error:
        alive = connection.in_atomic_block or (connection.connection is not None and connection.is_usable())
        if not alive:
            connection.close()
        if len(incoming) > 1 and alive:
            log.warning("batch of %d failed, one by one now: %s", len(incoming), error)
            return [receive([one], now)[0] for one in incoming]
        for one in incoming:
            log.exception("not taken door=%s from=%s size=%s", one.door, one.mail_from, len(one.raw))
        return [(TROUBLE,) * max(1, len(one.recipients)) for one in incoming]


# --- how ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Taken:
    """One message on its way into rows."""

    incoming: Incoming
    replies: tuple[Reply, ...]
    lists: dict[int, List]  # its posts, by list
    errands: list[Place]
    message_id: str = ""
    content_key: bytes = b""
    blob: bytes = b""
    arrival: int = 0


class _Repeated(NamedTuple):
    """A post that is there already; ``post`` None: it is made by this batch."""

    incoming: Incoming
    list: List
    identity: posts.Identity
    post: int | None


def _receive(incoming: Sequence[Incoming], now: datetime) -> list[tuple[Reply, ...]]:
    fresh = mailboxes.enter([(one.mailbox, one.validity, one.uid) for one in incoming if one.mailbox is not None], now)
    ways = routing.ways([recipient for one in incoming if one.mailbox is None for recipient in one.recipients], {one.mailbox for one in incoming if one.mailbox is not None})
    taken = [_route(one, ways, fresh) for one in incoming]
    mailboxes.withdraw([_key(one.incoming) for one in taken if one.replies[0] is OFF_FOR_NOW and one.incoming.mailbox is not None])
    repeated = _drop_duplicates(taken, now)
    kept = [one for one in taken if one.lists or one.errands]
    with together():
        taking.keep([(one.blob, one.incoming.raw) for one in kept])
        _drop_asked_before(kept, now)
        kept = [one for one in kept if one.lists or one.errands]
        made = _enter(kept, now)
    mailboxes.tie([(*_key(one.incoming), one.arrival) for one in kept if one.incoming.mailbox is not None])
    asked = _errands(kept, now)
    _tell_of(repeated, made, now)
    if made:
        jobs.wake(jobs.Wake.JUDGE)
    if asked:
        jobs.wake(jobs.Wake.ERRANDS)
    return [one.replies for one in taken]


def _route(one: Incoming, ways: Ways, fresh: set[mailboxes.Key]) -> _Taken:
    if one.mailbox is None:
        places = [ways.find(recipient) for recipient in one.recipients]
        found = [place if one.mail_from else ways.returned(place, one.raw) for place in places if place and not place.off]
        replies = tuple(_reply(place) for place in places) or (UNKNOWN,)
    elif _key(one) not in fresh:
        return _Taken(one, (TAKEN,) * max(1, len(one.recipients)), {}, [])  # an earlier look took it
    else:
        place = ways.of_mailbox(one.mailbox, one.recipients, one.raw, one.mail_from)
        found = [place] if place and not place.off else []
        # Never refused: what lies in a mailbox stays there until the list takes it.
        replies = ((TAKEN if found else OFF_FOR_NOW),) * max(1, len(one.recipients))
    lists = {place.list.id: place.list for place in found if place.is_post and place.list}
    errands = list({(place.list and place.list.id, place.service, place.token): place for place in found if not place.is_post}.values())
    return _Taken(one, replies, lists, errands, headers.message_id(one.raw), headers.content_key(one.raw), arrivals.name_of(one.raw))


def _reply(place: Place | None) -> Reply:
    if place is None:
        return UNKNOWN
    if not place.off:
        return TAKEN
    if place.ended:
        return CLOSED
    if place.of_domain:
        if place.defers:
            return Reply(450, f"4.2.1 The list service of {place.of_domain} is switched off, try again later")
        return Reply(550, f"5.2.1 The list service of {place.of_domain} is switched off, nothing was delivered")
    return OFF_FOR_NOW if place.defers else OFF


def _drop_duplicates(taken: Sequence[_Taken], now: datetime) -> list[_Repeated]:
    """Forget posts that are there already: same list, Message-ID and content within seven days, or earlier in this batch.

    A message with neither Message-ID nor Date is never called a duplicate: nothing tells a second sending from a
    second message.
    """
    wanted = {(list_, one.message_id, one.content_key) for one in taken if one.message_id or posts.dated(one.incoming.raw) for list_ in one.lists}
    there: dict[posts.Identity, int | None] = {**posts.duplicates(sorted(wanted), now)}
    repeated = []
    for one in taken:
        for list_ in [*one.lists.values()]:
            identity = (list_.id, one.message_id, one.content_key)
            if identity in there:
                repeated.append(_Repeated(one.incoming, one.lists.pop(list_.id), identity, there[identity]))
            elif identity in wanted:
                there[identity] = None  # its post gets a number soon
    return repeated


def _drop_asked_before(kept: Sequence[_Taken], now: datetime) -> None:
    """Forget errands that are there already, byte for byte: a sender that did not see our 250 sends the message again.

    Their blobs are kept before, so that of two receivers with one new message the second waits and then sees the first's.
    """
    able = [one for one in kept if one.errands and (one.message_id or posts.dated(one.incoming.raw))]
    there = arrivals.asked({one.blob for one in able}, now - timedelta(days=posts.DUPLICATE_DAYS)) if able else {}
    for one in able:
        fresh = []
        for place in one.errands:
            identity = (one.blob, place.list.id if place.list else None, place.service.value, _text(place.token))
            if identity not in there:
                there[identity] = None  # earlier in this batch
                fresh.append(place)
                continue
            journal.info("duplicate errand=%s service=%s to=%s from=%s door=%s", there[identity] or "new", identity[2], place.recipient, one.incoming.mail_from, one.incoming.door)
        one.errands = fresh


def _tell_of(repeated: Sequence[_Repeated], made: Mapping[posts.Identity, int], now: datetime) -> None:
    entries = []
    for one in repeated:
        post, list_ = one.post or made[one.identity], one.list
        entries.append(JournalEntry(at=now, event="post.duplicate", organisation_id=list_.organisation_id, list_id=list_.id, post_id=post, values={"door": one.incoming.door}))
        journal.info("duplicate post=%s list=%s from=%s door=%s message_id=%s", post, list_.address, one.incoming.mail_from, one.incoming.door, one.identity[1])
    JournalEntry.objects.bulk_create(entries)


def _enter(kept: Sequence[_Taken], now: datetime) -> dict[posts.Identity, int]:
    """Write arrivals and posts; the posts made, by identity."""
    rows = [taking.NewArrival(one.blob, one.incoming.door, _text(one.incoming.mail_from), [_text(recipient) for recipient in one.incoming.recipients]) for one in kept]
    wanted = [(place, one, list_) for place, one in enumerate(kept) for list_ in one.lists.values()]
    news = [taking.NewPost(place, list_.id, list_.organisation_id, one.message_id, one.content_key, len(one.incoming.raw)) for place, one, list_ in wanted]
    numbers, made = taking.enter(rows, news, now)
    for one, number in zip(kept, numbers, strict=True):
        one.arrival = number
    for (_, one, list_), post in zip(wanted, made, strict=True):
        door, sender = one.incoming.door, _text(one.incoming.mail_from)
        journal.info("received post=%s list=%s from=%s size=%s door=%s message_id=%s", post, list_.address, sender, len(one.incoming.raw), door, one.message_id)
    return {(list_.id, one.message_id, one.content_key): post for (_, one, list_), post in zip(wanted, made, strict=True)}


def _errands(kept: Sequence[_Taken], now: datetime) -> list[Errand]:
    asked = [(one, place) for one in kept for place in one.errands]
    rows = [
        Errand(arrival_id=one.arrival, list=place.list, service=place.service.value, token=_text(place.token), recipient=_text(place.recipient), received_at=now)
        for one, place in asked
    ]
    made = Errand.objects.bulk_create(rows)
    for errand, (one, _) in zip(made, asked, strict=True):
        journal.info("received errand=%s service=%s to=%s from=%s door=%s", errand.id, errand.service, errand.recipient, _text(one.incoming.mail_from), one.incoming.door)
    return made


def _key(one: Incoming) -> mailboxes.Key:
    return (one.mailbox or 0, one.validity, one.uid)


def _text(foreign: str) -> str:
    """Text PostgreSQL can hold: no NUL, no lone surrogates."""
    return foreign.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
