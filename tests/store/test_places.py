"""Copies that left at the first attempt are bits of their slice; whoever asks sees each one's state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.domain.mailings import CopyState
from colporteur.flow import copies as flow
from colporteur.flow import mailings
from colporteur.store import copies
from colporteur.store.copies import ACCEPTED_PLACES, Claimed, Due
from colporteur.store.mailings import Copy, CopyRow, Mailing, Slice
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailing() -> Mailing:
    a_transport("smtp://127.0.0.1:1")
    return a_mailing(a_list(members=12))


def claimed(mailing: Mailing) -> flow.Work:
    [work] = flow.claim(mailing.transport_id or 0, timezone.now(), 60.0)
    return work


def accept(slice_: Claimed, given: Sequence[Due]) -> int:
    """As the ledger of a worker does; how many changed."""
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE placed AS {ACCEPTED_PLACES}")
        cursor.execute("EXECUTE placed (%s, %s, %s, %s, 60)", [*slice_, copies.bits([due.place for due in given])])
        found = cursor.fetchall()
        cursor.execute("DEALLOCATE placed")
    return found[0][0] if found else 0


def states(mailing: Mailing) -> dict[str, int]:
    """How many copies stand how; the totals of the slices, rows and bits must say the same."""
    found = Counter(CopyState(state).name.lower() for state in Copy.objects.filter(mailing=mailing).values_list("state", flat=True))
    totals = mailings.totals(mailing.pk).counts
    assert {name: number for name, number in totals.items() if number} == found
    for slice_ in Slice.objects.filter(mailing=mailing):
        queued = Copy.objects.filter(mailing=mailing, slice=slice_.number, state=CopyState.QUEUED).count()
        assert slice_.open is None or slice_.open.count("1") == queued
        assert slice_.done == (queued + Copy.objects.filter(mailing=mailing, slice=slice_.number, state=CopyState.DEFERRED).count() == 0)
    return dict(found)


def test_acceptances_change_one_row_and_everybody_sees_them(mailing: Mailing) -> None:
    work = claimed(mailing)
    assert accept(work.slice, work.copies[:5]) == 5 and states(mailing) == {"queued": 7, "sent": 5}
    copy = Copy.objects.get(mailing=mailing, address=work.copies[0].address)
    assert (copy.state, copy.attempts, copy.code) == (CopyState.SENT, 1, 250)
    assert not CopyRow.objects.filter(mailing=mailing).exclude(state=0).exists()
    assert {due.address for due in copies.copies_of([work.slice], timezone.now())} == {due.address for due in work.copies[5:]}


def test_an_acceptance_is_recorded_once_and_all_of_a_batch_or_none(mailing: Mailing) -> None:
    work = claimed(mailing)
    assert accept(work.slice, work.copies[:5]) == 5
    assert accept(work.slice, work.copies[3:8]) == 0 and states(mailing) == {"queued": 7, "sent": 5}
    flow.accepted(work.slice, [due.address for due in work.copies[3:8]], 60.0, timezone.now())
    assert states(mailing) == {"queued": 4, "sent": 8}
    flow.accepted(work.slice, [due.address for due in work.copies], 60.0, timezone.now())
    assert states(mailing) == {"sent": 12}


def test_what_is_refused_put_off_or_cancelled_leaves_its_place(mailing: Mailing) -> None:
    work, now = claimed(mailing), timezone.now()
    accept(work.slice, work.copies[:3])
    a, b, c, d, e = (due.address for due in work.copies[2:7])
    flow.refused(work.slice, [flow.Refused(a, 550, "no", final=True), flow.Refused(b, 550, "no", final=True), flow.Refused(c, 450, "later")], now, lambda: 0.5)
    assert states(mailing) == {"sent": 3, "failed": 1, "deferred": 1, "queued": 7}, "an accepted copy is not failed by a late refusal"
    flow.put_off(mailing.transport_id or 0, [flow.Later(work.slice, [a, d], now + timedelta(hours=1))], {}, now)
    copies.cancel_absent(mailing.pk, work.slice.number, [a, e])
    assert states(mailing) == {"sent": 3, "failed": 1, "deferred": 1, "queued": 6, "cancelled": 1}
    assert mailings.cancel(mailing.pk, now, "somebody")
    found = Counter(Copy.objects.filter(mailing=mailing).values_list("state", flat=True))
    assert found == {CopyState.SENT: 3, CopyState.FAILED: 1, CopyState.CANCELLED: 8}
    assert accept(work.slice, work.copies[6:9]) == 0
    flow.accepted(work.slice, [due.address for due in work.copies[4:9]], 60.0, now)
    assert states(mailing) == {"sent": 8, "failed": 1, "cancelled": 3}, "what arrived is recorded, whatever became of it meanwhile"


def test_the_view_may_be_written(mailing: Mailing) -> None:
    work = claimed(mailing)
    accept(work.slice, work.copies[:2])
    with transaction.atomic():
        Copy.objects.filter(mailing=mailing, address__in=[due.address for due in work.copies[1:3]]).update(state=CopyState.FAILED, code=550)
        copies.recount(mailing.pk, work.slice.number)
    assert states(mailing) == {"sent": 1, "failed": 2, "queued": 9}
    Copy.objects.filter(mailing=mailing).delete()
    assert not CopyRow.objects.exists()
