"""Mailings, their slices and copies. Hot: everything per copy is set-based SQL in ``copies/``; no ORM row by row."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, QuerySet

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.mailings import MailingKind, MailingState, Pace, Priority
from colporteur.store.arrivals import Blob
from colporteur.store.instances import Shape
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address
from colporteur.store.posts import Post
from colporteur.store.statements import execute
from colporteur.store.transports import Transport

STATES = [(state.value, state.value) for state in MailingState]
KINDS = [(kind.value, kind.value) for kind in MailingKind]


class Mailing(models.Model):
    """One prepared message going to a frozen audience."""

    kind = models.TextField(choices=KINDS)
    list = models.ForeignKey(List, models.CASCADE, null=True, related_name="mailings")
    post = models.ForeignKey(Post, models.CASCADE, null=True, related_name="mailings")
    letter = models.TextField(default="", blank=True)  # name of the notice, for letters
    addressee = models.BigIntegerField(null=True)  # of a letter: the address it is written to, asked for by who counts letters of today
    campaign = models.ForeignKey("store.Campaign", models.SET_NULL, null=True, related_name="mailings", db_index=False)  # it carries it: to its audience, again to some, or as a test
    transport = models.ForeignKey(Transport, models.PROTECT, null=True)
    state = models.TextField(choices=STATES, default=MailingState.PLANNED.value)
    priority = models.SmallIntegerField(default=Priority.POST.value)
    subject = models.TextField(default="", blank=True)
    language = models.TextField(default="", blank=True)
    blob = models.ForeignKey(Blob, models.PROTECT)  # the message the copies are made from: the arrival's own bytes, or the composed letter
    rewriting = models.JSONField(default=dict)  # mail.render.Rewriting as JSON, frozen at acceptance: the same for every copy, however long sending lasts
    envelope_sender = models.TextField(default="", blank=True)  # "{token}" is replaced per copy; empty: null sender
    audience_at = models.DateTimeField()  # the moment of acceptance
    excluded = ArrayField(models.BigIntegerField(), default=builtins.list)  # address ids left out by policy
    delivery = models.TextField(default=DeliveryMode.EACH.value, db_default=DeliveryMode.EACH.value)  # it is for members who receive so
    window = models.JSONField(default=dict)  # of a digest: which of them; store.copies.planning.Window
    nested = models.JSONField(default=dict)  # frozen at planning; empty: the list's own members only. flow.nesting
    pace = models.TextField(default=Pace.USUAL.value)
    chosen = models.TextField(default="", blank=True)  # sent again only to some: store.copies.planning
    planned_to = models.BigIntegerField(default=0)  # copies exist for addresses up to this id
    planned = models.BooleanField(default=False)  # every copy is written
    spared = models.IntegerField(default=0, db_default=0)  # members left out when it was planned, because mail does not reach them
    shunned = ArrayField(models.BigIntegerField(), default=builtins.list)  # transports that refused this very message, while others take it
    pause_reason = models.TextField(default="", blank=True)  # "" when a person paused it
    resume_at = models.DateTimeField(null=True)  # paused by a temporary trouble: goes on by itself then
    restored_from = models.DateTimeField(null=True)  # held back: it came back, open, from a backup of that moment, and copies may have left since
    attempts = models.SmallIntegerField(default=0)  # failed preparations
    error = models.TextField(default="", blank=True)
    created = models.DateTimeField()
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailing"
        indexes = [
            models.Index(fields=["list", "-id"], name="mailing_of_list"),
            models.Index(fields=["campaign"], name="mailing_of_campaign", condition=Q(campaign__isnull=False)),
            models.Index(fields=["id"], name="mailing_to_plan", condition=Q(planned=False)),
            models.Index(fields=["id"], name="mailing_open", condition=Q(state__in=["planned", "running", "paused"])),
            models.Index(fields=["id"], name="mailing_to_cancel", condition=Q(state="cancelled", finished__isnull=True)),
            models.Index(fields=["addressee", "created"], name="mailing_to_addressee", condition=Q(addressee__isnull=False)),
            # Few rows each, looked at every few seconds, beside however many that are open or were sent.
            models.Index(fields=["id"], name="mailing_to_mind", condition=Q(state__in=["planned", "running", "paused"]) & (Q(transport__isnull=True) | Q(resume_at__isnull=False) | ~Q(shunned=[]))),
            models.Index(fields=["id"], name="mailing_campaign_open", condition=Q(kind="campaign", state__in=["planned", "running", "paused"])),
            models.Index(fields=["finished"], name="mailing_campaign_ended", condition=Q(kind="campaign", finished__isnull=False)),
        ]


class ToPlan(NamedTuple):
    """A mailing whose copies are not all written. ``planned_to``: 0 for one not begun. ``sender``: of its post, "" for none."""

    id: int
    attempts: int
    created: datetime
    planned_to: int
    sender: str


_TO_PLAN = """
SELECT m.id, m.attempts, m.created, m.planned_to, coalesce(p.sender, '')
  FROM mailing m JOIN list l ON l.id = m.list_id LEFT JOIN domain d ON d.id = l.domain_id LEFT JOIN post p ON p.id = m.post_id
 WHERE NOT m.planned AND m.state IN ('planned', 'running', 'paused') AND m.kind <> 'letter' AND l.state = 'active' AND coalesce(d.enabled, true)
 ORDER BY m.planned_to, m.id LIMIT 100
