"""Collecting: what lies in a mailbox against what the ledger has, committed before anything is removed.

The way of a message: ``wanted`` says what is new, ``take`` commits it, only then the collector moves or deletes it, and
``removed`` writes that down. A crash between any two of them repeats nothing: what the ledger has and the mailbox still
holds is compared with the bytes that were taken, and removed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

from colporteur.domain import mailboxes as decisions
from colporteur.domain.mailboxes import Account
from colporteur.flow import intake, mailboxes
from colporteur.flow.intake import Incoming
from colporteur.mail.envelope import envelope
from colporteur.store import journal
from colporteur.store.lists import ListState
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.sealed import SealBroken

log = logging.getLogger("colporteur.mailboxes")
mail_journal = logging.getLogger("colporteur.mail")

TOO_LARGE = _("{size} bytes are more than the {limit} this installation takes")
NO_CONTENT = _("the server lists the message but gives no content")
NOT_READ = _("the connection breaks whenever it is read: {error}")
LEDGER_KEPT = timedelta(days=30)
"""How long entries stay of messages that are gone from their mailbox. Nothing asks for them: under a used name lies another
message. Entries of messages that may still be there, under this or an older UIDVALIDITY, stay for ever."""
PROBE_LIVES = timedelta(minutes=15)
"""A live test that ended without cleaning up leaves its messages to the collector after this."""
_PROBE = re.compile(rb"^X-Colporteur-Probe: ([0-9a-f]{1,12})-([0-9a-f]{20}) ", re.MULTILINE)
_BLANK = re.compile(rb"\n\r?\n")
LOCK = 0x6D62  # first key of the advisory locks below


@dataclass(frozen=True, slots=True)
class Due:
    """One mailbox to be watched. ``account`` is None when its password cannot be read. ``ready``: not before ``next_try``."""

    id: int
    address: str  # the list's
    account: Account | None
    ready: bool


def due(now: datetime, address: str = "") -> list[Due]:
    """Every mailbox to be watched (or the one of the list ``address``): enabled, of a list and a domain that are on."""
    rows = Mailbox.objects.filter(Q(list__domain__isnull=True) | Q(list__domain__enabled=True), enabled=True, list__state=ListState.ACTIVE).select_related("list").order_by("id")
    if address:
        rows = rows.filter(list__address=address)
    found = []
    for row in rows:
        try:
            account: Account | None = mailboxes.account_of(row)
        except SealBroken:
            account = None
        found.append(Due(row.id, row.list.address, account, row.next_try is None or row.next_try <= now))
    return found


def claim(mailbox_id: int) -> bool:
    """Become the one collector of this mailbox, until ``release`` or the end of this database connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, mailbox_id % 2**31])
        return bool(cursor.fetchone()[0])


def release(mailbox_id: int) -> None:
    """Let another collector have it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, mailbox_id % 2**31])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read: ``new`` in the order to read it, then ``taken``: committed by an earlier look that could not remove it."""

    new: tuple[str, ...]
    taken: tuple[str, ...]


@transaction.atomic
def wanted(mailbox_id: int, validity: int, listed: Sequence[str], now: datetime) -> Wanted:
    """Compare what lies in the mailbox with the ledger.

    An entry that is gone from the mailbox was removed; a removed one that is there again is another message under a
    used name (some POP3 servers count from 1). Messages left behind come last, and not before their time.
    """
    mailboxes.get(mailbox_id)
    ledger = Collected.objects.filter(mailbox=mailbox_id, validity=validity)
    LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity).exclude(uid__in=listed).delete()
    ledger.filter(removed=False).exclude(uid__in=listed).update(removed=True)
    ledger.filter(removed=True, uid__in=listed).delete()
    Collected.objects.filter(mailbox=mailbox_id, removed=True, at__lt=now - LEDGER_KEPT).delete()
    taken = set(ledger.filter(uid__in=listed).values_list("uid", flat=True))
    left = dict(LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity).values_list("uid", "next_try"))
    new = [uid for uid in dict.fromkeys(listed) if uid not in taken and uid not in left]
    again = [uid for uid in listed if uid not in taken and (at := left.get(uid)) and at <= now]
    return Wanted((*new, *again), tuple(uid for uid in listed if uid in taken))


