"""What lanes claim and in which turn, with real rows and a real SMTP dialogue: nobody waits behind a large mailing, and what
is steered stops within a few copies. Copies are counted, not seconds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.daemons.room import AHEAD, LARGE_HELD
from colporteur.daemons.work import _as_worker
from colporteur.domain.mailings import CopyState, Priority
from colporteur.flow import copies, mailings, memberships, organisations, transports
from colporteur.store import copies as store
from colporteur.store.copies import SLICE, Claimed, Room
from colporteur.store.copies import planning as ranges
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.servers.sink import Sink
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = 10_000
FEW = 200
"""Copies that may leave meanwhile: turns of the others, what connections have taken, what leaves while a claim is made."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A slow server that is sent one copy at a time."""
    with Sink(pause=0.002) as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        Transport.objects.update(connections=1)
        yield sink


def begun_while(sink: Sink, others: Callable[[], object], begin: Callable[[], Mailing]) -> tuple[int, Mailing]:
    """How many copies of others left between the beginning of a mailing and its end, while the others were leaving."""
    others()
    begun: list[tuple[int, Mailing]] = []

    def ended() -> bool:
        if not begun and len(sink.taken) > 50:
            mailing = begin()
            begun.append((len(sink.taken), mailing))  # from now on it may be claimed
        return bool(begun) and is_in(begun[0][1], "done")()

    deliver_until(ended, 90)
    at, mailing = begun[0]
    last = max(place for place, one in enumerate(sink.taken) if one.recipient.endswith("@few.example"))
    return last + 1 - at, mailing


@pytest.mark.parametrize("template", ["discussion", "newsletter"])
def test_a_list_of_ten_does_not_wait_for_a_large_one(sink: Sink, template: str) -> None:
    large = a_list("large@lists.example", members=LARGE, template=template)
    ten = a_list("ten@lists.example", members=[f"{number}@few.example" for number in range(10)])
    left, mailing = begun_while(sink, lambda: a_mailing(large), lambda: a_mailing(ten))
    assert left <= 10 + FEW
    sound(mailing)


def test_a_list_of_ten_does_not_wait_for_many_lists(sink: Sink) -> None:
    """Lists together have more copies than a lane holds."""

    def many() -> None:
        for number in range(6):
            a_mailing(a_list(f"large-{number}@lists.example", members=1500))

    ten = a_list("ten@lists.example", members=[f"{number}@few.example" for number in range(10)])
    left, _ = begun_while(sink, many, lambda: a_mailing(ten))
    assert left <= 10 + 6 * 40 + FEW  # each of the others has a turn


def test_letters_pass_everything_also_when_many_wait(sink: Sink) -> None:
    def letter(number: int) -> Mailing:
        with transaction.atomic():
            address, _ = Address.objects.get_or_create(email=f"{number}@few.example" if number == 0 else f"{number}@members.example")
            return mailings.create_letter(b"From: a@b.example\r\n\r\nx\r\n", address, timezone.now(), letter="signin", subject="s", list_=None, language="en")

    def others() -> None:
        a_mailing(a_list("large@lists.example", members=LARGE))
        for number in range(1, 60):
            letter(number)

    left, _ = begun_while(sink, others, lambda: letter(0))
    assert left <= 60 + FEW


def test_a_newsletter_gives_way_to_a_discussion_and_still_goes_on(sink: Sink) -> None:
    news = a_mailing(a_list("news@lists.example", members=3000, template="newsletter"))
    talk = a_mailing(a_list("talk@lists.example", members=3000))
    assert (news.priority, talk.priority) == (Priority.NEWSLETTER, Priority.POST)
    deliver_until(lambda: len(sink.taken) > 400, 60)
    sent = {mailing.id: mailings.totals(mailing.id).sent for mailing in (news, talk)}
    assert 0 < sent[news.id] < sent[talk.id]


def test_memory_is_bounded_however_many_lists_have_much(sink: Sink) -> None:
    sink.pause = 0.05
    for number in range(40):
        a_mailing(a_list(f"list-{number}@lists.example", members=150))
    held: list[int] = []

    def looked() -> bool:
        held.append(sum(Slice.objects.filter(lease_until__isnull=False, done=False).values_list("size", flat=True)))
        return sum(size > AHEAD for size in held) > 30

    deliver_until(looked)
    assert max(held) <= LARGE_HELD + SLICE


def pause(mailing: Mailing) -> None:
    mailings.pause(mailing.id, timezone.now(), "somebody")


