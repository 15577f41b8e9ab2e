"""Routes of lists and of what is above them: what holds, what cannot be saved, and how open slices change over."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from colporteur.domain.mailings import Pace, Priority
from colporteur.domain.pacing import Cadence, cadence_of
from colporteur.domain.policy import Layer
from colporteur.domain.routes import read
from colporteur.flow import lists, mailings, organisations, routes, transports, trouble
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing
from tests.servers.questions import asked
from tests.story.scenes import a_list

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def way(name: str, **more: object) -> Transport:
    made = transports.add(name, f"smtp://{name}.example", NOW, **more)  # type: ignore[arg-type]
    assert made.is_default == (Transport.objects.filter(organisation=made.organisation_id).count() == 1)
    return made


def choose(place: routes.Place, *words: str) -> bool:
    return routes.set_route(place, read(words), NOW, by="test")


def held(list_: List) -> tuple[Layer, str]:
    route = routes.route_of(List.objects.get(pk=list_.pk))
    return route.origin, route.text


@pytest.fixture
def list_() -> List:
    return a_list(members=0)


def test_the_nearest_place_that_says_something_decides(list_: List) -> None:
    assert routes.route_of(list_).first is None
    way("default")
    assert held(list_) == (Layer.DEFAULT, "default")
    for name in ("site", "organisation", "domain", "list"):
        way(name)
    assert list_.domain
    choose(routes.site(), "site")
    assert held(list_) == (Layer.SITE, "site")
    own = way("own", organisation=list_.organisation)
    assert held(list_) == (Layer.DEFAULT, "own"), "an organisation's own default goes before what the site says"
    choose(list_.organisation, "organisation:2", "own")
    assert held(list_) == (Layer.ORGANISATION, "organisation:2 own")
    choose(list_.domain, "domain", "/", "site")
    assert held(list_) == (Layer.DOMAIN, "domain / site")
    choose(list_, "list")
    assert held(list_) == (Layer.LIST, "list")
    inherited = routes.route_of(list_).inherited
    assert inherited and (inherited.origin, inherited.text) == (Layer.DOMAIN, "domain / site")
    for place in (list_, list_.domain, list_.organisation):
        assert choose(place) and not choose(place)
    transports.switch(own, False, NOW, by="test")
    assert held(list_) == (Layer.SITE, "site")
    assert routes.route_of(None).text == "site"


def test_many_lists_cost_no_more_questions_than_one(list_: List) -> None:
    way("default")
    with asked() as statements:
        assert len(routes.routes_of([list_] * 50 + [None])) == 51
    assert len(statements) == 2


def test_a_route_is_journaled_and_saved_once(list_: List) -> None:
    way("one"), way("two")
    assert choose(list_, "one:3", "two") and not choose(list_, "one:3", "two")
    entry = JournalEntry.objects.get(event="list.changed")
    assert entry.values["change"] == "route: — → one:3 two"


def test_what_cannot_be_used_here_is_said_and_nothing_changes(list_: List) -> None:
    way("one"), way("theirs", organisation=organisations.organisation_called("Others"))
    choose(list_, "one")
    for words in (["theirs"], ["none such"], ["one", "theirs"]):
        with pytest.raises(ValueError, match=r"no transport called '(theirs|none such)'"):
            choose(list_, *words)
    Transport.objects.filter(name=way("bound").name).update(traits={"envelope_sender": False})
    with pytest.raises(ValueError, match="one and bound cannot stand in for one another"):
        choose(list_, "one", "/", "bound")
    transports.add("files", "folder:///tmp/files", NOW)
    with pytest.raises(ValueError, match="one and files cannot stand in for one another"):
        choose(list_, "one", "/", "files")
    assert routes.own_text(list_) == "one"


def test_a_list_command_names_its_route(list_: List) -> None:
    way("one"), way("two")
    lists.change_all(list_, {"transport": "one:3,two"}, NOW, by="test")
    assert routes.own_text(list_) == "one:3 two"
    lists.change_all(list_, {"transport": ""}, NOW, by="test")
    assert routes.own_text(list_) == ""


def shares(mailing: Mailing, **more: object) -> dict[str, int]:
    return dict(Counter(Slice.objects.filter(mailing=mailing, **more).values_list("transport__name", flat=True)))


@pytest.fixture
def many() -> tuple[List, Mailing]:
    """A list of 40 slices, by weights 3 and 1, and a third that stands in."""
    way("main"), way("second"), way("reserve")
    list_ = a_list(members=20_000)
    choose(list_, "main:3", "second", "/", "reserve")
    return list_, a_mailing(list_)


def test_slices_follow_the_weights(many: tuple[List, Mailing]) -> None:
    assert shares(many[1]) == {"main": 30, "second": 10}


def test_slices_leave_a_transport_in_trouble_and_come_back_by_weight(many: tuple[List, Mailing]) -> None:
    mailing = many[1]
    main = Transport.objects.get(name="main")
    Slice.objects.filter(mailing=mailing, transport=main, number=Slice.objects.filter(transport=main).first().number).update(lease_until=timezone.now() + timedelta(hours=1))  # type: ignore[union-attr]
    trouble.stop_transport(main.pk, "421 no", NOW, lasting=False)
    assert shares(mailing) == {"main": 1, "second": 39}, "what is under lease stays until it is given back"
    mailing.refresh_from_db()
    assert mailing.state == "running"
    Slice.objects.filter(lease_until__isnull=False).update(lease_until=None)
    assert routes.leave_stranded() == 1 and routes.leave_stranded() == 0
    assert shares(mailing) == {"second": 40}
    trouble.stop_transport(Transport.objects.get(name="second").pk, "421 no", NOW, lasting=False)
    assert shares(mailing) == {"reserve": 40}
    trouble.over(main.pk, NOW)
    assert shares(mailing) == {"main": 40}
    trouble.over(Transport.objects.get(name="second").pk, NOW)
    assert shares(mailing) == {"main": 30, "second": 10}


def test_without_another_the_mailing_pauses_and_goes_on_by_the_first_that_works(many: tuple[List, Mailing]) -> None:
    mailing = many[1]
    for name in ("main", "second", "reserve"):
        trouble.stop_transport(Transport.objects.get(name=name).pk, f"421 no {name}", NOW, lasting=False)
    mailing.refresh_from_db()
    assert (mailing.state, mailing.pause_reason) == ("paused", "421 no reserve") and mailing.resume_at
    assert [one.name for one in routes.waits_for(mailing)] == ["reserve"]
    trouble.over(Transport.objects.get(name="second").pk, NOW)
    mailing.refresh_from_db()
    assert mailing.state == "running" and shares(mailing) == {"second": 40}


def test_who_paused_by_hand_stays_paused(many: tuple[List, Mailing]) -> None:
    mailing = many[1]
    mailings.pause(mailing.pk, NOW, "Paul")
    trouble.stop_transport(Transport.objects.get(name="main").pk, "421 no", NOW, lasting=False)
    trouble.over(Transport.objects.get(name="main").pk, NOW)
    mailing.refresh_from_db()
    assert mailing.state == "paused" and shares(mailing) == {"main": 30, "second": 10}


def test_slices_leave_a_transport_that_is_switched_off_or_removed(many: tuple[List, Mailing]) -> None:
    list_, mailing = many
    transports.switch(transports.find("main"), False, NOW, by="test")
    assert shares(mailing) == {"second": 40}
    transports.switch(transports.find("main"), True, NOW, by="test")
    assert shares(mailing) == {"main": 30, "second": 10}
    transports.remove(transports.find("second"), NOW, by="test")
    assert shares(mailing) == {"main": 40} and routes.own_text(list_) == "main:3 / reserve"
    with pytest.raises(ValueError, match="no transport called 'second'"):
        transports.find("second")
    gone = Transport.objects.get(removed__isnull=False)
    assert transports.url_of(gone) == "" and gone not in transports.listed()
    way_again = transports.add("second", "smtp://new.example", NOW)
    assert way_again.pk != gone.pk
    transports.remove(transports.find("main"), NOW, by="test")
    assert Transport.objects.get(is_default=True).name == "reserve" and shares(mailing) == {"reserve": 40}
    transports.remove(transports.find("reserve"), NOW, by="test")
    assert Transport.objects.get(is_default=True).name == "second"
    assert shares(mailing) == {"second": 40}, "the list says nothing any more: the default one"


def test_a_changed_route_takes_open_slices_along(many: tuple[List, Mailing]) -> None:
    list_, mailing = many
    Slice.objects.filter(mailing=mailing, number__lt=10).update(done=True)
    choose(list_, "reserve", "second")
    assert shares(mailing, done=False) == {"reserve": 15, "second": 15}


def test_a_message_prepared_for_one_way_does_not_leave_by_another(many: tuple[List, Mailing]) -> None:
    mailing = many[1]
    Transport.objects.filter(name__in=["second", "reserve"]).update(traits={"envelope_sender": False})  # learned after the route was saved
    trouble.stop_transport(Transport.objects.get(name="main").pk, "421 no", NOW, lasting=False)
    mailing.refresh_from_db()
    assert mailing.state == "paused" and shares(mailing) == {"main": 30, "second": 10}


def test_letters_follow_the_route() -> None:
    way("main"), way("second"), way("reserve")
    list_ = a_list(members=1)
    choose(list_, "main:3", "second", "/", "reserve")
    to = list_.memberships.get().address
    made = [mailings.create_letter(b"Subject: x\r\n\r\ny\r\n", to, NOW, letter="help", subject="x", list_=list_, language="en") for _ in range(200)]
    found = Counter(Slice.objects.filter(mailing__in=made).values_list("transport__name", flat=True))
    assert set(found) == {"main", "second"} and 120 <= found["main"] <= 180
    trouble.stop_transport(Transport.objects.get(name="main").pk, "421 no", NOW, lasting=False)
    trouble.stop_transport(Transport.objects.get(name="second").pk, "421 no", NOW, lasting=False)
    assert set(Slice.objects.filter(mailing__in=made).values_list("transport__name", flat=True)) == {"reserve"}
    late = mailings.create_letter(b"Subject: x\r\n\r\ny\r\n", to, NOW, letter="help", subject="x", list_=list_, language="en")
    assert Slice.objects.get(mailing=late).transport == Transport.objects.get(name="reserve") == late.transport


def test_health_checks_are_given_out_once_and_only_when_due() -> None:
    one, two = way("one"), way("two")
    choose(routes.site(), "one", "/", "two")
    assert {check.transport for check in routes.checks_due(NOW)} == {one.pk, two.pk}, "never used: looked at before they are needed"
    assert routes.checks_due(NOW + timedelta(minutes=59)) == []
    Transport.objects.filter(pk=one.pk).update(last_success=NOW + timedelta(minutes=30))
    assert [check.transport for check in routes.checks_due(NOW + timedelta(minutes=61))] == [two.pk]
    again = transports.trouble(one, "421 no", NOW + timedelta(minutes=62))
    assert routes.checks_due(again - timedelta(seconds=1)) == []
    assert [(check.transport, check.url) for check in routes.checks_due(again)] == [(one.pk, "smtp://one.example")]
    assert routes.checks_due(again + timedelta(seconds=29)) == []
    transports.switch(one, False, NOW, by="test")
    assert routes.checks_due(again + timedelta(minutes=5)) == []


def test_fast_takes_every_service_by_its_connections_and_usual_takes_them_back(many: tuple[List, Mailing]) -> None:
    list_, mailing = many
    Transport.objects.filter(name="reserve").update(connections=40)
    Transport.objects.exclude(name="reserve").update(connections=20)
    assert mailings.set_pace(mailing.pk, Pace.FAST, NOW, "Paul") and not mailings.set_pace(mailing.pk, Pace.FAST, NOW, "Paul")
    assert shares(mailing) == {"main": 10, "second": 10, "reserve": 20}
    trouble.stop_transport(Transport.objects.get(name="reserve").pk, "421 no", NOW, lasting=False)
    assert shares(mailing) == {"main": 20, "second": 20}
    assert mailings.set_pace(mailing.pk, Pace.EVEN, NOW, "Paul")
    assert shares(mailing) == {"main": 30, "second": 10}
    List.objects.filter(pk=list_.pk).update(policy={"pace": "fast"})
    Transport.objects.update(failures=0)
    assert shares(a_mailing(List.objects.get(pk=list_.pk))) == {"main": 10, "second": 10, "reserve": 20}


@pytest.mark.parametrize(
    ("priority", "pace", "cadence"),
    [
        (Priority.POST, Pace.USUAL, Cadence.BURST), (Priority.NEWSLETTER, Pace.USUAL, Cadence.EVEN), (Priority.POST, Pace.EVEN, Cadence.EVEN), (Priority.NEWSLETTER, Pace.FAST, Cadence.BURST),
        (Priority.LETTER, Pace.EVEN, Cadence.LETTER),
    ],
)  # fmt: skip
def test_a_pace_decides_the_cadence_but_letters_keep_theirs(priority: Priority, pace: Pace, cadence: Cadence) -> None:
    assert cadence_of(priority, pace) == cadence
