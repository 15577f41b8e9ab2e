"""Messages to service addresses that could not be processed, on the screens."""

from __future__ import annotations

from django.utils import timezone

from colporteur.store.arrivals import Arrival, Errand, keep
from colporteur.store.lists import List
from tests.web.conftest import World, signed_in


def _stuck(list_: List | None, recipient: str) -> Errand:
    raw = b"From: Lu <lu@courriel.example>\r\nSubject: <b>Coince</b>\r\n\r\ny\r\n"
    arrival = Arrival.objects.create(blob_id=keep(raw), door="lmtp", received_at=timezone.now())
    return Errand.objects.create(arrival=arrival, list=list_, service="owner", recipient=recipient, state="quarantined", error="ValueError: <i>x", attempts=5, received_at=timezone.now())


def test_an_owner_sees_it_and_has_it_tried_again(world: World) -> None:
    errand = _stuck(world.list, "amapiens-owner@paniersdusaule.example")
    client = signed_in(world.owner)
    assert f"/lists/{world.list.pk}/activity" in client.get("/").content.decode()
    page = client.get(f"/lists/{world.list.pk}/activity").content.decode()
    for shown in ("&lt;b&gt;Coince&lt;/b&gt;", "lu@courriel.example", errand.recipient, "ValueError: &lt;i&gt;x", f"/errands/{errand.pk}"):
        assert shown in page
    assert "Could not be processed" not in signed_in(world.moderator).get(f"/lists/{world.list.pk}/activity").content.decode()
    assert "processed again" in client.post(f"/errands/{errand.pk}", {"wish": "retry"}, follow=True).content.decode()
    errand.refresh_from_db()
    assert (errand.state, errand.attempts) == ("received", 0)
    assert "Nothing changed" in client.post(f"/errands/{errand.pk}", {"wish": "discard"}, follow=True).content.decode()


def test_those_of_a_whole_domain_are_the_administrators(world: World) -> None:
    errand = _stuck(None, "lists@paniersdusaule.example")
    assert signed_in(world.owner).post(f"/errands/{errand.pk}", {"wish": "discard"}).status_code == 404
    assert errand.recipient not in signed_in(world.owner).get("/").content.decode()
    client = signed_in(world.admin)
    assert errand.recipient in client.get("/").content.decode()
    assert errand.recipient in client.get("/errands/").content.decode()
    assert errand.recipient not in client.post(f"/errands/{errand.pk}", {"wish": "discard"}, follow=True).content.decode()
    errand.refresh_from_db()
    assert errand.state == "discarded"


def test_nobody_sees_the_section_when_there_is_nothing(world: World) -> None:
    assert "Could not be processed" not in signed_in(world.owner).get(f"/lists/{world.list.pk}/activity").content.decode()