def cancel(mailing: Mailing) -> None:
    mailings.cancel(mailing.id, timezone.now(), "somebody")


def switch_domain_off(mailing: Mailing) -> None:
    assert mailing.list and mailing.list.domain
    organisations.disable(mailing.list.domain, timezone.now(), by="somebody")


def switch_list_off(mailing: Mailing) -> None:
    List.objects.filter(id=mailing.list_id).update(state="off")


def switch_transport_off(mailing: Mailing) -> None:
    transports.switch(Transport.objects.get(), False, timezone.now(), by="somebody")


@pytest.mark.parametrize("steer", [pause, cancel, switch_domain_off, switch_list_off, switch_transport_off])
def test_what_is_steered_stops_within_a_few_copies(sink: Sink, steer: Callable[[Mailing], None]) -> None:
    sink.pause = 0.01
    mailing = a_mailing(a_list(members=3000))
    at: list[int] = []

    def given_back() -> bool:
        if not at and len(sink.taken) > 20:
            steer(mailing)
            at.append(len(sink.taken))
        return bool(at) and not Slice.objects.filter(done=False, lease_until__isnull=False).exists()

    deliver_until(given_back)
    assert len(sink.taken) - at[0] <= 64
    sound(mailing)
    totals = mailings.totals(mailing.id)
    assert totals.sent == len(sink.taken) and totals.queued + totals.cancelled == 3000 - totals.sent


def test_who_leaves_while_a_worker_holds_their_copy_gets_none(sink: Sink) -> None:
    """A slice is held as long as its copies take to leave, which may be hours at an even pace."""
    list_ = a_list(members=400)
    mailing = a_mailing(list_)
    last = Copy.objects.filter(mailing=mailing).select_related("address").latest("address_id").address
    left: list[bool] = []

    def done() -> bool:
        if not left and len(sink.taken) > 20:
            left.append(memberships.leave(list_, last, timezone.now(), by="story"))
        return is_in(mailing, "done")()

    deliver_until(done)
    sound(mailing)
    assert left == [True] and last.email not in sink.received() and len(sink.received()) == len(sink.taken) == 399
    assert Copy.objects.get(mailing=mailing, address=last).state == CopyState.CANCELLED


def test_small_slices_are_claimed_beside_much_and_nothing_beside_too_much() -> None:
    a_transport("smtp://127.0.0.1:1")
    transport = Transport.objects.get().id
    for name, members in (("large", 700), ("small", 5)):
        a_mailing(a_list(f"{name}@lists.example", members=members))
    now, post = timezone.now(), int(Priority.POST)

    def sizes(room: Room) -> list[int]:
        with transaction.atomic():
            found = sorted(len(work.copies) for work in copies.claim(transport, now, 60.0, room))
            transaction.set_rollback(True)
        return found

    large = List.objects.get(address="large@lists.example").id
    assert sizes(Room()) == [500] and sizes(Room(copies=1000)) == [5, 500]
    assert sizes(Room(full=[post])) == [5] and sizes(Room(closed=[post])) == []
    assert sizes(Room(held={(post, large): 10})) == [5, 500], "the list it holds less of comes first"
    assert sizes(Room(crowded=[post], held={(post, large): 10})) == [5]
    assert sizes(Room(enough=10, held={(post, large): 10})) == [5]
    assert sizes(Room(enough=10, held={(int(Priority.LETTER), large): 10})) == [500]


def test_a_claim_looks_at_few_rows_however_many_wait() -> None:
    """Paused mailings, leased slices and slices put off cost nothing, or one look at the index."""
    a_transport("smtp://127.0.0.1:1")
    transport, now = Transport.objects.get().id, timezone.now()
    connection.close()  # and with it plans that were kept from other tests
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET jit = off")  # as workers do
    paused, later = a_mailing(a_list("paused@lists.example", members=2)), a_mailing(a_list("later@lists.example", members=2))
    pause(paused)
    going = a_mailing(a_list(members=1200))
    with connection.cursor() as cursor:
        insert = "INSERT INTO slice SELECT (jsonb_populate_record(s, jsonb_build_object('number', n, 'due_at', %s::timestamptz))).* FROM slice s, generate_series(1, 1000) n WHERE mailing_id = %s"
        cursor.execute(insert, [None, paused.id])
        cursor.execute(insert, [now + timedelta(hours=1), later.id])
    assert {work.slice.mailing for work in copies.claim(transport, now, 60.0)} == {later.id, going.id}
    read = rows_read(lambda: copies.claim(transport, now, 60.0))
    assert Slice.objects.filter(mailing=going, lease_until__isnull=False).count() == 2 and 0 < read < 100
    connection.close()


