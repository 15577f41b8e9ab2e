"""Mailboxes: the account a list is run from, its ledger, its health.

The way of a message: ``wanted`` says what is new, ``take`` commits it, only then the collector moves or deletes it, and
``removed`` writes that down. A crash between any two of them repeats nothing: what the ledger has and the mailbox still
holds is compared with the bytes that were taken, and removed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils.functional import lazy
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

from colporteur.domain import mailboxes as decisions
from colporteur.domain.mailboxes import Account
from colporteur.flow import intake, letters
from colporteur.flow.intake import Incoming
from colporteur.flow.organisations import actor
from colporteur.mail.envelope import envelope
from colporteur.store import journal
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.people import Person
from colporteur.store.rights import addresses_of
from colporteur.store.sealed import SealBroken, seal, unseal

log = logging.getLogger("colporteur.mailboxes")
mail_journal = logging.getLogger("colporteur.mail")

TRAITS = ("envelope_sender", "plus_part", "from_address")
"""What a live test learns: another envelope sender is accepted, a plus-part arrives, another From is accepted."""
TOO_LARGE = _("{size} bytes are more than the {limit} this installation takes")
NO_CONTENT = _("the server lists the message but gives no content")
NOT_READ = _("the connection breaks whenever it is read: {error}")
PROBE_LIVES = timedelta(minutes=15)
"""A live test that ended without cleaning up leaves its messages to the collector after this."""
_PROBE = re.compile(rb"^X-Colporteur-Probe: ([0-9a-f]{1,12})-([0-9a-f]{20}) ", re.MULTILINE)
_BLANK = re.compile(rb"\n\r?\n")
LOCK = 0x6D62  # first key of the advisory locks below


class MailboxGone(Exception):
    """Somebody took the mailbox away meanwhile: nothing is left to do."""


# ---- setting up -------------------------------------------------------------------------------------------------


@transaction.atomic
def set_mailbox(list_: List, account: Account | str, now: datetime, *, by: Person | str, traits: dict[str, bool] | None = None) -> Mailbox:
    """Run the list from this account (or the URL of one); an empty password keeps the one of the same server and user.

    Another account begins with a fresh ledger, fresh health and unknown traits. Raises ``ValueError`` with a sentence.
    """
    if isinstance(account, str):
        account = decisions.read_url(account)
    row = Mailbox.objects.select_for_update().filter(list=list_).first()
    if not account.password:
        if row is None or (row.host, row.user) != (account.host, account.user):  # never show a password to another server
            raise ValueError(gettext("The password is missing: another server or user needs its own."))
        account = replace(account, password=unseal(row.password_sealed))
    decisions.checked(account)
    row = row or Mailbox(list=list_)
    same = (row.kind, row.host, row.port, row.user) == (account.kind, account.host, account.port, account.user)
    for name in ("kind", "host", "port", "user", "tls", "self_signed", "folder", "move_to", "every"):
        setattr(row, name, getattr(account, name))
    row.password_sealed = seal(account.password)
    row.enabled, row.failures, row.next_try, row.last_error, row.told_at = True, 0, None, "", None
    if not same:
        row.traits, row.last_success = {}, None
        if row.pk:
            Collected.objects.filter(mailbox=row).delete()
            LeftBehind.objects.filter(mailbox=row).delete()
    if traits is not None:
        row.traits = _checked_traits(row.traits, traits)
    row.save()
    journal.write("mailbox.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, by=str(by), mailbox=str(row))
    mail_journal.info("mailbox-set list=%s mailbox=%s@%s:%d by=%s", list_.address, row.user, row.host, row.port, by)
    return row


@transaction.atomic
def switch(mailbox: Mailbox, enabled: bool, now: datetime, *, by: Person | str) -> None:
    """Collect from it or leave it alone; nothing in it is touched."""
    Mailbox.objects.filter(pk=mailbox.pk).update(enabled=enabled, next_try=None)
    journal.write("mailbox.changed", now, actor=actor(by), organisation=mailbox.list.organisation_id, list=mailbox.list_id, by=str(by), mailbox=str(mailbox))


@transaction.atomic
def remove_mailbox(mailbox: Mailbox, now: datetime, *, by: Person | str) -> None:
    """Forget the account; what lies in it stays there."""
    journal.write("mailbox.removed", now, actor=actor(by), organisation=mailbox.list.organisation_id, list=mailbox.list_id, by=str(by))
    mailbox.delete()


def learn(mailbox: Mailbox, traits: dict[str, bool], now: datetime) -> None:
    """Keep what a live test saw; traits it did not test stay as they were."""
    with transaction.atomic():
        row = Mailbox.objects.select_for_update().get(pk=mailbox.pk)
        row.traits = mailbox.traits = _checked_traits(row.traits, traits)
        row.save(update_fields=["traits"])
    mail_journal.info("mailbox-traits mailbox=%s at=%s %s", mailbox, now.isoformat(), " ".join(f"{name}={value}" for name, value in sorted(row.traits.items())))


def account_of(mailbox: Mailbox) -> Account:
    """The account with its password. Raises ``SealBroken``."""
    return replace(without_password(mailbox), password=unseal(mailbox.password_sealed))


def health(mailbox: Mailbox) -> str:
    """One word: ``off``, ``trouble``, ``ok``, or ``unused`` when it never answered yet."""
    if not mailbox.enabled:
        return "off"
    return "trouble" if mailbox.failures else "ok" if mailbox.last_success else "unused"


# ---- collecting -------------------------------------------------------------------------------------------------


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
            account: Account | None = account_of(row)
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
    _get(mailbox_id)
    ledger = Collected.objects.filter(mailbox=mailbox_id, validity=validity)
    LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity).exclude(uid__in=listed).delete()
    ledger.filter(removed=False).exclude(uid__in=listed).update(removed=True)
    ledger.filter(removed=True, uid__in=listed).delete()
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
    mailbox = _get(mailbox_id)
    messages = list(messages)
    for uid, raw in messages:
        if raw is None:
            leave(mailbox_id, validity, uid, gettext(NO_CONTENT), now)
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
        worked(mailbox_id, now)
    return done


@transaction.atomic
def leave(mailbox_id: int, validity: int, uid: str, error: str, now: datetime, *, for_good: bool = False) -> None:
    """This message could not be taken: it stays, is tried again later and less often, at last not any more."""
    mailbox = _get(mailbox_id)
    row = LeftBehind.objects.filter(mailbox=mailbox_id, validity=validity, uid=uid).first() or LeftBehind(mailbox_id=mailbox_id, validity=validity, uid=uid, attempts=0)
    row.attempts = decisions.MESSAGE_ATTEMPTS if for_good else row.attempts + 1
    row.next_try, row.error, row.at = decisions.message_next_try(row.attempts, now), error.replace("\x00", "")[:1000], now
    row.save()
    log.warning("left-behind mailbox=%s uid=%s attempts=%d error=%r", mailbox_id, uid, row.attempts, row.error)
    if row.next_try is None:
        journal.write("mailbox.left", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, error=row.error)
        _tell("trouble", mailbox, now, error=row.error, since=now)


def removed(mailbox_id: int, validity: int, uids: Collection[str]) -> None:
    """These are gone from the mailbox for good."""
    Collected.objects.filter(mailbox=mailbox_id, validity=validity, uid__in=uids).update(removed=True)


def probe_mark(now: datetime) -> str:
    """What a live test writes on its messages, so that a collector leaves them to it."""
    stamp = f"{int(now.timestamp()):x}"
    return f"{stamp}-{_probe_seal(stamp)}"


# ---- health -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mailbox cannot be used: a sentence with {names}, their values, the server's own words."""

    sentence: str
    values: dict[str, str | int] = field(default_factory=dict)
    detail: str = ""
    lasting: bool = False

    def shown(self) -> str:
        """In the active language."""
        text = gettext(self.sentence).format(**self.values)
        return f"{text} ({self.detail})" if self.detail else text


