"""What waits long for a limit is put off, and nothing is put off for a limit that somebody changes at the same moment."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.domain.pacing import Cadence, Rate
from colporteur.flow import copies, limits, pacing
from colporteur.flow.copies import Later
from colporteur.flow.pacing import Lane, Line, Want
from colporteur.store.buckets import Until
from colporteur.store.copies import Room
from colporteur.store.mailings import Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing
from tests.servers.ports import wait_until
from tests.story.scenes import a_list, a_transport

HOUR = timedelta(hours=1)


def limited(now: datetime) -> tuple[Transport, int, Until]:
    """A transport that was used up, a mailing of two slices, and until when nothing of it may leave, as a worker learns it."""
    transport = a_transport("smtp://127.0.0.1:1")
    limits.change(limits.of_transport(transport), [Rate(10, 3600)], now, "Alice")
    mailing = a_mailing(a_list(members=600))
    lane = Lane(1, transport.pk, "")
    pacing.reserve(lane, [Want(Line(), Cadence.LETTER, 10)], (), {}, 20.0, time.monotonic)
    [given] = pacing.reserve(lane, [Want(Line(), Cadence.LETTER, 10)], (), {}, 20.0, time.monotonic).given
    assert not given.slots and given.limits
    return transport, mailing.pk, Until(now + HOUR, given.limits)


def dues(mailing: int) -> list[datetime | None]:
    return list(Slice.objects.filter(mailing=mailing, done=False).order_by("number").values_list("due_at", flat=True))


@pytest.mark.django_db
def test_what_is_put_off_for_limits_that_changed_meanwhile_is_due_at_once() -> None:
    now = timezone.now()
    transport, mailing, until = limited(now)
    [work] = copies.claim(transport.pk, now, 60.0, Room(copies=1))
    one = Later(work.slice, [work.copies[0].address], until.at, limits=until.limits)
    assert copies.put_off(transport.pk, [one], {mailing: until}, now)
    copies.release([work.slice], until)
    assert dues(mailing) == [until.at] * 3

    assert limits.change(limits.of_transport(transport), [Rate(1000, 3600)], now, "Alice"), "the worker does not know yet"
    assert dues(mailing) == [None] * 3
    [work] = copies.claim(transport.pk, now, 60.0, Room(copies=1))
    assert not copies.put_off(transport.pk, [one._replace(slice=work.slice, addresses=[work.copies[0].address])], {}, now)
    assert not copies.put_off(transport.pk, [], {mailing: until}, now)
    copies.release([work.slice], until)
    assert set(dues(mailing)) == {None, now}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["mailing", "part", "given back"])
def test_who_changes_limits_finds_what_is_just_put_off_for_them(way: str) -> None:
    now, ended = timezone.now(), threading.Event()
    transport, mailing, until = limited(now)
    [work] = copies.claim(transport.pk, now, 60.0, Room(copies=1))

    def change() -> None:
        try:
            limits.change(limits.of_transport(transport), [Rate(1000, 3600)], now, "Alice")
        finally:
            ended.set()
            connection.close()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            return ended.is_set() or bool(cursor.fetchone()[0])

    other = threading.Thread(target=change)
    with transaction.atomic():
        if way == "mailing":
            copies.put_off(transport.pk, [], {mailing: until}, now)
        elif way == "part":
            copies.put_off(transport.pk, [Later(work.slice, [work.copies[0].address], until.at, limits=until.limits)], {}, now)
        else:
            copies.release([work.slice], until)
        assert until.at in dues(mailing)
        other.start()
        wait_until(waits)
    other.join()
    assert until.at not in dues(mailing)