"""


def to_plan() -> builtins.list[ToPlan]:
    """Mailings of posts and digests whose copies are not all written, a hundred, those that got least far first; those of lists
    that are switched off wait and take no place."""
    return [ToPlan(*row) for row in execute(_TO_PLAN, []).fetchall()]


_PLANNED = Shape(Mailing, "m", list=Shape(List, "l", organisation=Shape(Organisation, "o"), domain=Shape(Domain, "d")), post=Shape(Post, "p"), transport=Shape(Transport, "t"))
_LOCK_TO_PLAN = f"""
SELECT {_PLANNED.columns} FROM mailing m LEFT JOIN list l ON l.id = m.list_id LEFT JOIN organisation o ON o.id = l.organisation_id LEFT JOIN domain d ON d.id = l.domain_id
  LEFT JOIN post p ON p.id = m.post_id LEFT JOIN transport t ON t.id = m.transport_id WHERE m.id = %s AND NOT m.planned FOR UPDATE OF m SKIP LOCKED
"""


def lock_to_plan(mailing: int) -> Mailing | None:
    """The mailing with its list, post and transport, locked; None when it is planned, or somebody is at it."""
    return next(iter(_PLANNED.read(_LOCK_TO_PLAN, [mailing])), None)


def wait_for(mailing: int) -> None:
    """Return when nobody is at the mailing. Outside a transaction."""
    execute("SELECT FROM mailing WHERE id = %s FOR SHARE", [mailing])


_SENT = Shape(Mailing, "m", list=Shape(List, "l"), blob=Shape(Blob, "b"))
_TO_SEND = f"SELECT {_SENT.columns} FROM mailing m LEFT JOIN list l ON l.id = m.list_id JOIN blob b ON b.sha256 = m.blob_id WHERE m.id = %s"


def to_send(mailing: int) -> Mailing:
    """The mailing with its message and list. Raises ``Mailing.DoesNotExist``."""
    for found in _SENT.read(_TO_SEND, [mailing]):
        return found
    raise Mailing.DoesNotExist


def end(mailing: int, now: datetime) -> tuple[str, int | None, int | None]:
    """Mark a mailing done; its kind, list and post."""
    query = "UPDATE mailing SET state = 'done', finished = %s, pause_reason = '', resume_at = NULL WHERE id = %s RETURNING kind, list_id, post_id"
    (ended,) = execute(query, [now, mailing]).fetchall()
    return ended[0], ended[1], ended[2]


def of_post(post: int, but: int) -> builtins.list[tuple[int, datetime]]:
    """The other mailings of a post and the moments of their audiences, in order."""
    return [(row[0], row[1]) for row in execute("SELECT id, audience_at FROM mailing WHERE post_id = %s AND id <> %s ORDER BY id", [post, but]).fetchall()]


def to_cancel() -> QuerySet[Mailing]:
    """Cancelled mailings that had more open copies than one transaction cancels, the oldest hundred."""
    return Mailing.objects.filter(state=MailingState.CANCELLED, finished__isnull=True).order_by("id")[:100]


class Bits(models.Field):  # type: ignore[type-arg]
    """500 bits, as many as a slice has places (``store.copies.SLICE``)."""

    def db_type(self, connection: object) -> str:
        """PostgreSQL's fixed length, so that two of them can be combined."""
        return "bit(500)"


