"""Backups as the rows see them: what a backup says about its database, and what a restored database must not do by itself.

A restored database knows nothing of what happened since its backup. So whatever was under way then is held back until
somebody who knows lets it go on: mailings and letters that were open, messages and errands nobody had looked at, mailboxes
whose ledger is behind.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import mailings
from colporteur.store import buckets, jobs, journal, schema
from colporteur.store.arrivals import Errand, ErrandState
from colporteur.store.buckets import BucketRow, SlotsOut
from colporteur.store.campaigns import Campaign
from colporteur.store.health import Heartbeat
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.people import SignInLink
from colporteur.store.posts import Finding, Post

log = logging.getLogger("colporteur.mail")

REASON = _("It comes from the backup of {backup}; it may have been distributed, rejected or answered since.")
RULE = "restored"
_OPEN = (MailingState.PLANNED, MailingState.RUNNING, MailingState.PAUSED)
_STEP = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What a backup says about its database, all from one moment. ``schema``: migrations, ``app.name``."""

    at: datetime
    schema: tuple[str, ...]
    key_fingerprint: str


def facts() -> Facts:
    """Read within the caller's transaction; its snapshot's moment is taken for the backup's. Raises ``SchemaError``."""
    schema_ = schema.applied()
    if not schema_:
        raise schema.SchemaError("the database is empty: there is nothing to back up")
    if schema.state() is schema.State.RESTORING:
        raise schema.SchemaError("a backup is being restored into this database: back it up when that is done")
    with connection.cursor() as cursor:
        cursor.execute("SELECT now(), (SELECT key_fingerprint FROM site WHERE id = 1)")
        at, fingerprint = cursor.fetchone()
    return Facts(at, tuple(schema_), fingerprint or settings.SECRET_FINGERPRINT)


@dataclass(frozen=True, slots=True)
class HeldMailing:
    """A mailing a restore holds back. ``open``: copies that had no end yet; None: its copies were not all written."""

    id: int
    list: str
    subject: str
    open: int | None


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What a restore holds back: mailings of messages, ids of letters, ids of messages to judge and of messages that wait
    for a moderator, service messages, and addresses of lists whose mailbox is switched off."""

    mailings: tuple[HeldMailing, ...]
    letters: tuple[int, ...]
    unjudged: tuple[int, ...]
    waiting: tuple[int, ...]
    errands: tuple[int, ...]
    mailboxes: tuple[str, ...]


NOTHING = HeldBack((), (), (), (), (), ())


@transaction.atomic
def hold_back(backup: datetime, now: datetime, by: str, *, nothing_since: bool = False) -> HeldBack:
    """Make a database that was just loaded, and nobody works on, safe to be worked on; ``backup``: the moment it is from.

    Nothing leaves by itself that was open then, and limits count as used up, unless ``nothing_since``: somebody knows that
    nothing was running. Wake-ups, sessions, sign-in links and signs of life mean nothing any more. The last thing done is to
    take the mark away that kept everybody out (``store.schema.RESTORING``).
    """
    held = NOTHING
    if not nothing_since:
        held = HeldBack(_mailings(backup, now), _letters(backup), _unjudged(backup, now), _waiting(backup, now), _errands(backup, now), _mailboxes())
        _scheduled(backup, now)
        _use_up_limits()
    for rows in (Session, SignInLink, Heartbeat, SlotsOut):
        rows.objects.all().delete()
    jobs.forget_all()
    journal.write("installation.restored", now, backup=moment(backup), by=by)
    log.info("restored backup=%s mailings=%d letters=%d posts=%d errands=%d", backup.isoformat(), len(held.mailings), len(held.letters), len(held.unjudged) + len(held.waiting), len(held.errands))
    schema.restored()
    return held


def moment(at: datetime) -> str:
    """A backup's moment as findings, journal and commands write it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _mailings(backup: datetime, now: datetime) -> tuple[HeldMailing, ...]:
    rows = list(Mailing.objects.filter(state__in=_OPEN).exclude(kind=MailingKind.LETTER).select_related("list").order_by("id"))
    Mailing.objects.filter(id__in=[row.id for row in rows]).update(state=MailingState.PAUSED, pause_reason="", resume_at=None, restored_from=backup)
    held = []
    for start in range(0, len(rows), _STEP):
        chunk = rows[start : start + _STEP]
        totals = mailings.totals_of([row.id for row in chunk])
        for row in chunk:
            journal.write("mailing.held_back", now, list=row.list_id, post=row.post_id, mailing=row.id, backup=moment(backup))
            found = totals[row.id]
            held.append(HeldMailing(row.id, row.list.address if row.list else "", row.subject, found.queued + found.deferred if row.planned else None))
    return tuple(held)


