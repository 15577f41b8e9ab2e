"""Delivery lanes with real rows and a real SMTP dialogue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.domain.mailings import CopyState, MailingState
from colporteur.domain.posts import PostState
from colporteur.domain.transports import Share
from colporteur.flow import copies, mailings
from colporteur.flow.copies import Refused
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Copy, Mailing, Refusal, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.posts import Post
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.servers.ports import free_port
from tests.servers.sink import Drop, Session, Sink
from tests.story.scenes import a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db(transaction=True)

BOUND = MOST_UNSETTLED + 2 * 20  # each connection has a body on its way and the next transaction behind it


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        yield sink


def counts(mailing: Mailing) -> dict[str, int]:
    return {name: number for name, number in mailings.totals(mailing.id).counts.items() if number}


def test_a_post_reaches_every_member_once_with_an_envelope_of_their_own(sink: Sink) -> None:
    mailing = a_mailing(a_list(members=1200))
    deliver_until(is_in(mailing, "done"))
    assert len(sink.received()) == 1200 and sink.repeated() == 0
    assert len({one.sender for one in sink.taken}) == 1200
    assert counts(mailing) == {"sent": 1200}
    sound(mailing)
    assert list(JournalEntry.objects.filter(mailing_id=mailing.id).order_by("id").values_list("event", flat=True)) == ["mailing.planned", "mailing.done"]


def test_whoever_left_or_paused_before_the_claim_gets_nothing(sink: Sink) -> None:
    list_ = a_list(members=30)
    mailing = a_mailing(list_)
    Membership.objects.filter(address__email="member-000003@members.example").update(until=timezone.now())
    Membership.objects.filter(address__email="member-000004@members.example").update(paused=True)
    deliver_until(is_in(mailing, "done"))
    assert {"member-000003@members.example", "member-000004@members.example"} & set(sink.received()) == set()
    assert counts(mailing) == {"sent": 28, "cancelled": 2}
    sound(mailing)


def test_refusals_end_as_the_reply_says_and_the_reply_is_kept(sink: Sink) -> None:
    def script(event: str, argument: str, session: Session) -> str | None:
        number = int(argument[7:13]) if event == "RCPT" else 0
        return "550 5.1.1 No such user here" if number % 4 == 1 else "450 4.2.0 Mailbox busy" if number % 4 == 2 else None

    sink.script = script
    mailing, begun = a_mailing(a_list(members=100)), timezone.now()
    deliver_until(lambda: counts(mailing) == {"sent": 50, "failed": 25, "deferred": 25})
    assert Refusal.objects.filter(code=550, text="5.1.1 No such user here").count() == 25
    assert is_in(mailing, "running")()
    sound(mailing)
    assert Slice.objects.filter(mailing=mailing, done=False).count() == 1, "retries are gathered into one slice"
    retry = Slice.objects.get(mailing=mailing, done=False)
    assert begun + timedelta(seconds=290) <= retry.due_at <= timezone.now() + timedelta(seconds=380)
    sink.script = None
    Slice.objects.filter(mailing=mailing, done=False).update(due_at=timezone.now())
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 75, "failed": 25} and sink.repeated() == 0
    sound(mailing)


def test_after_five_days_of_temporary_refusals_the_end_is_told(sink: Sink) -> None:
    sink.script = lambda event, argument, session: "450 4.2.0 Mailbox busy" if event == "RCPT" else None
    mailing = a_mailing(a_list(members=3))
    Mailing.objects.filter(id=mailing.id).update(started=timezone.now() - timedelta(days=5))
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"failed": 3}
    assert set(Refusal.objects.values_list("code", "text")) == {(450, "4.2.0 Mailbox busy")}


def test_an_unknown_outcome_is_repeated_once_with_the_same_message_id_and_never_again(sink: Sink) -> None:
    sink.script = lambda event, argument, session: Drop(keep=True) if event == "BODY" and "member-000002@members.example" in session.recipients else None
    mailing = a_mailing(a_list(members=5))
    deliver_until(lambda: counts(mailing) == {"sent": 4, "deferred": 1})
    Slice.objects.filter(mailing=mailing, done=False).update(due_at=timezone.now())
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 4, "failed": 1}
    assert sink.received()["member-000002@members.example"] == 2 and len({one.message_id for one in sink.taken}) == 1
    sound(mailing)


@pytest.mark.parametrize(("event", "answer"), [("CONNECT", "554 5.7.1 You are blocked"), ("CONNECT", "421 4.3.2 Closed"), ("MAIL", "553 5.7.1 Not your sender"), ("MAIL", "451 4.7.1 Slow down")])
def test_a_refusal_before_any_recipient_pauses_the_mailing_and_counts_for_no_copy(sink: Sink, event: str, answer: str) -> None:
    sink.script = lambda happened, argument, session: answer if happened == event else None
    list_ = a_list(members=50)
    give_role(list_, "owner", "owner@members.example")
    mailing = a_mailing(list_)
    deliver_until(is_in(mailing, "paused"))
    mailing.refresh_from_db()
    assert answer in mailing.pause_reason and mailing.resume_at
    assert counts(mailing) == {"queued": 50} and not Copy.objects.filter(mailing=mailing, attempts__gt=0).exists() and not sink.taken
    assert JournalEntry.objects.filter(mailing_id=mailing.id, event="mailing.stopped").count() == 1
    sink.script = None
    Transport.objects.update(next_try=timezone.now())
    Mailing.objects.filter(id=mailing.id).update(resume_at=timezone.now())
    deliver_until(is_in(mailing, "done"))
    assert len([one for one in sink.received() if one.startswith("member-")]) == 50 and counts(mailing) == {"sent": 50}
    sound(mailing)


@pytest.mark.parametrize("first", [Share(1, 2), Share(2, 2)])
def test_of_two_that_share_neither_stops_a_server_that_takes_only_the_others_connections(sink: Sink, first: Share) -> None:
    Transport.objects.update(connections=4)
    sink.script = lambda event, argument, session: "421 4.7.0 Too many connections" if event == "CONNECT" and sink.open > 1 else None
    mailing = a_mailing(a_list(members=2000))
    deliver_until(is_in(mailing, "done"), 120, first, beside=Share(3 - first.nth, 2))
    assert not JournalEntry.objects.filter(event__in=["mailing.stopped", "transport.trouble"]).exists()
    assert counts(mailing) == {"sent": 2000} and sink.repeated() == 0 and len(sink.sessions) > 1
    sound(mailing)


def test_a_server_nobody_reaches_is_tried_again_by_itself() -> None:
    port = free_port()
    a_transport(f"smtp://127.0.0.1:{port}")
    mailing = a_mailing(a_list(members=10))
    deliver_until(is_in(mailing, "paused"))
    transport = Transport.objects.get()
    assert transport.failures == 1 and transport.next_try and "connection" in transport.last_error
    with Sink(port=port) as sink:
        Transport.objects.update(next_try=timezone.now())
        Mailing.objects.filter(id=mailing.id).update(resume_at=timezone.now())
        deliver_until(is_in(mailing, "done"))
        assert len(sink.received()) == 10
    transport.refresh_from_db()
    assert transport.failures == 0 and transport.last_error == ""


@pytest.mark.parametrize("answer", ["554 5.7.1 <{}>: Relay access denied", "550 Spam from {} is not welcome", "451 4.7.1 {} sends too much"])
def test_twenty_alike_in_a_row_are_not_the_copies_fault(sink: Sink, answer: str) -> None:
    sink.script = lambda event, argument, session: answer.format(argument) if event == "RCPT" and len(sink.taken) >= 10 else None
    mailing = a_mailing(a_list(members=100))
    deliver_until(is_in(mailing, "paused"))
    sent = len(sink.taken)
    assert counts(mailing) == {"queued": 100 - sent, "sent": sent} and Copy.objects.filter(mailing=mailing, attempts__gt=0).count() == sent
    sound(mailing)
    sink.script = None
    assert mailings.resume(mailing.id, timezone.now(), "somebody")
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 100} and sink.repeated() == 0


def test_thirty_dead_addresses_in_a_row_are_their_own_fault(sink: Sink) -> None:
    sink.script = lambda event, argument, session: f"550 5.1.1 <{argument}> unknown" if event == "RCPT" and int(argument[7:13]) <= 30 else None
    mailing = a_mailing(a_list(members=100))
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 70, "failed": 30}


def test_nineteen_alike_and_then_one_accepted_failed_for_themselves(sink: Sink) -> None:
    sink.script = lambda event, argument, session: "554 5.7.1 No" if event == "RCPT" and int(argument[7:13]) <= 19 else None
    Transport.objects.update(connections=1)
    mailing = a_mailing(a_list(members=40))
    deliver_until(is_in(mailing, "done"))
    assert counts(mailing) == {"sent": 21, "failed": 19}


def test_pause_takes_effect_within_a_slice_and_resume_sends_the_rest_once(sink: Sink) -> None:
    sink.pause = 0.005
    mailing, at = a_mailing(a_list(members=3000)), list[int]()

    def paused() -> bool:
        if len(sink.taken) > 200 and mailings.pause(mailing.id, timezone.now(), "somebody"):
            at.append(len(sink.taken))
        return bool(at)

    deliver_until(paused)
    assert len(sink.taken) - at[0] <= 1000
    assert is_in(mailing, "paused")()
    sound(mailing)
    for _ in range(3):
        mailings.resume(mailing.id, timezone.now(), "somebody")
        before = len(sink.taken)
        deliver_until(lambda before=before: len(sink.taken) > before + 100 and mailings.pause(mailing.id, timezone.now(), "somebody"))
    mailings.resume(mailing.id, timezone.now(), "somebody")
    deliver_until(is_in(mailing, "done"))
    assert len(sink.received()) == 3000 and sink.repeated() == 0 and counts(mailing) == {"sent": 3000}
    sound(mailing)


def test_cancel_sends_no_more_and_counts_every_copy(sink: Sink) -> None:
    sink.pause = 0.005
    mailing = a_mailing(a_list(members=3000))
    deliver_until(lambda: len(sink.taken) > 200 and mailings.cancel(mailing.id, timezone.now(), "somebody"))
    assert counts(mailing) == {"sent": len(sink.taken), "cancelled": 3000 - len(sink.taken)} and len(sink.taken) < 2500
    assert is_in(mailing, "cancelled")()
    sound(mailing)


def test_a_worker_that_claims_anew_what_it_lost_itself_records_the_outcomes_of_both(sink: Sink) -> None:
    mailing = a_mailing(a_list(members=200))

    anew = threading.Event()

    def script(event: str, argument: str, session: Session) -> None:
        if event == "BODY" and len(sink.taken) == 10:
            anew.wait(60)

    def done() -> bool:
        if len(sink.taken) == 10:  # the lease is over in the middle of it all, as after a long standstill
            Slice.objects.filter(generation=1).update(lease_until=timezone.now() - timedelta(seconds=1))
        if Slice.objects.filter(generation=2).exists():
            anew.set()
        return is_in(mailing, "done")()

    sink.script = script  # type: ignore[assignment]
    deliver_until(done)
    assert len(sink.received()) == 200 and sink.repeated() <= BOUND
    assert counts(mailing) == {"sent": 200}
    sound(mailing)


def test_draining_in_the_middle_repeats_and_loses_nothing(sink: Sink) -> None:
    mailing = a_mailing(a_list(members=2000))
    for goal in (200, 600, 1100):
        deliver_until(lambda goal=goal: len(sink.taken) > goal)
        assert counts(mailing)["sent"] == len(sink.taken)
        sound(mailing)
    deliver_until(is_in(mailing, "done"))
    assert len(sink.received()) == 2000 and sink.repeated() == 0


def test_a_message_that_cannot_be_prepared_is_quarantined_and_others_flow(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = copies.prepare

    def failing(raw: bytes, rewriting: Any) -> Any:
        if b"poison" in raw:
            raise ValueError("a slot\x00 was lost")
        return prepare(raw, rewriting)

    monkeypatch.setattr(copies, "prepare", failing)
    list_ = a_list(members=20)
    bad, good = a_mailing(list_, message(subject="poison")), a_mailing(list_)
    deliver_until(lambda: is_in(good, "done")() and Mailing.objects.filter(id=bad.id, attempts=1).exists())
    for attempt in range(2, 6):
        Slice.objects.filter(mailing=bad).update(due_at=timezone.now())
        deliver_until(lambda attempt=attempt: Mailing.objects.filter(id=bad.id, attempts=attempt).exists())
    bad.refresh_from_db()
    assert bad.state == MailingState.CANCELLED and bad.error == "ValueError: a slot was lost"
    post = Post.objects.get(id=bad.post_id)
    assert post.state == PostState.QUARANTINED and "slot" in post.error
    assert len(sink.taken) == 20
    sound(bad)


def test_a_mailing_made_before_there_is_a_transport_waits_for_one() -> None:
    mailing = a_mailing(a_list(members=5))
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        deliver_until(is_in(mailing, "done"))
        assert len(sink.received()) == 5


def test_a_list_switched_off_keeps_its_copies(sink: Sink) -> None:
    list_, other = a_list(members=5), a_list("other@lists.example", members=7)
    waiting, free = a_mailing(list_), a_mailing(other)
    list_.state = "off"
    list_.save()
    deliver_until(is_in(free, "done"))
    assert counts(waiting) == {"queued": 5} and len(sink.taken) == 7
    list_.state = "active"
    list_.save()
    deliver_until(is_in(waiting, "done"))


def test_a_small_mailing_does_not_wait_for_a_large_one(sink: Sink) -> None:
    sink.pause = 0.001
    Transport.objects.update(connections=1)
    large = a_mailing(a_list(members=5000))
    deliver_until(lambda: len(sink.taken) > 20)
    small = a_mailing(a_list("small@lists.example", members=["zoe@members.example"]))
    deliver_until(is_in(small, "done"))
    assert mailings.totals(large.id).queued > 2500


def test_states_are_the_numbers_the_statements_use() -> None:
    assert [state.value for state in (CopyState.QUEUED, CopyState.DEFERRED, CopyState.SENT, CopyState.FAILED, CopyState.CANCELLED)] == [0, 1, 2, 3, 4]


def test_a_letter_passes_the_copies_of_a_slow_transport(sink: Sink) -> None:
    sink.pause = 0.001
    Transport.objects.update(connections=1)
    sent_before: list[int] = []

    def script(event: str, argument: str, session: Session) -> None:
        if event == "BODY" and "zoe@members.example" in session.recipients:
            sent_before.append(len(sink.taken))

    sink.script = script
    mailing = a_mailing(a_list(members=3000))
    letters: list[Mailing] = []

    def write() -> bool:
        if len(sink.taken) > 20 and not letters:
            with transaction.atomic():
                zoe, _ = Address.objects.get_or_create(email="zoe@members.example")
                letters.append(mailings.create_letter(message(), zoe, timezone.now(), letter="signin", subject="s", list_=None, language="en"))
        return bool(letters) and is_in(letters[0], "done")()

    deliver_until(write)
    assert sent_before and mailings.totals(mailing.id).queued > 1500
    assert [one.sender for one in sink.taken if one.recipient == "zoe@members.example"] == [""]


def test_a_transport_nobody_can_unseal_does_not_stop_the_others(sink: Sink) -> None:
    broken = Transport.objects.create(name="broken", kind="smtp", url_sealed="nonsense")
    stuck, fine = a_mailing(a_list("stuck@lists.example", members=3, transport=broken)), a_mailing(a_list(members=3))
    deliver_until(lambda: is_in(fine, "done")() and is_in(stuck, "paused")())
    stuck.refresh_from_db()
    assert "COLPORTEUR_SECRET_KEY" in stuck.pause_reason and counts(stuck) == {"queued": 3}


def test_a_recorded_acceptance_wins_over_whatever_happened_to_the_copy_meanwhile() -> None:
    """A late worker may not fail or put off a copy, but what it knows to have arrived is recorded."""
    a_transport("smtp://127.0.0.1:1")
    mailing = a_mailing(a_list(members=6))
    now = timezone.now()
    first = copies.claim(mailing.transport_id, now, 0.0)[0]
    second = copies.claim(mailing.transport_id, now, 60.0)[0]
    a, b, c, d, e, f = [due.address for due in second.copies]
    late = [Refused(a, 550, "5.1.1 No", final=True), Refused(b, 450, "4.2.0 Later")]
    assert not copies.refused(first.slice, late, now, lambda: 0.0), "it does not own the slice any more"
    assert copies.refused(second.slice, [Refused(c, 550, "5.7.1 No", final=True), Refused(d, 450, "4.2.0 Later")], now, lambda: 0.0)
    copies.accepted(first.slice, [a, c, d], 60.0, now)
    assert counts(mailing) == {"sent": 3, "queued": 3}
    copies.accepted(second.slice, [a, b], 60.0, now)
    mailings.cancel(mailing.id, now, "somebody")
    copies.accepted(second.slice, [e], 60.0, now)
    assert counts(mailing) == {"sent": 5, "cancelled": 1} and Copy.objects.get(mailing=mailing, address_id=f).state == CopyState.CANCELLED
    sound(mailing)


def test_a_mailing_whose_worker_died_after_its_last_outcome_is_ended_by_the_next_look(sink: Sink) -> None:
    mailing = a_mailing(a_list(members=3))
    deliver_until(is_in(mailing, "done"))
    Mailing.objects.filter(id=mailing.id).update(state=MailingState.RUNNING, finished=None)
    copies.sweep(timezone.now())
    assert is_in(mailing, "done")()


@pytest.mark.parametrize("cause", ["locked", "cancelled"])
def test_acceptances_the_ledger_cannot_simply_write_are_written_on_a_thread(sink: Sink, cause: str) -> None:
    mailing = a_mailing(a_list(members=60))
    release, taken = threading.Event(), threading.Event()

    def interfere() -> None:
        """Hold every copy for longer than the ledger waits, or cancel them all while they are accepted."""
        try:
            with transaction.atomic():
                if cause == "locked":
                    list(Copy.objects.select_for_update().filter(mailing=mailing))
                else:
                    mailings.cancel(mailing.id, timezone.now(), "somebody")
                taken.set()
                release.wait(1.5)
        finally:
            connection.close()

    def script(event: str, argument: str, session: Session) -> str | None:
        if event == "RCPT" and not taken.is_set():
            other.start()
            taken.wait(5)
        return None

    other = threading.Thread(target=interfere)
    sink.script = script
    deliver_until(is_in(mailing, "done", "cancelled"))
    release.set()
    other.join()
    received = len(sink.received())
    assert sink.repeated() == 0 and counts(mailing).get("sent") == received
    assert received == 60 or cause == "cancelled"
    sound(mailing)
