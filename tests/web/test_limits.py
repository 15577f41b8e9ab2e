"""Limits and destinations on the screen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.pacing import Rate
from colporteur.flow import limits, streams
from colporteur.store.buckets import BucketRow
from colporteur.store.destinations import DestinationGroup, Stream
from colporteur.store.journal import JournalEntry
from colporteur.store.posts import Post
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_transport
from tests.web.conftest import World, signed_in


@pytest.fixture
def ovh(world: World) -> Transport:
    return a_transport("smtp://amap:secret@ssl0.ovh.net:587", "OVH", default=False)


def test_the_host_is_recognised_and_its_limits_are_one_choice(world: World, ovh: Transport) -> None:
    client, page = signed_in(world.admin), f"/settings/sending-services/{ovh.pk}/limits"
    assert "This looks like an account of OVH" in client.get(page).content.decode()
    client.post(page, {"profile": "ovh", "rates": "", "account": "", "by_destination": ""})
    assert [limit.rate for limit in limits.show(limits.of_transport(ovh))] == [Rate(240, 3600)]
    shown = client.get(page).content.decode()
    assert "160 an hour" in shown and "240 an hour" in shown and "This looks like" not in shown
    assert "160 an hour" in client.get(f"/settings/sending-services/{ovh.pk}/").content.decode()


def test_limits_are_written_one_a_line_and_what_is_wrong_is_said_by_its_field(world: World, ovh: Transport) -> None:
    client, page = signed_in(world.admin, "fr"), f"/settings/sending-services/{ovh.pk}/limits"
    assert client.post(page, {"profile": "", "rates": "200/heure\n2 000/jour", "account": "5/minute", "by_destination": "no"}).status_code == 302
    assert [str(limit.rate) for limit in limits.show(limits.of_transport(ovh))] == ["200/hour", "2000/day"]
    assert [str(limit.rate) for limit in limits.show(limits.of_account(ovh))] == ["5/minute"] and Transport.objects.get(pk=ovh.pk).by_destination is False
    wrong = client.post(page, {"profile": "", "rates": "beaucoup", "account": "", "by_destination": ""})
    assert wrong.status_code == 200 and "beaucoup" in wrong.content.decode() and 'aria-invalid="true"' in wrong.content.decode()
    assert BucketRow.objects.count() == 3
    assert JournalEntry.objects.filter(event="limits.changed", values__change="200/hour, 2000/day").exists()


def test_a_destination_that_refuses_says_why_and_one_button_sends_again(world: World, ovh: Transport) -> None:
    client, now = signed_in(world.admin), timezone.now()
    assert "Orange, Wanadoo" in client.get("/settings/destinations/").content.decode()
    group = DestinationGroup.objects.get(name="orange")
    for _ in range(3):
        streams.refused(ovh.pk, group.pk, "550 5.7.1 <b>OFR_999</b>", timedelta(hours=5), now)
    page = client.get(f"/settings/destinations/{group.pk}/").content.decode()
    assert "By OVH nothing is sent to it" in page and "550 5.7.1 &lt;b&gt;OFR_999&lt;/b&gt;" in page
    assert "Refuses our mail" in client.get("/settings/destinations/").content.decode()
    assert Stream.objects.get().until == now + timedelta(hours=5)
    assert client.get(f"/settings/destinations/{group.pk}/resume").status_code == 405
    client.post(f"/settings/destinations/{group.pk}/resume")
    stream = Stream.objects.get()
    assert (stream.until, stream.stops, stream.refusals) == (None, 0, 0) and group.state(now) == "sending"


def test_a_group_is_edited(world: World) -> None:
    client = signed_in(world.admin)
    client.get("/settings/destinations/")
    group = DestinationGroup.objects.get(name="free")
    page = f"/settings/destinations/{group.pk}/"
    assert client.post(page, {"rates": "10/minute", "connections": "2", "domains": "free.fr\nFreebox.FR", "exchangers": "free.fr", "enabled": "on"}).status_code == 302
    group.refresh_from_db()
    assert group.domains == ["free.fr", "freebox.fr"] and group.connections == 2 and [str(limit.rate) for limit in limits.show(limits.of_group(group))] == ["10/minute"]
    wrong = client.post(page, {"rates": "10/minute", "connections": "2", "domains": "someone@free.fr", "exchangers": "", "enabled": "on"})
    assert wrong.status_code == 200 and "someone@free.fr" in wrong.content.decode()


def test_whoever_decides_sees_how_long_sending_takes(world: World, held: Post) -> None:
    client, page = signed_in(world.moderator), f"/waiting/{held.pk}/"
    assert "sent within about" not in client.get(page).content.decode()
    limits.change(limits.of_list(world.list), [Rate(1, 3600)], timezone.now(), "test")
    assert "sent within about" in client.get(page).content.decode()


def test_a_lists_page_shows_every_limit_it_is_under_and_only_administrators_change_its_own(world: World, held: Post) -> None:
    limits.change(limits.of_organisation(world.list.organisation), [Rate(3, 3600)], timezone.now(), "test")
    page = reverse("list-limits", args=[world.list.pk])
    seen = signed_in(world.owner).get(page).content.decode()
    assert "3 an hour" in seen and "the narrowest" in seen and "would have left after about" in seen and "<textarea" not in seen
    assert signed_in(world.owner).post(page, {"rates": "9/hour"}).status_code == 404
    assert not limits.show(limits.of_list(world.list))
    assert "write" in signed_in(world.organiser).post(page, {"rates": "soon"}).content.decode()
    signed_in(world.organiser).post(page, {"rates": "2/hour"})
    assert [limit.rate for limit in limits.show(limits.of_list(world.list))] == [Rate(2, 3600)]


def test_an_organisations_page_shows_what_is_used_and_leaving_and_only_the_site_changes_it(world: World) -> None:
    page = reverse("organisation-limits", args=[world.list.organisation_id])
    mailing = a_mailing(world.list)
    assert signed_in(world.organiser).post(page, {"rates": "9/hour"}).status_code == 404
    signed_in(world.admin).post(page, {"rates": "9/hour"})
    limits.change(limits.of_list(world.list), [Rate(2, 3600)], timezone.now(), "test")
    seen = signed_in(world.organiser).get(page).content.decode()
    assert "9 an hour" in seen and "2 an hour" in seen and f"/sending/{mailing.pk}/" in seen