def _scheduled(backup: datetime, now: datetime) -> None:
    """Newsletters that wait for their time may have been sent since: they are drafts until somebody looks."""
    for row in Campaign.objects.filter(state=CampaignState.SCHEDULED).select_related("list"):
        journal.write("campaign.held_back", now, organisation=row.list.organisation_id, list=row.list_id, subject=row.subject, campaign=row.pk, backup=moment(backup))
    Campaign.objects.filter(state=CampaignState.SCHEDULED).update(state=CampaignState.DRAFT, send_at=None, version=F("version") + 1)


def _letters(backup: datetime) -> tuple[int, ...]:
    rows = Mailing.objects.filter(state__in=_OPEN, kind=MailingKind.LETTER)
    found = tuple(rows.order_by("id").values_list("id", flat=True))
    rows.update(state=MailingState.PAUSED, pause_reason="", resume_at=None, restored_from=backup)
    return found


def _unjudged(backup: datetime, now: datetime) -> tuple[int, ...]:
    """Messages nobody had judged: set aside, as if they could not be processed. No owner is written to."""
    rows = Post.objects.filter(state=PostState.RECEIVED)
    found = tuple(rows.order_by("id").values_list("id", flat=True))
    for post in rows.select_related("list").only("id", "list__organisation_id"):
        journal.write("post.held_back", now, organisation=post.list.organisation_id, list=post.list_id, post=post.pk, backup=moment(backup))
    rows.update(state=PostState.QUARANTINED, error=_said(backup), next_try=None)
    return found


def _waiting(backup: datetime, now: datetime) -> tuple[int, ...]:
    """Messages that wait for a moderator: they go on waiting, without an end, and whoever opens one is told."""
    rows = list(Post.objects.filter(state=PostState.HELD).select_related("list").order_by("id"))
    Post.objects.filter(state=PostState.HELD).update(expires_at=None)
    Finding.objects.filter(post__state=PostState.HELD, rule=RULE).delete()
    Finding.objects.bulk_create(
        [Finding(post=row, position=-1, rule=RULE, action="none", reason=REASON, values={"backup": moment(backup)}) for row in rows], batch_size=_STEP
    )
    for row in rows:
        journal.write("post.held_back", now, organisation=row.list.organisation_id, list=row.list_id, post=row.pk, backup=moment(backup))
    return tuple(row.pk for row in rows)


def _errands(backup: datetime, now: datetime) -> tuple[int, ...]:
    rows = Errand.objects.filter(state=ErrandState.RECEIVED)
    found = tuple(rows.order_by("id").values_list("id", flat=True))
    rows.update(state=ErrandState.QUARANTINED, error=_said(backup), next_try=None)
    for errand in Errand.objects.filter(pk__in=found).select_related("list"):
        journal.write("errand.held_back", now, organisation=errand.list.organisation_id if errand.list else None, list=errand.list_id, recipient=errand.recipient, backup=moment(backup))
    return found


def _mailboxes() -> tuple[str, ...]:
    """Their ledgers do not know what was taken since: what could not be removed then would be posted again."""
    rows = Mailbox.objects.filter(enabled=True)
    found = tuple(rows.order_by("list__address").values_list("list__address", flat=True))
    rows.update(enabled=False)
    return found


def _use_up_limits() -> None:
    """What left since, up to this moment, nobody knows: every window begins now, and is full."""
    kept = buckets.lock(sorted(set(BucketRow.objects.values_list("kind", "key"))))
    at = buckets.clock()
    for one in kept:
        one.bucket.advance(at - one.seen if one.seen else 0.0)
        one.bucket.answered(0.0, max(0, one.bucket.rate.number - one.bucket.used()))
    buckets.save(kept, at)


def _said(backup: datetime) -> str:
    with translation.override(settings.LANGUAGE_CODE):
        return gettext(REASON).format(backup=moment(backup))