def take(mailbox_id: int, validity: int, messages: Iterable[tuple[str, bytes | None]], now: datetime) -> list[str]:
    """Commit messages (uid, raw bytes); the uids that may be removed from the mailbox now.

    ``raw`` None: the server had nothing to give. What cannot be taken is left behind; none stands in another's way.
    Raises ``django.db.Error`` when the database itself is gone.
    """
    mailbox = mailboxes.get(mailbox_id)
    messages = list(messages)
    for uid, raw in messages:
        if raw is None:
            leave(mailbox_id, validity, uid, NO_CONTENT, now)
    probes = {uid: mine for uid, raw in messages if raw is not None and (mine := _swept_at(raw, now))}
    whole = [(uid, raw) for uid, raw in messages if raw is not None and uid not in probes]
    settled = _seen_before(mailbox, validity, whole, now)
    fresh = [(uid, raw) for uid, raw in whole if uid not in settled]
    done = [uid for uid, _raw in whole if uid in settled] + [uid for uid, at in probes.items() if at <= now]
    incoming = []
    for uid, raw in fresh:
        sender, recipients = envelope(raw, mailbox.list.address)
        incoming.append(Incoming(raw=raw, mail_from=sender, recipients=recipients, door=mailbox.kind, mailbox=mailbox_id, validity=validity, uid=uid))
    for one, replies in zip(incoming, intake.receive(incoming, now) if incoming else [], strict=True):
        if all(reply.code == 250 for reply in replies):
            done.append(one.uid)
        else:
            leave(mailbox_id, validity, one.uid, replies[0].text, now)
    if done:
        LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity, uid__in=done).delete()
        mail_journal.info("collected mailbox=%s list=%s messages=%d", mailbox_id, mailbox.list.address, len(done))
        mailboxes.worked(mailbox_id, now)
    return done


@transaction.atomic
def leave(mailbox_id: int, validity: int, uid: str, error: str, now: datetime, *, for_good: bool = False, values: Mapping[str, str | int] | None = None) -> None:
    """This message could not be taken: it stays, is tried again later and less often, at last not any more.

    ``error``: a sentence, filled with ``values`` and kept in the list's language, or words of our own reply.
    """
    mailbox = mailboxes.get(mailbox_id)
    with override(mailbox.list.language or mailbox.list.organisation.language):
        error = gettext(error).format(**values) if values else gettext(error)
    row = LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity, uid=uid).first() or LeftBehind(mailbox_id=mailbox_id, validity=validity, uid=uid, attempts=0)
    row.attempts = decisions.MESSAGE_ATTEMPTS if for_good else row.attempts + 1
    row.next_try, row.error, row.at = decisions.message_next_try(row.attempts, now), error.replace("\x00", "")[:1000], now
    row.save()
    log.warning("left-behind mailbox=%s uid=%s attempts=%d error=%s", mailbox_id, uid, row.attempts, row.error)
    if row.next_try is None:
        journal.write("mailbox.left", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, error=row.error)
        mailboxes.tell("trouble", mailbox, now, error=row.error, since=now)


def removed(mailbox_id: int, validity: int, uids: Collection[str]) -> None:
    """These are gone from the mailbox for good."""
    Collected.objects.filter(mailbox=mailbox_id, validity=validity, uid__in=uids).update(removed=True)


# ---- how --------------------------------------------------------------------------------------------------------


def _seen_before(mailbox: Mailbox, validity: int, messages: Sequence[tuple[str, bytes]], now: datetime) -> set[str]:
    """Messages an earlier look took but could not remove: same name and bytes, or, when the server numbered its messages
    anew (UIDVALIDITY), the same bytes under a name that is gone."""
    pending = Collected.objects.filter(mailbox=mailbox, removed=False)
    rows = {(row.validity, row.uid): row for row in pending.filter(Q(uid__in=[uid for uid, _raw in messages]) | ~Q(validity=validity)).select_related("arrival")}
    settled = set()
    for uid, raw in messages:
        digest = hashlib.sha256(raw).digest()
        if row := rows.pop((validity, uid), None):
            if row.arrival is None or bytes(row.arrival.blob_id) == digest:
                settled.add(uid)
            else:
                row.delete()  # another message under the same name
        elif key := next((key for key, old in rows.items() if key[0] != validity and old.arrival and bytes(old.arrival.blob_id) == digest), None):
            Collected.objects.filter(pk=rows.pop(key).pk).update(validity=validity, uid=uid, at=now)
            settled.add(uid)
    return settled


def _swept_at(raw: bytes, now: datetime) -> datetime | None:
    """When a message of a live test, or a report about one, may be removed: at once what reports, later what the test
    itself is to find. None for every other message."""
    if not (found := _PROBE.search(raw, 0, 64 * 1024)):
        return None
    stamp, mark = found[1].decode(), found[2].decode()
    if not hmac.compare_digest(mark, mailboxes.probe_seal(stamp)):
        return None
    made = datetime.fromtimestamp(int(stamp, 16), UTC)
    if _BLANK.search(raw, 0, found.start()):  # in the body: the host returns what it did not deliver
        return now if now - made < PROBE_LIVES else None
    return made + PROBE_LIVES
