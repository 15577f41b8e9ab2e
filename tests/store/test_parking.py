"""Who claims does not look at mailings that are paused, however many, and finds them again when they go on."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from colporteur.domain.mailings import MailingState
from colporteur.flow import copies as flow
from colporteur.flow import mailings
from colporteur.store import copies
from colporteur.store.mailings import Mailing, Slice
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db


def looked_at() -> int:
    """Rows of mailings this transaction has read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'mailing'")
        return int(cursor.fetchone()[0])


def claimed(transport: int, most: int = 100) -> set[int]:
    return {work.slice.mailing for work in flow.claim(transport, timezone.now(), 60.0, copies.Room(copies=most))}


def test_a_claim_looks_at_no_paused_mailing_and_finds_each_again_however_it_goes_on() -> None:
    transport = a_transport("smtp://127.0.0.1:1")
    list_ = a_list(members=3)
    paused = [a_mailing(list_) for _number in range(20)]
    held = claimed(transport.pk, most=1)
    for mailing in paused:
        assert mailings.pause(mailing.pk, timezone.now(), "somebody")
    assert flow.put_aside(timezone.now()) == 19 and not flow.put_aside(timezone.now())
    running = a_mailing(list_)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE slice; ANALYZE mailing")  # else the planner may know these tables from when they were empty
    before = looked_at()
    assert claimed(transport.pk) == {running.pk} and looked_at() - before < 10
    assert Slice.objects.filter(mailing__in=paused, due_at=None).count() == len(held) == 1, "a worker holds it still"
    first, *others = (mailing.pk for mailing in paused if mailing.pk not in held)
    assert mailings.resume(first, timezone.now(), "somebody") and claimed(transport.pk) == {first}
    Mailing.objects.filter(pk__in=others[:2]).update(state=MailingState.RUNNING)
    assert claimed(transport.pk) == set(others[:2])
    assert mailings.cancel(others[2], timezone.now(), "somebody") and copies.counts([others[2]])[others[2]].cancelled == 3