BROKEN_SEAL = Failure(_("The password cannot be read: it was sealed with another COLPORTEUR_SECRET_KEY. Enter it again."), lasting=True)


def trouble(mailbox_id: int, failure: Failure, now: datetime) -> datetime:
    """The mailbox cannot be used now: when it is tried again. Owners are told once."""
    with transaction.atomic():
        mailbox = _get(mailbox_id, lock=True)
        mailbox.failures += 1
        mailbox.next_try = decisions.next_try(mailbox.failures, now)
        with override(mailbox.list.language or mailbox.list.organisation.language):
            mailbox.last_error = failure.shown().replace("\x00", "")[:1000]
        if mailbox.failures == 1:
            journal.write("mailbox.trouble", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, mailbox=str(mailbox), error=mailbox.last_error)
        if not mailbox.told_at and decisions.tell_owners(mailbox.failures, failure.lasting):
            mailbox.told_at = now
            _tell("trouble", mailbox, now, error=lazy(failure.shown, str)(), since=mailbox.last_success or now)
        mailbox.save(update_fields=["failures", "next_try", "last_error", "told_at"])
    mail_journal.warning(
        "mailbox-trouble mailbox=%s list=%s failures=%d next=%s error=%r", mailbox_id, mailbox.list.address, mailbox.failures, mailbox.next_try.isoformat(), mailbox.last_error
    )
    return mailbox.next_try


