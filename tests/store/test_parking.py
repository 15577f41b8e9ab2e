"""Who claims does not look at mailings that are paused, however many, and finds them again when they go on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from colporteur.domain.mailings import MailingState
from colporteur.flow import clock, mailings
from colporteur.flow import copies as flow
from colporteur.store import copies, routes
from colporteur.store.clock import Clock
from colporteur.store.copies import audience
from colporteur.store.mailings import Mailing, Slice
from tests.daemons.delivering import a_mailing
from tests.servers.ports import wait_until
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


def test_a_clock_set_back_by_a_year_neither_loses_what_was_put_aside_nor_lets_go_what_waits_for_a_sample() -> None:
    a_transport("smtp://127.0.0.1:1")
    list_ = a_list(members=1)
    aside, held = a_mailing(list_), a_mailing(list_)
    for one in (aside, held):
        assert mailings.pause(one.pk, timezone.now(), "somebody")
    assert flow.put_aside(timezone.now()) == 2
    Slice.objects.filter(mailing=held).update(due_at=datetime(9999, 1, 1, tzinfo=UTC))
    clock.look()
    Clock.objects.update(latest=timezone.now() + timedelta(days=400))
    assert clock.look()
    for one in (aside, held):
        assert mailings.resume(one.pk, timezone.now(), "somebody")
    assert Slice.objects.get(mailing=aside).due_at is None
    assert Slice.objects.get(mailing=held).due_at == datetime(9999, 1, 1, tzinfo=UTC)


def test_a_sample_that_was_put_aside_has_not_left() -> None:
    a_transport("smtp://127.0.0.1:1")
    mailing = a_mailing(a_list(members=1))
    assert mailings.pause(mailing.pk, timezone.now(), "somebody") and flow.put_aside(timezone.now()) == 1
    assert audience.sample_waits(mailing.pk)


@pytest.mark.django_db(transaction=True)
def test_whoever_lets_a_mailing_go_on_is_not_refused_while_its_slices_change_over() -> None:
    transport, now = a_transport("smtp://127.0.0.1:1"), timezone.now()
    mailing = a_mailing(a_list(members=1))
    Mailing.objects.filter(pk=mailing.pk).update(state=MailingState.PAUSED, resume_at=now)
    assert flow.put_aside(now) == 1
    said: list[object] = []

    def let_go() -> None:
        try:
            said.append(mailings.resume(mailing.pk, now, "somebody"))
        except OperationalError as error:
            said.append(error)
        finally:
            connection.close()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            return bool(cursor.fetchone()[0])

    other = threading.Thread(target=let_go)

    @transaction.atomic
    def change_over() -> None:
        """As ``flow.routes`` does: slices first, then the mailing."""
        routes.place([mailing.pk], [transport.pk], kept=False)
        if not other.ident:
            other.start()
            wait_until(waits)
        Mailing.objects.filter(pk=mailing.pk, state=MailingState.PAUSED).update(state=MailingState.RUNNING, resume_at=None)

    copies.unlocked(change_over)
    other.join()
    assert isinstance(said[0], bool), said
    assert Mailing.objects.get(pk=mailing.pk).state == MailingState.RUNNING and Slice.objects.get(mailing=mailing).due_at is None
