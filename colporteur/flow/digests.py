"""Digests: what is accepted is put aside for them, made into mailings by the clock, and sent like everything else.

A message waits in a row until the transaction that makes its digest takes the row away: it is never in two and never lost,
however often a worker dies or however long none runs. Who finds it there received digests when it was accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Exists, OuterRef, Q, Sum

from colporteur.domain import digests, tokens
from colporteur.domain.digests import Cadence, DeliveryMode, Number, Timetable, Waiting
from colporteur.domain.mailings import MailingKind, Priority
from colporteur.domain.policy import Policy, Urgency
from colporteur.domain.posts import PostState
from colporteur.flow import letters, mailings, memberships, nesting
from colporteur.flow.editions import Edition, about, of_message, reading_words, written
from colporteur.mail import digests as writing
from colporteur.mail.render import Rewriting
from colporteur.store import journal
from colporteur.store.arrivals import keep
from colporteur.store.copies import Window
from colporteur.store.digests import DigestEntry, DigestSeries, DigestWaiting, Group, groups, read_by
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import FormerDelivery
from colporteur.store.people import Address
from colporteur.store.policies import policy
from colporteur.store.posts import Post

log = logging.getLogger("colporteur.mail")
debug = logging.getLogger("colporteur.digests")

LOOKS = timedelta(minutes=15)
"""Every hour of every time zone begins at one of these."""
REMEMBERED = timedelta(days=400)
"""How long it is known how somebody received before; what was accepted then and still waits goes out by then."""


# --- a message is accepted --------------------------------------------------------------------------------------


def put_aside(mailing: Mailing, values: Policy, now: datetime) -> None:
    """The other ways a post goes out than message by message: a mailing of its subject, and a place in the next digests.

    In the transaction that fixes the audience of the post's own mailing.
    """
    modes = read_by(reached(mailing), mailing.audience_at)
    if DeliveryMode.SUBJECTS in modes:
        _send_subject(mailing, now)
    for cadence in Cadence:
        if read := modes & set(cadence.modes):
            _wait(mailing, cadence, values, text_only=all(mode.plain for mode in read))


def reached(mailing: Mailing) -> list[int]:
    """The list of a mailing and those inside it, as planning froze them."""
    return list(mailing.nested.get("lists") or [mailing.list_id])


def with_page(mailing: Mailing, rewriting: Rewriting) -> Rewriting:
    """The rewriting with a link to the page that shows what subjects and digests only name."""
    assert mailing.list
    if mailing.delivery == DeliveryMode.EACH or not rewriting.personal or not letters.public(mailing.list):
        return rewriting
    line = reading_words(mailing.language, one=mailing.post_id is not None)
    return replace(rewriting, read_url=f"{settings.BASE_URL}/d/{{token}}", footer=f"{line} {{read}}\n\n{rewriting.footer}".rstrip("\n"))


def _send_subject(mailing: Mailing, now: datetime) -> None:
    post, list_ = mailing.post, mailing.list
    assert post and list_
    Mailing.objects.create(
        kind=MailingKind.POST, delivery=DeliveryMode.SUBJECTS, list=list_, post=post, transport=mailing.transport, priority=mailing.priority, pace=mailing.pace, subject=mailing.subject,
        language=mailing.language, blob_id=keep(of_message(bytes(mailing.blob.raw), post, list_, mailing.language, now)), audience_at=mailing.audience_at, excluded=mailing.excluded, created=now,
    )  # fmt: skip


def _wait(mailing: Mailing, cadence: Cadence, values: Policy, *, text_only: bool) -> None:
    post, list_ = mailing.post, mailing.list
    assert post and list_
    whole = not text_only and post.size <= values.digest_size
    size = post.size if whole else writing.weight(bytes(mailing.blob.raw))
    series, _made = DigestSeries.objects.get_or_create(list=list_, cadence=cadence)
    DigestWaiting.objects.get_or_create(list=list_, cadence=cadence, post=post, defaults={"moment": mailing.audience_at, "size": size})
    held = DigestWaiting.objects.filter(list=list_, cadence=cadence).aggregate(n=Count("id"), size=Sum("size"))
    if held["n"] >= values.digest_messages or held["size"] >= values.digest_size:
        DigestSeries.objects.filter(pk=series.pk).update(looked_at=None)


# --- read on the web --------------------------------------------------------------------------------------------


class Opened(NamedTuple):
    """What the link of a copy opens: its messages, each with its place in it, from 1."""

    mailing: Mailing
    list: List
    address: Address
    posts: Sequence[tuple[int, Post]]


def opened(token: str) -> Opened | None:
    """The messages of a copy, for a member who still is one; None for anybody else, and when nothing of them is left."""
    token = token.strip().lower()
    numbers = tokens.read(settings.TOKEN_KEY, tokens.Purpose.COPY, token)
    named = memberships.named_by_token(token)
    if numbers is None or named is None or not named.member:
        return None
    mailing = Mailing.objects.select_related("list__organisation").get(pk=numbers[0])
    if mailing.list is None or not Copy.objects.filter(mailing=mailing, address=named.address).exists():
        return None
    of_it = {mailing.post_id: 1} if mailing.post_id else dict(DigestEntry.objects.filter(mailing=mailing).values_list("post", "position"))
    posts = Post.objects.select_related("list__organisation", "arrival__blob").prefetch_related("findings").filter(pk__in=of_it, state=PostState.ACCEPTED)
    found = sorted(((of_it[post.pk], post) for post in posts), key=lambda one: one[0])
    return Opened(mailing, mailing.list, named.address, found) if found else None


# --- the clock --------------------------------------------------------------------------------------------------


def make_due(now: datetime, limit: int = 100) -> int:
    """Make the digests that are full or whose hour has come; how many series were looked at, 0: nothing to do.

    Each in a transaction of its own: one that cannot be made is tried again at the next look and stops no other.
    """
    quarter = now - timedelta(minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond)
    waiting = DigestWaiting.objects.filter(list=OuterRef("list"), cadence=OuterRef("cadence"))
    working = Q(list__state=ListState.ACTIVE) & (Q(list__domain__isnull=True) | Q(list__domain__enabled=True))
    due = DigestSeries.objects.filter(working, Q(looked_at__isnull=True) | Q(looked_at__lt=quarter), Exists(waiting)).order_by("id")
    found = list(due.values_list("id", flat=True)[:limit])
    for id_ in found:
        try:
            with transaction.atomic():
                _look(id_, now, quarter)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            debug.warning("digest failed series=%s", id_, exc_info=error)
            DigestSeries.objects.filter(pk=id_).update(looked_at=now, error=f"{type(error).__name__}: {error}".replace("\x00", "")[:1000])
            log.error("cannot-digest series=%s error=%s", id_, error)
    FormerDelivery.objects.filter(until__lt=now - REMEMBERED).delete()
    return len(found)


def timetable(values: Policy) -> Timetable:
    """When a list's digests leave."""
    return Timetable(values.digest_hour, values.digest_weekday, digests.zone(values.time_zone, settings.TIME_ZONE))


