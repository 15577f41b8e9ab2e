"""Pages about addresses that messages do not reach: the owner's, the member's, and the way back by a link."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.bounces import Event, Origin, verdict_of
from colporteur.flow import lists, standing
from colporteur.store.arrivals import Arrival, keep
from colporteur.store.people import Address
from colporteur.store.standing import AddressStanding, DeliveryEvent
from tests.web.conftest import World, signed_in

ANNA = "anna.rivoire@courriel.example"
REPORT = b"Subject: Undelivered\r\n\r\n<script>alert(1)</script> mailbox unknown\r\n"


@pytest.fixture
def paused(world: World) -> Address:
    """Anna's address, paused because it does not exist; with a report about this list and one about another."""
    now, address = timezone.now(), Address.objects.get(email=ANNA)
    arrival = Arrival.objects.create(blob_id=keep(REPORT), door="lmtp", received_at=now)
    AddressStanding.objects.create(address=address, state=2, since=now, kind="dead", reason="no_mailbox", failures=2, first_at=now, last_at=now, next_probe=now)
    for list_, evidence in ((world.list, arrival.pk), (world.other, arrival.pk)):
        standing.record([Event(now, address.pk, None, list_.pk, verdict_of("no_mailbox"), "5.1.1", 550, f"<b>unknown</b> at {list_.name}", Origin.REPORT, evidence, key=list_.name)], now)
    return address


def test_an_owner_sees_who_is_not_reached_and_why(world: World, paused: Address) -> None:
    client = signed_in(world.owner, "fr")
    page = client.get(reverse("bounces", args=[world.list.pk])).content.decode()
    assert "anna.rivoire" in page and "2 messages sont revenus" in page and "Adresse suspendue" in page
    one = client.get(reverse("bounce", args=[world.list.pk, paused.pk])).content.decode()
    assert f"&lt;b&gt;unknown&lt;/b&gt; at {world.list.name}" in one and f"at {world.other.name}" not in one
    event = standing_event(world.list.pk)
    report = client.get(reverse("bounce-report", args=[world.list.pk, paused.pk, event])).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; mailbox unknown" in report
    assert client.get(reverse("bounce-report", args=[world.list.pk, paused.pk, standing_event(world.other.pk)])).status_code == 404
    assert "Adresse suspendue" in client.get(reverse("members", args=[world.list.pk]) + "?state=unreached").content.decode()
    assert ANNA not in client.get(reverse("members", args=[world.list.pk]) + "?state=lost").content.decode()


def standing_event(list_: int) -> int:
    """The event about a message of a list."""
    return DeliveryEvent.objects.get(list_id=list_).pk


def test_an_owner_forgives_probes_and_removes(world: World, paused: Address) -> None:
    client, where = signed_in(world.owner), reverse("bounces-change", args=[world.list.pk])
    client.post(where, {"wish": "probe", "who": paused.pk})
    assert AddressStanding.objects.get(pk=paused.pk).probe
    assert "Remove 1 member" in client.post(where, {"wish": "remove", "who": paused.pk}).content.decode()
    client.post(where, {"wish": "forgive", "all": "1", "query": "state=gone"})
    assert AddressStanding.objects.get(pk=paused.pk).state == 2
    client.post(where, {"wish": "forgive", "all": "1", "query": "state=paused"})
    assert AddressStanding.objects.get(pk=paused.pk).state == 0
    client.post(where, {"wish": "remove", "sure": "1", "who": paused.pk})
    assert not paused.memberships.filter(list=world.list, until__isnull=True).exists()


def test_an_owner_of_another_list_moves_nobody(world: World, paused: Address) -> None:
    client = signed_in(world.stranger)
    assert client.post(reverse("bounces-change", args=[world.list.pk]), {"wish": "forgive", "who": paused.pk}).status_code == 404
    client.post(reverse("bounces-change", args=[world.other.pk]), {"wish": "forgive", "who": paused.pk})
    assert AddressStanding.objects.get(pk=paused.pk).state == 2


def test_who_complained_is_not_brought_back_by_an_owner(world: World, paused: Address) -> None:
    AddressStanding.objects.update(kind="complaint", reason="complaint")
    for person, state in ((world.owner, 2), (world.admin, 0)):
        signed_in(person).post(reverse("bounces-change", args=[world.list.pk]), {"wish": "forgive", "who": paused.pk})
        assert AddressStanding.objects.get(pk=paused.pk).state == state


def test_a_list_that_shows_its_members_to_nobody_names_none_here(world: World, paused: Address) -> None:
    lists.set_policy(world.list, {"members_shown": "nobody"}, "test", timezone.now())
    client, where = signed_in(world.owner), reverse("bounces", args=[world.list.pk])
    assert ANNA not in client.get(where).content.decode() and "anna.rivoire" not in client.get(where + "?q=anna").content.decode()
    assert "anna.rivoire" in client.get(where + f"?q={ANNA}").content.decode()


def test_the_member_sees_the_same_and_comes_back(world: World, paused: Address) -> None:
    client = signed_in(world.member, "fr")
    assert "Les messages ne vous atteignent pas" in client.get("/me").content.decode()
    client.post("/me", {"wish": "come-back"})
    assert AddressStanding.objects.get(pk=paused.pk).state == 0


def test_the_link_asks_and_the_button_acts(world: World, paused: Address) -> None:
    client, path = signed_in(None), urlsplit(standing.link(paused, timezone.now())).path
    assert "Receive messages again" in client.get(path).content.decode() and AddressStanding.objects.get(pk=paused.pk).state == 2
    assert "You receive messages again" in client.post(path).content.decode() and AddressStanding.objects.get(pk=paused.pk).state == 0
    assert client.get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
