"""Four workers under one limit: whatever moment a window begins at, the far server never sees more than was allowed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from colporteur.domain.mailings import Priority
from colporteur.domain.pacing import Rate
from colporteur.flow import limits
from colporteur.flow.limits import of_account, of_list, of_transport
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing, Slice
from tests.daemons.delivering import a_mailing
from tests.domain.test_pacing import most_in_a_window
from tests.servers.ports import wait_until
from tests.servers.sink import Session, Sink
from tests.story.scenes import Installation, a_list, a_transport

WORKERS = 4


@pytest.fixture
def installations(tmp_path: Path, transactional_db: None) -> Iterator[list[Installation]]:
    """Four places, a worker in each, on one database."""
    made = [Installation(tmp_path / f"host{number}", options={"COLPORTEUR_LEASE": "5", "COLPORTEUR_CONNECTIONS": "5"}) for number in range(WORKERS)]
    yield made
    for one in made:
        one.stop()


class Stamped(Sink):
    """Knows when it took each message."""

    def __init__(self) -> None:
        self.stamps: list[float] = []
        self.lists: list[str] = []
        super().__init__(self.stamp, extensions=("PIPELINING", "8BITMIME", "AUTH PLAIN"), users={"me": "secret"}, keep_data=False)

    def stamp(self, event: str, argument: str, session: Session) -> None:
        if event == "BODY":
            self.stamps.append(time.monotonic())
            self.lists.append(session.sender.partition("-")[0])


@pytest.fixture
def sink() -> Iterator[Stamped]:
    with Stamped() as sink:
        yield sink


def a_mailing_of(priority: Priority, members: int, address: str = "amis@lists.example") -> Mailing:
    mailing = a_mailing(a_list(address, members=members))
    Mailing.objects.filter(id=mailing.id).update(priority=priority)
    Slice.objects.filter(mailing=mailing).update(priority=priority)
    return mailing


@pytest.mark.parametrize(("priority", "rates"), [(Priority.POST, [Rate(60, 2)]), (Priority.NEWSLETTER, [Rate(100, 5)]), (Priority.POST, [Rate(25, 1), Rate(60, 3)])])
def test_no_window_ever_holds_more_than_the_limit_and_little_of_it_is_wasted(installations: list[Installation], sink: Stamped, priority: Priority, rates: list[Rate]) -> None:
    transport = a_transport(f"smtp://127.0.0.1:{sink.port}")
    limits.change(of_transport(transport), rates, timezone.now(), "story")
    tightest = min(rates, key=lambda rate: rate.number / rate.seconds)
    a_mailing_of(priority, 12 * tightest.number * max(rate.seconds for rate in rates) // tightest.seconds)
    for one in installations:
        one.start("worker")
    window = max(rate.seconds for rate in rates)
    wait_until(lambda: sink.stamps and time.monotonic() - sink.stamps[0] > 11.2 * window, 40 + 12 * window)
    for one in installations:
        assert one.stop("worker") == {"worker": 0}, one.words("worker")[-2000:]
    stamps = sorted(sink.stamps)
    for rate in rates:
        assert most_in_a_window(stamps, rate.seconds) <= rate.number
    counted = sum(window <= stamp - stamps[0] < 11 * window for stamp in stamps)
    wasted = 1 - counted / (10 * window * tightest.number / tightest.seconds)
    print(f"{wasted:.1%} of the limit wasted")
    # What is wasted is the time from slot to answer, which is long on a busy machine: ``tests/domain/test_pacing.py`` holds the
    # 2 % with time as an argument. Workers that share badly leave each other a quarter.
    assert wasted <= 0.5


def test_two_transports_of_one_account_a_limited_list_and_killed_workers_share_what_there_is(installations: list[Installation], sink: Stamped) -> None:
    first = a_transport(f"smtp://me:secret@127.0.0.1:{sink.port}?tls=none")
    second = a_transport(f"smtp://me:secret@127.0.0.1:{sink.port}?tls=none", "another way", default=False)
    account = of_account(first)
    assert account and account == of_account(second)
    limits.change(account, [Rate(50, 1)], timezone.now(), "story")
    a_mailing_of(Priority.POST, 400)
    news = a_mailing_of(Priority.NEWSLETTER, 200, "news@lists.example")
    limits.change(of_list(List.objects.get(address="news@lists.example")), [Rate(20, 1)], timezone.now(), "story")
    Mailing.objects.filter(pk=news.pk).update(transport=second)
    Slice.objects.filter(mailing=news).update(transport=second)
    for place in installations:
        place.start("worker")
    for number, place in enumerate(installations[:2]):
        wait_until(lambda number=number: len(sink.stamps) > 50 + 100 * number, 60)  # type: ignore[misc]
        place.kill("worker")
    installations[0].start("worker")
    wait_until(lambda: Mailing.objects.filter(state="done").count() == 2, 120)
    assert most_in_a_window(sink.stamps, 1) <= 50
    assert len(sink.received()) == 400
    of_news = [stamp for stamp, name in zip(sink.stamps, sink.lists, strict=True) if name == "news"]
    assert len(of_news) >= 200 and most_in_a_window(of_news, 1) <= 20