def _look(id_: int, now: datetime, quarter: datetime) -> None:
    found = DigestSeries.objects.select_for_update(skip_locked=True, of=("self",)).select_related("list__organisation", "list__domain")
    series = found.filter(Q(looked_at__isnull=True) | Q(looked_at__lt=quarter), pk=id_).first()
    if series is None:
        return
    values = policy(series.list)
    moment = digests.latest(now, Cadence(series.cadence), timetable(values))
    due = None if series.upto and moment <= series.upto else moment
    rows = {row.pk: row for row in DigestWaiting.objects.filter(list=series.list, cadence=series.cadence)}
    for issue in digests.issues([Waiting(row.pk, row.moment, row.size) for row in rows.values()], due, values.digest_messages, values.digest_size):
        _issue(series, [rows[one.id] for one in issue], values, now)
        if due and issue[0].moment <= due:
            series.upto = due
    series.looked_at, series.error = now, ""
    series.save()


def _issue(series: DigestSeries, rows: Sequence[DigestWaiting], values: Policy, now: datetime) -> None:
    """One digest, in every form somebody reads, of every run of its messages somebody has to find."""
    DigestWaiting.objects.filter(pk__in=[row.pk for row in rows]).delete()
    list_, cadence = series.list, Cadence(series.cadence)
    lists = nesting.frozen(list_, values).get("lists") or [list_.pk]
    wanted = [(mode, group) for mode in cadence.modes for group in groups(lists, mode, [row.moment for row in rows])]
    if not wanted:
        return
    last = Number(series.volume, series.issue, series.year)
    number = digests.following(last, now.astimezone(timetable(values).zone).date())
    series.volume, series.issue, series.year = number
    known = Post.objects.select_related("arrival__blob").in_bulk([row.post_id for row in rows])
    made = [_mailing(list_, Edition(cadence, number, now), mode, group, rows, known, values) for mode, group in wanted]
    journal.write("digest.made", now, organisation=list_.organisation_id, list=list_.pk, mailing=made[0], cadence=cadence.value, volume=number.volume, issue=number.issue, count=len(rows))
    log.info("digest list=%s cadence=%s volume=%d issue=%d messages=%d mailings=%s", list_.address, cadence.value, number.volume, number.issue, len(rows), ",".join(map(str, made)))


def _mailing(list_: List, edition: Edition, mode: DeliveryMode, group: Group, rows: Sequence[DigestWaiting], known: dict[int, Post], values: Policy) -> int:
    mine = [known[row.post_id] for row in rows[group.first : group.last + 1]]
    language, now = list_.language or list_.organisation.language, edition.at
    window = Window(
        rows[group.first].moment, rows[group.last].moment,
        rows[group.first - 1].moment if group.first else "-infinity", rows[group.last + 1].moment if group.last + 1 < len(rows) else "infinity",
    )  # fmt: skip
    raw = written(edition, mode, f"{group.first}-{group.last}", mine, list_, language, timetable(values).zone, most=values.digest_size)
    mailing = Mailing.objects.create(
        kind=MailingKind.DIGEST, delivery=mode, window={name: str(moment) for name, moment in window._asdict().items()}, list=list_, transport=mailings.transport_for(list_),
        priority=Priority.NEWSLETTER if values.urgency == Urgency.PATIENT else Priority.POST, pace=values.pace, subject=about(edition, list_, len(mine), language), language=language,
        blob_id=keep(raw), audience_at=now, created=now,
    )  # fmt: skip
    DigestEntry.objects.bulk_create(DigestEntry(mailing=mailing, post=post, position=position) for position, post in enumerate(mine, 1))
    return mailing.pk
