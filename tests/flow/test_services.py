"""What services that send post to us: who may, what follows, each thing once. The payloads are as their documentation has them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.tokens import Purpose
from colporteur.flow import services
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.services import Hook, ServiceEvent, ServiceMessage
from colporteur.store.standing import DeliveryEvent
from colporteur.store.transports import Transport
from tests.flow.bounced import posted, state
from tests.servers.services import Post, Taken, tells
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db
KINDS = ("mailjet", "sparkpost", "mandrill")


class Scene:
    """A newsletter of five, gone out by a service."""

    def __init__(self, kind: str, members: int = 5) -> None:
        self.kind, self.now = kind, timezone.now()
        self.transport = a_transport(f"{kind}://{'a:b' if kind in ('mailjet', 'scaleway') else 'a'}@", name="Post & co")
        self.list = a_list(members=members, template="newsletter")
        self.mailing: Mailing = posted(self.list, self.now - timedelta(minutes=5))
        self.hook = services.hook_of(self.transport, self.now)
        self.url = services.url_of(self.hook).removeprefix(settings.BASE_URL)

    def email(self, number: int) -> str:
        return f"member-{number:06}@members.example"

    def taken(self, number: int, *, token: bool = True) -> Taken:
        address = Address.objects.get(email=self.email(number))
        named = tokens.sign(settings.TOKEN_KEY, Purpose.COPY, self.mailing.pk, address.pk) if token else ""
        return Taken(self.kind, str(1000 + number), address.email, named, b"", {}, {})

    def post(self, what: Post, url: str = "") -> int:
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in what.headers.items()}
        return Client().generic("POST", url or self.url, what.body, content_type=what.content_type, **headers).status_code  # type: ignore[arg-type]

    def tell(self, *told: tuple[int, str], token: bool = True) -> int:
        return self.post(tells([(self.taken(number, token=token), what) for number, what in told]))


@pytest.mark.parametrize("kind", KINDS)
class TestEachService:
    def test_bounces_and_complaints_end_in_the_same_events_as_reports(self, kind: str) -> None:
        scene = Scene(kind)
        assert scene.tell((1, "hard"), (2, "full"), (3, "policy"), (4, "complaint"), (5, "suppressed")) == 200
        found = {Address.objects.get(pk=event.address_id).email[7:13]: (event.kind, event.origin) for event in DeliveryEvent.objects.all()}
        kinds = {number: found[f"{number:06}"][0] for number in range(1, 6)}
        assert (kinds[1], kinds[2], kinds[3], kinds[4]) == ("dead", "mailbox_state", "ours", "complaint") and kinds[5] == "unknown"
        assert {origin for _kind, origin in found.values()} == {"webhook"}
        assert state(scene.email(5)) == "good" and not Membership.objects.filter(address__email=scene.email(4), until__isnull=True).exists()
        assert JournalEntry.objects.filter(event="copy.report", mailing_id=scene.mailing.pk).count() == 5

    def test_who_opened_or_followed_something_is_not_kept(self, kind: str) -> None:
        scene = Scene(kind)
        assert scene.tell((1, "open"), (1, "click")) == 200
        assert list(ServiceEvent.objects.values_list("mailing_id", "address_id", "email", "message", "text")) == [(scene.mailing.pk, None, "", "", "")] * 2

    def test_the_same_post_again_counts_once(self, kind: str) -> None:
        scene = Scene(kind)
        for _time in range(3):
            assert scene.tell((1, "hard"), (2, "complaint")) == 200
        assert (ServiceEvent.objects.count(), DeliveryEvent.objects.count(), Hook.objects.get().heard) == (2, 2, 2)

    def test_who_unsubscribed_over_there_has_left_the_list(self, kind: str) -> None:
        scene = Scene(kind)
        assert scene.tell((1, "unsubscribe")) == 200 and scene.tell((1, "unsubscribe")) == 200
        assert sorted(Membership.objects.filter(list=scene.list, until__isnull=True).values_list("address__email", flat=True)) == [scene.email(number) for number in range(2, 6)]
        assert Membership.objects.get(address__email=scene.email(1)).left_by == "member"

    def test_a_copy_is_found_by_the_services_number_and_its_address(self, kind: str) -> None:
        scene = Scene(kind)
        taken = scene.taken(1)
        address = Address.objects.get(email=taken.recipient)
        services.number(scene.transport.pk, [(taken.id, scene.mailing.pk, address.pk)], scene.now)
        assert scene.tell((1, "hard"), token=False) == 200
        assert [event.address_id for event in DeliveryEvent.objects.all()] == [address.pk]
        other = taken._replace(recipient=scene.email(2), token="")
        assert scene.post(tells([(other, "hard")])) == 200 and DeliveryEvent.objects.count() == 1, "the number is another one's"

    def test_what_fits_no_copy_is_kept_and_counts_for_nothing(self, kind: str) -> None:
        scene = Scene(kind)
        forged = scene.taken(1)._replace(token="a" * 20)
        assert scene.post(tells([(forged, "hard"), (scene.taken(2, token=False), "complaint")])) == 200
        assert len(services.unmatched(scene.transport, 10)) == 2 and not DeliveryEvent.objects.exists() and state(scene.email(1)) == "good"

    def test_a_number_that_was_noted_late_is_found_later(self, kind: str) -> None:
        scene = Scene(kind)
        scene.tell((1, "hard"), token=False)
        services.number(scene.transport.pk, [(scene.taken(1).id, scene.mailing.pk, Address.objects.get(email=scene.email(1)).pk)], scene.now)
        assert services.look(timezone.now()) == 1 and DeliveryEvent.objects.get().kind == "dead"
        assert services.look(timezone.now()) == 0
        assert services.look(timezone.now() + timedelta(days=200)) == 2 and not ServiceEvent.objects.exists() and not ServiceMessage.objects.exists()

    @pytest.mark.parametrize("body", [b"", b"{", b"[]]", b"null", b"[1]", b'[{"event": {}}]', b"[" * 5000, b'{"msys": 1}', b"mandrill_events=%5B1%5D", b'[{"event":"bounce","Payload":"5","time":1e99,"email":[]}]'])
    def test_hostile_posts_are_refused_or_say_nothing(self, kind: str, body: bytes) -> None:
        scene = Scene(kind)
        for content_type in ("application/json", "application/x-www-form-urlencoded"):
            assert scene.post(Post(body, content_type)) in (200, 400)
        assert not DeliveryEvent.objects.exists() and ServiceEvent.objects.count() <= 1


class TestTheDoor:
    def test_another_secret_another_name_and_other_methods_are_refused(self) -> None:
        scene = Scene("mailjet")
        event = tells([(scene.taken(1), "hard")])
        assert scene.post(event, scene.url[:-3] + "xx/") == 404 and scene.post(event, scene.url.replace("Post", "Past")) == 404
        assert Client().get(scene.url).status_code == 405 and Client().head(scene.url).status_code == 200
        old = scene.url
        services.renew(scene.transport, timezone.now(), by="test")
        assert scene.post(event, old) == 404 and not ServiceEvent.objects.exists()

    def test_an_smtp_service_has_no_door(self) -> None:
        scene = Scene("mailjet")
        Transport.objects.update(kind="smtp")
        assert scene.tell((1, "hard")) == 404

    def test_a_signature_is_wanted_as_soon_as_its_key_is_known(self) -> None:
        scene = Scene("mandrill")
        services.sign_with(scene.transport, "k3y", timezone.now(), by="test")
        url = services.url_of(scene.hook)
        assert scene.post(tells([(scene.taken(1), "hard")], key="other", url=url)) == 400
        assert scene.post(tells([(scene.taken(1), "hard")], key="k3y", url="http://elsewhere/")) == 400 and not ServiceEvent.objects.exists()
        assert "signature" in Hook.objects.get().refused
        assert scene.post(tells([(scene.taken(1), "hard")], key="k3y", url=url)) == 200 and ServiceEvent.objects.count() == 1

    def test_a_post_that_is_too_large_is_refused(self) -> None:
        scene = Scene("mailjet")
        assert scene.post(Post(b"[" + b" " * (10 * 1024 * 1024) + b"]", "application/json")) == 413

    def test_one_post_of_hundreds_is_taken_together(self) -> None:
        scene = Scene("sparkpost")
        body = json.loads(tells([(scene.taken(1 + number % 5), "hard") for number in range(600)]).body)
        assert scene.post(Post(json.dumps(body).encode(), "application/json")) == 200
        assert ServiceEvent.objects.count() == 600 and DeliveryEvent.objects.count() == 5


def test_all_lists_are_left_where_the_service_says_so() -> None:
    scene = Scene("sendgrid")
    other = a_list("other@lists.example", members=[scene.email(1)], template="newsletter")
    token = scene.taken(1).token
    event = {"event": "unsubscribe", "email": scene.email(1), "timestamp": 1800000000, "sg_event_id": "x1", "smtp-id": "<1@x>", "colporteur": token}
    assert scene.post(Post(json.dumps([event]).encode(), "application/json")) == 200
    assert not Membership.objects.filter(address__email=scene.email(1), list__in=[scene.list, other], until__isnull=True).exists()