def worked(mailbox_id: int, now: datetime) -> bool:
    """The mailbox answered. True when it was in trouble before: owners who had been told of it are told again."""
    if not Mailbox.objects.filter(pk=mailbox_id, failures__gt=0).exists():
        Mailbox.objects.filter(pk=mailbox_id).update(last_success=now)
        return False
    with transaction.atomic():
        mailbox = _get(mailbox_id, lock=True)
        told, mailbox.last_success, mailbox.failures = mailbox.told_at, now, 0
        mailbox.next_try, mailbox.last_error, mailbox.told_at = None, "", None
        mailbox.save(update_fields=["last_success", "failures", "next_try", "last_error", "told_at"])
        journal.write("mailbox.recovered", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, mailbox=str(mailbox))
        if told:
            _tell("recovered", mailbox, now)
    mail_journal.info("mailbox-recovered mailbox=%s list=%s", mailbox_id, mailbox.list.address)
    return True


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
    if not hmac.compare_digest(mark, _probe_seal(stamp)):
        return None
    made = datetime.fromtimestamp(int(stamp, 16), UTC)
    if _BLANK.search(raw, 0, found.start()):  # in the body: the host returns what it did not deliver
        return now if now - made < PROBE_LIVES else None
    return made + PROBE_LIVES


def _probe_seal(stamp: str) -> str:
    return hashlib.blake2s(stamp.encode(), digest_size=10, key=settings.TOKEN_KEY, person=b"probe").hexdigest()


def _get(mailbox_id: int, *, lock: bool = False) -> Mailbox:
    rows = Mailbox.objects.select_for_update(of=("self",)) if lock else Mailbox.objects
    if found := rows.select_related("list__organisation").filter(pk=mailbox_id).first():
        return found
    raise MailboxGone(f"mailbox {mailbox_id} is not there any more")


def _tell(letter: str, mailbox: Mailbox, now: datetime, **fields: Any) -> None:
    list_ = mailbox.list
    link = f"{settings.BASE_URL}/lists/{list_.id}/mailbox"
    for address in addresses_of(list_, RoleKind.OWNER):
        try:
            with transaction.atomic():
                letters.send(letter, address, now, fields={"thing": str(mailbox), "link": link, **fields}, list_=list_)
        except (ValueError, LookupError):  # somebody's own text that cannot be used must not hide the trouble itself
            log.exception("letter not written letter=%s mailbox=%s", letter, mailbox.id)


def _checked_traits(old: dict[str, Any], new: dict[str, bool]) -> dict[str, Any]:
    if unknown := set(new) - set(TRAITS):
        raise ValueError(f"unknown trait {sorted(unknown)[0]!r}: use {', '.join(TRAITS)}")
    return {**old, **{name: bool(value) for name, value in new.items()}}


def as_json(mailbox: Mailbox) -> dict[str, Any]:
    """What ``mailbox list --json`` prints; never the password."""
    shown = {name: value for name, value in asdict(replace(without_password(mailbox), password="")).items() if name != "password"}
    moments = {name: at.isoformat() if (at := getattr(mailbox, name)) else None for name in ("last_success", "next_try")}
    return {"address": mailbox.list.address, **shown, "enabled": mailbox.enabled, "health": health(mailbox), "failures": mailbox.failures, "error": mailbox.last_error, "traits": mailbox.traits, **moments}


def without_password(mailbox: Mailbox) -> Account:
    """The account without its password, for showing it even where the seal is broken."""
    return Account(
        kind=mailbox.kind, host=mailbox.host, port=mailbox.port, user=mailbox.user, password="", tls=mailbox.tls,
        self_signed=mailbox.self_signed, folder=mailbox.folder, move_to=mailbox.move_to, every=mailbox.every,
    )  # fmt: skip