class Slice(models.Model):
    """About 500 copies that are claimed, sent and settled together. The lease is here, not on the copies."""

    pk = models.CompositePrimaryKey("mailing_id", "number")
    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="slices", db_index=False)
    number = models.IntegerField()
    transport = models.ForeignKey(Transport, models.PROTECT, null=True, related_name="slices", db_index=False)  # null: there is none yet
    done = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True)  # not before; null: at once, so that an index holds what may be claimed and nothing else
    priority = models.SmallIntegerField()
    lease_until = models.DateTimeField(null=True)
    generation = models.IntegerField(default=0)  # fencing: grows at each claim
    size = models.IntegerField(default=0)
    sent = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    deferred = models.IntegerField(default=0)  # open copies that have been tried
    cancelled = models.IntegerField(default=0)
    open = Bits(null=True)  # which of its copies with a place nobody has settled, by place; null: none has a place

    class Meta:
        db_table = "slice"
        indexes = [
            models.Index(fields=["transport", "priority", "mailing", "number"], name="slice_ready", condition=Q(done=False, due_at__isnull=True)),
            models.Index(fields=["due_at"], name="slice_waiting", condition=Q(done=False, due_at__isnull=False)),
            models.Index(fields=["mailing", "due_at"], name="slice_to_retry", condition=Q(done=False, due_at__isnull=False)),
            models.Index(fields=["mailing", "number"], name="slice_open", condition=Q(done=False)),
        ]


class CopyRow(models.Model):
    """What is stored of a copy; ``Copy`` says how it stands. A copy that is queued or was accepted at once has a ``place`` in its slice:
    the bits of the slice tell which. Without a place, or in another state, the row says so itself."""

    pk = models.CompositePrimaryKey("mailing_id", "address_id")
    mailing = models.ForeignKey(Mailing, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    address = models.ForeignKey(Address, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False)
    slice = models.IntegerField()
    state = models.SmallIntegerField(default=0)  # domain.mailings.CopyState
    attempts = models.SmallIntegerField(default=0)
    code = models.SmallIntegerField(default=0)  # last SMTP reply code, 0: none

    place = models.SmallIntegerField(null=True)  # from 0

    class Meta:
        db_table = "copy_row"
        indexes = [models.Index(fields=["mailing", "slice"], name="copy_of_slice"), models.Index(fields=["mailing", "address"], name="copy_in_trouble", condition=Q(state__in=[1, 3]))]


class Copy(models.Model):
    """One mailing for one recipient, as it stands: a view of rows and slices. ``slice`` is the number of its slice within the mailing."""

    pk = models.CompositePrimaryKey("mailing_id", "address_id")
    mailing = models.ForeignKey(Mailing, models.CASCADE, db_index=False, db_constraint=False)
    address = models.ForeignKey(Address, models.PROTECT, db_index=False, db_constraint=False)
    slice = models.IntegerField()
    state = models.SmallIntegerField(default=0)  # domain.mailings.CopyState
    attempts = models.SmallIntegerField(default=0)
    code = models.SmallIntegerField(default=0)  # last SMTP reply code, 0: none

    class Meta:
        db_table = "copy"
        managed = False


class Refusal(models.Model):
    """Text of a reply that was not a success; beside the lean copy rows because few copies have one."""

    mailing_id = models.BigIntegerField()
    address_id = models.BigIntegerField()
    at = models.DateTimeField()
    code = models.SmallIntegerField()
    text = models.TextField()

    class Meta:
        db_table = "refusal"
        indexes = [models.Index(fields=["mailing_id", "address_id"], name="refusal_of_copy")]
