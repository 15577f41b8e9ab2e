"""Whatever workers, owners and time do to a mailing, in whatever order: rows, bits and totals say the same, nobody is missed, and no
copy whose acceptance is recorded is given out again."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.domain.mailings import CopyState, MailingState
from colporteur.flow import copies as flow
from colporteur.flow import mailings, planning
from colporteur.store import copies, routes
from colporteur.store.buckets import Until
from colporteur.store.copies import ACCEPTED_PLACES, ACCEPTED_ROWS, Claimed, Due, Standing, settling
from colporteur.store.copies import planning as ranges
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from tests.daemons.delivering import a_mailing
from tests.servers.ports import wait_until
from tests.story.scenes import a_list, a_transport

MEMBERS, SLICE = 60, 9

_TELL = """
-- Of each slice: what its totals say, and what its copies do.
SELECT s.number, s.done, s.size, s.sent, s.failed, s.cancelled, s.deferred, coalesce(bit_count(s.open), 0),
       count(c.address_id), count(*) FILTER (WHERE c.state = 2), count(*) FILTER (WHERE c.state = 3), count(*) FILTER (WHERE c.state = 4), count(*) FILTER (WHERE c.state = 1),
       count(*) FILTER (WHERE c.state = 0 AND r.place IS NOT NULL), count(DISTINCT r.place) = count(r.place)
  FROM slice s LEFT JOIN copy c ON c.mailing_id = s.mailing_id AND c.slice = s.number LEFT JOIN copy_row r ON r.mailing_id = c.mailing_id AND r.address_id = c.address_id
 WHERE s.mailing_id = %s GROUP BY s.mailing_id, s.number ORDER BY s.number
