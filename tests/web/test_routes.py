"""Pages of routes and of sending again: what they show, what they save, and that showing changes nothing."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.mailings import CopyState
from colporteur.domain.routes import read
from colporteur.flow import memberships, routes, transports
from colporteur.flow.planning import plan_due
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.transports import Transport
from tests.web.conftest import World, signed_in, write_to


@pytest.fixture
def ways(world: World) -> dict[str, Transport]:
    """Three services of everybody's and the demo's folder, which is the default one."""
    now = timezone.now()
    return {name: transports.add(name, f"smtp://{name}.example", now) for name in ("main", "second", "reserve")}


def wish(ways: dict[str, Transport], **ranks: tuple[str, str]) -> dict[str, str]:
    """What the form sends: rank and weight by name; the others are not used."""
    found = {name: ranks.get(name, ("", "1")) for name in ways}
    return {f"rank-{ways[name].pk}": rank for name, (rank, _weight) in found.items()} | {f"weight-{ways[name].pk}": weight for name, (_rank, weight) in found.items()}


def test_an_owner_orders_services_and_goes_back(world: World, ways: dict[str, Transport]) -> None:
    client, where = signed_in(world.owner), reverse("list-transport", args=[world.list.pk])
    assert "The default one: nothing else is chosen." in client.get(where).content.decode()
    assert client.post(where, wish(ways, main=("0", "3"), second=("0", "1"), reserve=("1", "1"))).status_code == 302
    assert routes.own_text(world.list) == "main:3 second / reserve"
    page = client.get(where).content.decode()
    for shown in ("75 %", "25 %", "Chosen for this list.", "Without it: outbox", "When none of these can"):
        assert shown in page
    assert client.post(where, {"inherit": "1"}).status_code == 302 and routes.own_text(world.list) == ""


def test_what_cannot_be_saved_is_said_and_stays_typed(world: World, ways: dict[str, Transport]) -> None:
    client, where = signed_in(world.owner), reverse("list-transport", args=[world.list.pk])
    ways["outbox"] = Transport.objects.get(name="outbox")
    answer = client.post(where, wish(ways, main=("0", "1"), outbox=("1", "1")))
    assert answer.status_code == 422 and "cannot stand in for one another" in answer.content.decode()
    answer = client.post(where, wish(ways, main=("0", "101")))
    assert answer.status_code == 422 and 'value="101"' in answer.content.decode() and routes.own_text(world.list) == ""


def test_a_service_of_another_organisation_is_neither_shown_nor_taken(world: World, ways: dict[str, Transport]) -> None:
    theirs = transports.add("theirs", "smtp://theirs.example", timezone.now(), world.other.organisation)
    client, where = signed_in(world.owner), reverse("list-transport", args=[world.list.pk])
    assert "theirs" not in client.get(where).content.decode()
    answer = client.post(where, {f"rank-{theirs.pk}": "0", f"weight-{theirs.pk}": "1"})
    assert answer.status_code == 422 and not routes.own_text(world.list)
    client.post(where, {"rank-x": "0", "rank-99999999": "0", f"rank-{ways['main'].pk}": "7"})
    assert routes.own_text(world.list) == ""


def test_an_administrator_sets_what_is_above(world: World, ways: dict[str, Transport]) -> None:
    client = signed_in(world.admin)
    assert world.list.domain
    for name, place, arguments in (("site-route", routes.site(), []), ("organisation-route", world.list.organisation, [world.list.organisation_id]), ("domain-route", world.list.domain, [world.list.domain_id])):
        client.post(reverse(name, args=arguments), wish(ways, second=("0", "1"), reserve=("1", "2")))
        assert routes.own_text(place) == "second / reserve:2"
    assert "As the domain paniersdusaule.example says." in client.get(reverse("list-transport", args=[world.list.pk])).content.decode()
    assert "paniersdusaule.example" in client.get(reverse("transport", args=[ways["second"].pk])).content.decode()
    where = reverse("transport-remove", args=[ways["second"].pk])
    client.get(where)
    assert routes.own_text(world.list.domain) == "second / reserve:2"
    client.post(where)
    assert routes.own_text(world.list.domain) == "reserve:2" and client.get(where).status_code == 404


@pytest.fixture
def mailing(world: World, ways: dict[str, Transport]) -> Mailing:
    """A sent message: one refused, one of which nobody knows."""
    memberships.add(world.list, [(f"a@d{n}.example", "") for n in range(600)], timezone.now(), by="test")
    routes.set_route(world.list, read(["main", "second"]), timezone.now(), by="test")
    write_to(world.list, "anna.rivoire@courriel.example", "Anna Rivoire", "Paniers")
    plan_due(timezone.now())
    made = Mailing.objects.get(post__isnull=False)
    Copy.objects.filter(mailing=made).update(state=CopyState.SENT, code=250)
    Copy.objects.filter(mailing=made, address__email="a@d1.example").update(state=CopyState.FAILED, code=550)
    Copy.objects.filter(mailing=made, address__email="a@d2.example").update(state=CopyState.FAILED, code=0)
    Slice.objects.filter(mailing=made, number=0).update(sent=498, failed=2)
    return made


def test_the_page_tells_by_which_service_copies_left_and_what_they_wait_for(world: World, mailing: Mailing) -> None:
    client, where = signed_in(world.owner), reverse("mailing", args=[mailing.pk])
    page = client.get(where).content.decode()
    assert "By sending service" in page and "498" in page and "Copies wait for" not in page
    for name in ("main", "second"):
        transports.switch(transports.find(name), False, timezone.now(), by="test")
    assert "is switched off." in client.get(where).content.decode()


def test_sending_again_asks_first_and_never_by_looking(world: World, mailing: Mailing) -> None:
    client, where = signed_in(world.owner), reverse("mailing-again", args=[mailing.pk])
    page = client.get(where + "?whom=failed").content.decode().replace("<wbr>", "")
    assert "a@d1.example" in page and "a@d2.example" not in page and "For 1 more nobody knows" in page
    assert Mailing.objects.filter(post=mailing.post).count() == 1
    assert "Nobody is left" in client.get(where + "?whom=new").content.decode()
    answer = client.post(where, {"whom": "failed"})
    made = Mailing.objects.filter(post=mailing.post).latest("pk")
    assert answer["Location"] == reverse("mailing", args=[made.pk]) != reverse("mailing", args=[mailing.pk])
    assert client.post(where, {"whom": "failed", "unknown": "1"})["Location"] == answer["Location"]
    assert "This is being done already." in client.get(where).content.decode()
    assert client.post(where, {"whom": "new"}).status_code == 200
    assert Mailing.objects.filter(post=mailing.post).count() == 2
    plan_due(timezone.now())
    assert set(Copy.objects.filter(mailing=made).values_list("address__email", flat=True)) == {"a@d1.example"}


def test_somebody_else_sends_nothing_again(world: World, mailing: Mailing) -> None:
    where = reverse("mailing-again", args=[mailing.pk])
    for person in (world.member, world.moderator, world.stranger):
        assert signed_in(person).post(where, {"whom": "failed"}).status_code == 404
    assert Mailing.objects.filter(post=mailing.post).count() == 1


def test_the_pace_of_what_has_not_left_is_changed(world: World, mailing: Mailing) -> None:
    client = signed_in(world.owner)
    client.post(reverse("mailing-move", args=[mailing.pk]), {"move": "even"})
    mailing.refresh_from_db()
    assert mailing.pace == "even" and "Pace changed by Paul Kerneis: even" in client.get(reverse("mailing", args=[mailing.pk])).content.decode()
    client.post(reverse("mailing-move", args=[mailing.pk]), {"move": "breakneck"})
    mailing.refresh_from_db()
    assert mailing.pace == "even"