ALREADY = 10
"""Executions after which the driver has prepared a statement and PostgreSQL keeps its plan."""


@pytest.mark.parametrize("known", ["nothing was ever sent", "letters"])
@pytest.mark.parametrize("prepared", ["before", "after"])
def test_with_a_plan_kept_from_when_there_was_little_few_rows_are_read(known: str, prepared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tables with thousands: what workers ask for slices and copies of them, however long ago PostgreSQL had a look at the tables."""
    monkeypatch.setattr(ranges, "SLICE", 60)
    transport, now = a_transport("smtp://127.0.0.1:1").pk, timezone.now()
    lists = [a_list(f"{name}@lists.example", members=2000) for name in ("large", "larger")]
    if known == "letters":
        for number in range(60):
            with transaction.atomic():
                address = Address.objects.get(email=f"member-{number + 1:06}@members.example")
                mailings.create_letter(b"From: a@b.example\r\n\r\nx\r\n", address, now, letter="signin", subject="s", list_=None, language="en")
        Slice.objects.update(done=True, cancelled=1)
    connection.close()
    _as_worker(connection)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE slice, copy_row")
    if prepared == "before":
        for statement in (*statements(transport, 1, [1, 2, 3], now), *statements(transport, 2, [], now)):
            for _ in range(ALREADY):
                statement()
    both = [a_mailing(list_) for list_ in lists]
    with connection.cursor() as cursor:
        old = "INSERT INTO slice SELECT (jsonb_populate_record(s, jsonb_build_object('number', 1000 + n, 'done', true))).* FROM slice s, generate_series(1, 2000) n WHERE mailing_id = ANY (%s) AND number = 1"
        cursor.execute(old, [[mailing.pk for mailing in both]])
    for mailing in both:
        addresses = list(Copy.objects.filter(mailing=mailing, slice=1).order_by("address").values_list("address_id", flat=True))
        for statement in statements(transport, mailing.pk, addresses[:10], now):
            for _ in range(ALREADY if prepared == "after" else 0):
                statement()
            assert rows_read(statement, "slice", "copy_row", "membership") < 1000, inspect.getsource(statement)
    connection.close()


def statements(transport: int, mailing: int, addresses: list[int], now: datetime) -> list[Callable[[], object]]:
    """What a worker asks and changes of slices by their numbers, of copies by their addresses. Each may be done again and again."""
    slices = [Claimed(mailing, number, 0) for number in (1, 2)]
    one, codes, later = slices[0], dict.fromkeys(addresses, 450), now + timedelta(hours=1)

    def accepted_rows() -> None:
        with psycopg.RawCursor(connection.connection) as cursor:
            cursor.execute(store.ACCEPTED_ROWS, [*one, store.array(addresses), 60.0])

    return [
        lambda: store.ripen(now),
        lambda: store.claim(transport, now, 60.0, Room(copies=80)),
        lambda: store.renew(slices, 60.0),
        lambda: store.release(slices),
        lambda: store.copies_of(slices, now),
        lambda: store.went_on(dict.fromkeys([slice_[:2] for slice_ in slices], 0)),
        lambda: store.tried(one, addresses),
        accepted_rows,
        lambda: store.put_off(one, addresses[:1], later),
        lambda: store.defer(one, codes, later, now),
        lambda: store.failed(one, codes),
        lambda: store.cancel_absent(mailing, one.number, addresses),
        lambda: store.accepted(one, addresses, 60.0),
        lambda: store.accepted_late(mailing, addresses),
    ]


def rows_read(work: Callable[[], object], *tables: str) -> int:
    """Rows of some tables, of the one of slices if not said, that statements read, through indexes or without."""
    question = "SELECT pg_stat_get_xact_tuples_returned(o) + pg_stat_get_xact_tuples_fetched(o) FROM (SELECT unnest(%s::regclass[])::oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = ANY (%s::regclass[])) _ (o)"
    names = [list(tables or ["slice"])] * 2
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(question, names)
        before = sum(row[0] for row in cursor.fetchall())
        work()
        cursor.execute(question, names)
        return int(sum(row[0] for row in cursor.fetchall()) - before)
