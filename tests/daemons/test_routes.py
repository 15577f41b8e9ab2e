"""Fail-over and return with two real SMTP dialogues: nothing is missing, nothing leaves twice beyond the bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import uvloop
from django.utils import timezone

from colporteur.daemons import checks
from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.daemons.threads import close_connections
from colporteur.domain.routes import read
from colporteur.flow import routes, transports
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.servers.sink import Drop, Script, Session, Sink
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS = 6_000


@pytest.fixture
def two() -> Iterator[tuple[Sink, Sink]]:
    with Sink() as main, Sink() as second:
        a_transport(f"smtp://127.0.0.1:{main.port}", "main")
        a_transport(f"smtp://127.0.0.1:{second.port}", "second", default=False)
        yield main, second


def listed(*words: str) -> List:
    list_ = a_list(members=MEMBERS)
    routes.set_route(list_, read(words), timezone.now(), by="test")
    return list_


def look_at_transports() -> None:
    """The health checks of a worker, once."""
    try:
        uvloop.run(checks.check_due())
    finally:
        close_connections()


def dying(after: int, how: str) -> Callable[[Sink], Script]:
    """A server that takes so many messages, then refuses every connection and cuts those there are."""

    def script(sink: Sink) -> Script:
        def behave(event: str, argument: str, session: Session) -> str | Drop | None:
            if len(sink.taken) < after:
                return None
            if event == "CONNECT":
                return "421 4.3.2 Going down"
            return Drop(keep=how == "after the data") if event == ("BODY" if how == "after the data" else "MAIL") else None

        return behave

    return script


@pytest.mark.parametrize("how", ["between two messages", "after the data"])
def test_one_dies_in_mid_send_and_the_other_takes_over_until_it_is_back(two: tuple[Sink, Sink], how: str) -> None:
    main, second = two
    list_ = listed("main:3", "second")
    main.script = dying(1_500, how)(main)
    mailing = a_mailing(list_)
    deliver_until(lambda: is_in(mailing, "done")() or not Slice.objects.filter(mailing=mailing, done=False, due_at__isnull=True).exists(), 120)
    mailing.refresh_from_db()
    assert mailing.state in ("done", "running") and not mailing.pause_reason, "it never paused"
    Slice.objects.filter(mailing=mailing, done=False).update(due_at=None)  # copies whose outcome nobody knows are tried once more, later
    deliver_until(is_in(mailing, "done"), 120)
    received = main.received() + second.received()
    assert len(received) == MEMBERS, "nothing is missing"
    unanswered = sum(1 for one in main.taken if not one.answered)
    assert sum(received.values()) - MEMBERS <= unanswered <= MOST_UNSETTLED + 2 * 20
    assert len(main.taken) >= 1_500 and len(second.taken) >= MEMBERS - len(main.taken)
    sound(mailing)
    transport = Transport.objects.get(name="main")
    assert transport.failures and Transport.objects.get(name="second").failures == 0

    main.script = None
    again = a_mailing(list_)
    assert set(Slice.objects.filter(mailing=again).values_list("transport__name", flat=True)) == {"second"}
    Transport.objects.filter(pk=transport.pk).update(next_try=timezone.now(), checked_at=None)
    look_at_transports()
    transport.refresh_from_db()
    assert transport.failures == 0 and not transport.last_error
    before = len(main.taken), len(second.taken)
    deliver_until(is_in(again, "done"), 120)
    assert (len(main.taken) - before[0], len(second.taken) - before[1]) == (4_500, 1_500), "three of four slices again"
    sound(again)


def test_weights_are_kept_and_a_reserve_takes_nothing(two: tuple[Sink, Sink]) -> None:
    main, second = two
    with Sink() as reserve:
        a_transport(f"smtp://127.0.0.1:{reserve.port}", "reserve", default=False)
        mailing = a_mailing(listed("main", "second:2", "/", "reserve"))
        deliver_until(is_in(mailing, "done"), 120)
        assert (len(main.taken), len(second.taken), len(reserve.taken)) == (2_000, 4_000, 0)
        assert len(main.received() + second.received()) == MEMBERS
    assert main.most_open > 1 and second.most_open > 1


def test_a_switched_off_transport_hands_its_slices_on_while_it_sends(two: tuple[Sink, Sink]) -> None:
    main, second = two
    main.pause = 0.005
    switched: list[bool] = []

    def off() -> bool:
        if len(main.taken) > 700 and not switched:
            switched.append(transports.switch(transports.find("main"), False, timezone.now(), by="test"))
        return is_in(mailing, "done")()

    mailing = a_mailing(listed("main", "/", "second"))
    deliver_until(off, 120)
    received = main.received() + second.received()
    assert switched == [True] and len(received) == MEMBERS == sum(received.values())
    assert len(second.taken) > 1_000
    sound(mailing)


def test_a_check_that_fails_moves_mail_away_before_any_is_tried(two: tuple[Sink, Sink]) -> None:
    main, _second = two
    list_ = listed("main", "/", "second")
    mailing = a_mailing(list_)
    main.script = lambda event, argument, session: "554 5.3.2 Closed for good" if event == "CONNECT" else None
    look_at_transports()
    assert Transport.objects.get(name="main").failures == 1 and "554" in Transport.objects.get(name="main").last_error
    assert set(Slice.objects.filter(mailing=mailing).values_list("transport__name", flat=True)) == {"second"}
    assert Transport.objects.get(name="second").checked_at and not Transport.objects.get(name="second").last_success


def test_fast_uses_every_service_of_the_route_at_the_same_time(two: tuple[Sink, Sink]) -> None:
    main, second = two
    together: list[bool] = []

    def script(event: str, argument: str, session: Session) -> None:
        together.append(main.open > 1 and second.open > 1)

    main.script = second.script = script
    list_ = listed("main", "/", "second")
    List.objects.filter(pk=list_.pk).update(policy={"pace": "fast"})
    mailing = a_mailing(List.objects.get(pk=list_.pk))
    deliver_until(is_in(mailing, "done"), 120)
    assert (len(main.taken), len(second.taken)) == (3_000, 3_000) and len(main.received() + second.received()) == MEMBERS
    assert any(together)


def refusing(event: str, answer: str) -> Script:
    """A server that refuses every message for one reason."""
    return lambda happened, argument, session: answer if happened == event else None


@pytest.mark.parametrize(("event", "answer"), [("MAIL", "550 5.7.1 This sender is not welcome"), ("RCPT", "550 5.7.1 Content rejected by policy")])
def test_a_message_one_refuses_leaves_by_the_other_and_nobody_pauses(two: tuple[Sink, Sink], event: str, answer: str) -> None:
    main, second = two
    main.script = refusing(event, answer)
    list_ = a_list(members=700)
    routes.set_route(list_, read(["main", "/", "second"]), timezone.now(), by="test")
    mailing = a_mailing(list_)
    deliver_until(is_in(mailing, "done"), 60)
    assert not main.taken and len(second.taken) == 700 and second.repeated() == 0
    assert not JournalEntry.objects.filter(mailing_id=mailing.pk, event="mailing.stopped").exists()
    assert Transport.objects.get(name="main").failures == 0
    sound(mailing)


def test_a_message_every_way_refuses_pauses_and_may_try_them_all_again(two: tuple[Sink, Sink]) -> None:
    for sink in two:
        sink.script = refusing("MAIL", "550 5.7.1 This sender is not welcome")
    list_ = a_list(members=30)
    routes.set_route(list_, read(["main", "/", "second"]), timezone.now(), by="test")
    mailing = a_mailing(list_)
    deliver_until(is_in(mailing, "paused"))
    mailing.refresh_from_db()
    assert "not welcome" in mailing.pause_reason and mailing.shunned == []
    sound(mailing)
