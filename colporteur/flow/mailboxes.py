"""Mailboxes: the account a list is run from, what a live test learnt of its host, and its health.

What lies in it is ``flow.collecting``'s.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.functional import lazy
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

from colporteur.domain import mailboxes as decisions
from colporteur.domain.mailboxes import Account
from colporteur.flow import letters
from colporteur.flow.organisations import actor, may_reach_inside
from colporteur.store import journal
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.people import Person
from colporteur.store.rights import addresses_of
from colporteur.store.sealed import seal, unseal

log = logging.getLogger("colporteur.mailboxes")
mail_journal = logging.getLogger("colporteur.mail")

TRAITS = ("envelope_sender", "plus_part", "from_address")
"""What a live test learns: another envelope sender is accepted, a plus-part arrives, another From is accepted."""


class MailboxGone(Exception):
    """Somebody took the mailbox away meanwhile: nothing is left to do."""


# ---- setting up -------------------------------------------------------------------------------------------------


@transaction.atomic
def set_mailbox(list_: List, account: Account | str, now: datetime, *, by: Person | str, traits: dict[str, bool] | None = None, only_reports: bool | None = None) -> Mailbox:
    """Run the list from this account (or the URL of one), or have ``only_reports`` about its copies collected there (None: as it was); an empty password keeps the one of the same server and user.

    Another account begins with fresh health and unknown traits, another account or folder with a fresh ledger. Raises ``ValueError`` with a sentence.
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
    same_place = same and row.folder == account.folder
    if may_reach_inside(by) or (row.host, row.port) != (account.host, account.port):
        row.internal = may_reach_inside(by)
    for name in ("kind", "host", "port", "user", "tls", "self_signed", "folder", "move_to", "every"):
        setattr(row, name, getattr(account, name))
    row.password_sealed = seal(account.password)
    if only_reports is not None:
        if only_reports and "@" not in account.user:
            raise ValueError(gettext("Reports are sent to the user of the account: it must be an address."))
        row.only_reports = only_reports
    row.enabled, row.failures, row.next_try, row.last_error, row.told_at = True, 0, None, "", None
    if not same:
        row.traits, row.last_success = {}, None
    if row.pk and not same_place:  # names of messages mean something in one folder only
        Collected.objects.filter(mailbox=row).delete()
        LeftBehind.objects.filter(mailbox=row).delete()
    if traits is not None:
        row.traits = _checked_traits(row.traits, traits)
    row.save()
    journal.write("mailbox.changed", now, actor=actor(by), organisation=list_.organisation_id, list=list_.id, by=str(by), mailbox=str(row))
    mail_journal.info("mailbox-set list=%s user=%s host=%s port=%d by=%s", list_.address, row.user, row.host, row.port, by)
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
    mail_journal.info("mailbox-traits mailbox=%s tested=%s traits=%s", mailbox, now.isoformat(), ",".join(f"{name}={value}" for name, value in sorted(row.traits.items())))


def account_of(mailbox: Mailbox) -> Account:
    """The account with its password. Raises ``SealBroken``."""
    return replace(without_password(mailbox), password=unseal(mailbox.password_sealed))


def health(mailbox: Mailbox) -> str:
    """One word: ``off``, ``trouble``, ``ok``, or ``unused`` when it never answered yet."""
    if not mailbox.enabled:
        return "off"
    return "trouble" if mailbox.failures else "ok" if mailbox.last_success else "unused"


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
        mailbox = get(mailbox_id, lock=True)
        mailbox.failures += 1
        mailbox.next_try = decisions.next_try(mailbox.failures, now)
        with override(mailbox.list.language or mailbox.list.organisation.language):
            mailbox.last_error = failure.shown().replace("\x00", "")[:1000]
        if mailbox.failures == 1:
            journal.write("mailbox.trouble", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, mailbox=str(mailbox), error=mailbox.last_error)
        if not mailbox.told_at and decisions.tell_owners(mailbox.failures, failure.lasting):
            mailbox.told_at = now
            tell("trouble", mailbox, now, error=lazy(failure.shown, str)(), since=mailbox.last_success or now)
        mailbox.save(update_fields=["failures", "next_try", "last_error", "told_at"])
    mail_journal.warning(
        "mailbox-trouble mailbox=%s list=%s failures=%d next=%s error=%s", mailbox_id, mailbox.list.address, mailbox.failures, mailbox.next_try.isoformat(), mailbox.last_error
    )
    return mailbox.next_try