"""


def true_to_its_copies(mailing: Mailing, accepted: set[int]) -> None:
    """Totals, bits and rows agree; a slice is done when nothing of it is open, and only then; who was accepted is."""
    with connection.cursor() as cursor:
        cursor.execute(_TELL, [mailing.pk])
        told = cursor.fetchall()
    for number, done, *totals_and_copies, apart in told:
        totals, found = totals_and_copies[:6], totals_and_copies[6:]
        assert totals == found, f"slice {number}: size, sent, failed, cancelled, deferred, open bits {totals}, of its copies {found}"
        assert done == (sum(found[1:4]) == found[0]) and apart, f"slice {number}"
    assert sum(row[2] for row in told) == MEMBERS == Copy.objects.filter(mailing=mailing).count()
    assert set(Copy.objects.filter(mailing=mailing, state=CopyState.SENT).values_list("address", flat=True)) == accepted
    assert Mailing.objects.filter(pk=mailing.pk, state=MailingState.PAUSED).exists() or not Slice.objects.filter(mailing=mailing, done=False, due_at=copies.PARKED).exists(), "put aside, and it is not paused"
    if Mailing.objects.filter(pk=mailing.pk, state=MailingState.DONE).exists():
        assert all(row[1] for row in told), "done while something is open"


class Worker:
    """Does to a mailing what the parts of a worker, owners and time do, by chance. ``accepted``: recorded, by address; several may share it."""

    def __init__(self, mailing: Mailing, ways: list[int], chance: random.Random, accepted: set[int]) -> None:
        self.mailing, self.ways, self.chance, self.accepted = mailing, ways, chance, accepted
        self.now = timezone.now()
        self.held: list[tuple[Claimed, list[Due]]] = []  # those it lost, too: their outcomes come late
        self.did: Counter[str] = Counter()

    def step(self) -> None:
        """One thing, by chance."""
        acts: list[tuple[int, Callable[[], object]]] = [
            (8, self.claim), (12, self.accept), (5, self.refuse), (4, self.put_off), (3, self.release), (3, self.lose), (2, self.renew),
            (2, self.later), (1, self.absent), (1, self.pause), (1, self.park), (2, self.move), (1, self.shut),
        ]  # fmt: skip
        [(_, act)] = self.chance.choices(acts, [weight for weight, _ in acts])
        act()
        self.did[act.__name__] += 1

    def claim(self) -> bool:
        before = set(self.accepted)
        works = flow.claim(self.chance.choice(self.ways), self.now, 60.0)
        for work in works:
            assert not before & {due.address for due in work.copies}, "given out again although accepted"
            self.held.append((work.slice, work.copies))
        return bool(works)

    def accept(self, everything: bool = False) -> None:
        if self.held:
            slice_, dues = self.held.pop() if everything else self.chance.choice(self.held)
            self._record(slice_, dues if everything else self._some(dues))

    def _record(self, slice_: Claimed, dues: list[Due]) -> None:
        """As ``daemons.settling``: in one statement, else on a thread."""
        placed, addresses = all(due.place >= 0 for due in dues), [due.address for due in dues]
        settled = copies.bits([due.place for due in dues]) if placed else copies.array(addresses)
        connection.ensure_connection()
        with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
            cursor.execute(ACCEPTED_PLACES if placed else ACCEPTED_ROWS, [*slice_, settled, 60.0])
            found = cursor.fetchall()
        standing = Standing(*found[0]) if found else Standing(0, False, 0, "")
        if standing.changed < len(dues):
            flow.accepted(slice_, addresses, 60.0, self.now)
        elif standing.done:
            flow.finish(slice_.mailing, self.now)
        self.accepted.update(addresses)

    def refuse(self) -> None:
        if self.held:
            slice_, dues = self.chance.choice(self.held)
            kinds = [(550, True, False), (450, False, False), (0, False, True)]
            drawn = [(due.address, self.chance.choice(kinds)) for due in self._some(dues)]
            refusals = [flow.Refused(address, code, "words", final=final, unknown=unknown) for address, (code, final, unknown) in drawn]
            flow.refused(slice_, refusals, self.now, lambda: 0.0)

    def put_off(self) -> None:
        if self.held:
            slice_, dues = self.chance.choice(self.held)
            wait = timedelta(minutes=self.chance.choice([10, 60]))
            until = {self.mailing.pk: Until(self.now + wait)} if self.chance.random() < 0.2 else {}
            flow.put_off(self.chance.choice(self.ways), [flow.Later(slice_, [due.address for due in self._some(dues)], self.now + wait)], until, self.now)

    def release(self) -> None:
        if self.held:
            slice_, _ = self.held[self.chance.randrange(len(self.held))]
            flow.release([slice_], self.chance.choice([None, Until(self.now + timedelta(minutes=1))]))

    def lose(self) -> None:
        """A lease is over; its worker does not know."""
        Slice.objects.filter(mailing=self.mailing, number=self.chance.randrange(12)).update(lease_until=timezone.now() - timedelta(seconds=1))

    def renew(self) -> None:
        still = flow.renew([slice_ for slice_, _ in self.held], 60.0)
        assert len({slice_[:2] for slice_ in still}) == len(still), "two generations own a slice"

    def later(self) -> None:
        self.now += timedelta(minutes=self.chance.choice([2, 30, 200]))

    def absent(self) -> None:
        """Somebody leaves."""
        address = self.chance.choice(list(Copy.objects.filter(mailing=self.mailing).values_list("address", flat=True)))
        Membership.objects.filter(address=address).update(until=self.now)

    def pause(self) -> None:
        (mailings.pause if self.chance.random() < 0.4 else mailings.resume)(self.mailing.pk, self.now, "somebody")

    def park(self) -> None:
        copies.park()

    def move(self) -> None:
        routes.place([self.mailing.pk], self.chance.sample(self.ways, self.chance.choice([1, 2])), kept=self.chance.random() < 0.5)

    def shut(self) -> None:
        """An owner abandons it, seldom."""
        if self.chance.random() < 0.15:
            mailings.cancel(self.mailing.pk, self.now, "somebody")
            planning.cancel_due(self.now)

    def end(self) -> None:
        """Everything that is open leaves."""
        for _ in range(100):
            mailings.resume(self.mailing.pk, self.now, "somebody")
            Slice.objects.filter(mailing=self.mailing, done=False).update(lease_until=None, due_at=None)
            while self.held:
                self.accept(everything=True)
            flow.sweep(self.now)
            claimed = [self.claim() for _ in range(4)]
            if not any(claimed) and not Slice.objects.filter(mailing=self.mailing, done=False).exists():
                break
        assert Mailing.objects.get(pk=self.mailing.pk).state in (MailingState.DONE, MailingState.CANCELLED)

    def _some(self, dues: list[Due]) -> list[Due]:
        return self.chance.sample(dues, self.chance.randrange(1, len(dues) + 1))


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "SLICE", SLICE)
    monkeypatch.setattr(settling, "SLICE", SLICE)


def scene() -> tuple[Mailing, list[int]]:
    ways = [a_transport("smtp://127.0.0.1:1").pk, a_transport("smtp://127.0.0.1:2", "other", default=False).pk]
    mailing = a_mailing(a_list(members=MEMBERS))
    assert Slice.objects.filter(mailing=mailing).count() == -(-MEMBERS // SLICE)
    return mailing, ways


@pytest.mark.django_db
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("seed", range(4))
def test_one_after_the_other(seed: int) -> None:
    mailing, ways = scene()
    worker = Worker(mailing, ways, random.Random(seed), set())
    for _ in range(120):
        worker.step()
        true_to_its_copies(mailing, worker.accepted)
    worker.end()
    true_to_its_copies(mailing, worker.accepted)
    assert worker.did["accept"] and worker.did["claim"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_slices")
def test_at_the_same_time() -> None:
    mailing, ways = scene()
    accepted: set[int] = set()
    workers = [Worker(mailing, ways, random.Random(seed), accepted) for seed in range(4)]
    failures: list[BaseException] = []

    def work(worker: Worker) -> None:
        try:
            for _ in range(60):
                copies.unlocked(worker.step)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[worker]) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    true_to_its_copies(mailing, accepted)
    for worker in workers:
        worker.end()
    true_to_its_copies(mailing, accepted)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_slices")
def test_an_acceptance_that_comes_while_its_copy_moves_to_a_new_slice_counts_there() -> None:
    mailing, _ways = scene()
    now, ended = timezone.now(), threading.Event()
    work = flow.claim(mailing.transport_id or 0, now, 60.0)[0]
    moved = [due.address for due in work.copies[:3]]
    assert flow.refused(work.slice, [flow.Refused(address, 450, "Later") for address in moved], now, lambda: 0.0)
    now += timedelta(hours=1)
    Slice.objects.filter(mailing=mailing, deferred__gt=0).update(due_at=None)
    again = next(work for works in iter(lambda: flow.claim(mailing.transport_id or 0, now, 60.0), []) for work in works if work.copies[0].address in moved)

    def late() -> None:
        try:
            flow.accepted(work.slice, moved[:1], 60.0, now)
        finally:
            ended.set()
            connection.close()

    def meets() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            return ended.is_set() or bool(cursor.fetchone()[0])

    other = threading.Thread(target=late)
    with transaction.atomic():
        copies.lock_mailing(mailing.pk)
        copies.defer(again.slice, dict.fromkeys(moved, 450), now + timedelta(minutes=5), now)
        other.start()
        wait_until(meets)
    other.join()
    true_to_its_copies(mailing, set(moved[:1]))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(("meanwhile", "number", "generation"), [("given back", 0, 2), ("settled", 1, 1), ("claimed", 1, 1)])
def test_a_slice_that_changes_while_it_is_claimed_is_claimed_once_as_it_is_then(meanwhile: str, number: int, generation: int) -> None:
    """A claim finds a slice whose lease was over; before it has it somebody else changes it. What it has locked it has claimed."""
    mailing, [transport, _] = scene()
    now, found, ended = timezone.now(), list[copies.Offer](), threading.Event()
    [work] = flow.claim(transport, now, 60.0, copies.Room(copies=1))
    Slice.objects.filter(mailing=mailing, number=0).update(lease_until=now - timedelta(seconds=1))

    def late() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET search_path = stopped, pg_catalog, public")
            found.extend(copies.claim(transport, now, 60.0, copies.Room(copies=1)))
        finally:
            ended.set()
            connection.close()

    def waits() -> bool:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
        return ended.is_set() or bool(cursor.fetchone()[0])

    other = threading.Thread(target=late)
    with connection.cursor() as cursor:
        cursor.execute(_STOPPED)
        try:
            cursor.execute("SELECT pg_advisory_lock(7)")
            other.start()
            wait_until(waits)
            assert not ended.is_set()
            if meanwhile == "given back":
                flow.release([work.slice])
            elif meanwhile == "settled":  # which renews the lease
                assert flow.accepted(work.slice, [due.address for due in work.copies[:2]], 60.0, now).changed == 2
            else:
                assert [offer.claimed for offer in copies.claim(transport, now, 60.0, copies.Room(copies=1))] == [(mailing.pk, 0, 2)]
            cursor.execute("SELECT pg_advisory_unlock(7)")
            other.join()
        finally:
            cursor.execute("SELECT pg_advisory_unlock_all()")
            cursor.execute("DROP SCHEMA stopped CASCADE")
    assert [offer.claimed for offer in found] == [(mailing.pk, number, generation)]


_STOPPED = """
-- A clock that stands still as long as somebody wants: in the middle of a statement that asks whether a lease is over.
CREATE SCHEMA stopped;
CREATE FUNCTION stopped.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    RETURN pg_catalog.clock_timestamp();
END $$;
"""