def worked(mailbox_id: int, now: datetime) -> bool:
    """The mailbox answered. True when it was in trouble before: owners who had been told of it are told again."""
    if not Mailbox.objects.filter(pk=mailbox_id, failures__gt=0).exists():
        Mailbox.objects.filter(pk=mailbox_id).update(last_success=now)
        return False
    with transaction.atomic():
        mailbox = get(mailbox_id, lock=True)
        told, mailbox.last_success, mailbox.failures = mailbox.told_at, now, 0
        mailbox.next_try, mailbox.last_error, mailbox.told_at = None, "", None
        mailbox.save(update_fields=["last_success", "failures", "next_try", "last_error", "told_at"])
        journal.write("mailbox.recovered", now, organisation=mailbox.list.organisation_id, list=mailbox.list_id, mailbox=str(mailbox))
        if told:
            tell("recovered", mailbox, now)
    mail_journal.info("mailbox-recovered mailbox=%s list=%s", mailbox_id, mailbox.list.address)
    return True


# ---- how --------------------------------------------------------------------------------------------------------


def get(mailbox_id: int, *, lock: bool = False) -> Mailbox:
    rows = Mailbox.objects.select_for_update(of=("self",)) if lock else Mailbox.objects
    if found := rows.select_related("list__organisation").filter(pk=mailbox_id).first():
        return found
    raise MailboxGone(f"mailbox {mailbox_id} is not there any more")


def tell(letter: str, mailbox: Mailbox, now: datetime, **fields: Any) -> None:
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
        raise ValueError(gettext("unknown trait %(trait)r: use %(known)s") % {"trait": sorted(unknown)[0], "known": ", ".join(TRAITS)})
    return {**old, **{name: bool(value) for name, value in new.items()}}


def as_json(mailbox: Mailbox) -> dict[str, Any]:
    """What ``mailbox list --json`` prints; never the password."""
    shown = {name: value for name, value in asdict(replace(without_password(mailbox), password="")).items() if name != "password"}
    moments = {name: at.isoformat() if (at := getattr(mailbox, name)) else None for name in ("last_success", "next_try")}
    return {"address": mailbox.list.address, **shown, "only_reports": mailbox.only_reports, "enabled": mailbox.enabled, "health": health(mailbox), "failures": mailbox.failures, "error": mailbox.last_error, "traits": mailbox.traits, **moments}


def probe_mark(now: datetime) -> str:
    """What a live test writes on its messages, so that a collector leaves them to it."""
    stamp = f"{int(now.timestamp()):x}"
    return f"{stamp}-{probe_seal(stamp)}"


def probe_seal(stamp: str) -> str:
    """Proof that a mark of that moment is ours."""
    return hashlib.blake2s(stamp.encode(), digest_size=10, key=settings.TOKEN_KEY, person=b"probe").hexdigest()


def without_password(mailbox: Mailbox) -> Account:
    """The account without its password, for showing it even where the seal is broken."""
    return Account(
        kind=mailbox.kind, host=mailbox.host, port=mailbox.port, user=mailbox.user, password="", tls=mailbox.tls,
        self_signed=mailbox.self_signed, folder=mailbox.folder, move_to=mailbox.move_to, every=mailbox.every,
        reach=None if mailbox.internal else settings.NETWORKS,
    )  # fmt: skip
