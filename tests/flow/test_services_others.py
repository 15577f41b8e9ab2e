"""What the services beside Mailjet, SparkPost and Mandrill post: each event ends where it belongs, once; signed where they sign."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.flow import services
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.services import Hook, ServiceEvent
from colporteur.store.standing import DeliveryEvent
from tests.flow.test_services import Scene
from tests.servers.services import Post
from tests.servers.webhooks import EVENTS, key_of, mailgun_signed, posts

pytestmark = pytest.mark.django_db
SIGN = ("mailgun", "sendgrid", "resend", "mailersend", "mailtrap")
KINDS = ("brevo", "postmark", *SIGN)
ENDS = {"deferred": ("temporary", "delayed"), "hard": ("dead", "no_mailbox"), "soft": ("mailbox_state", "full"), "suppressed": ("unknown", "suppressed"), "complaint": ("complaint", "complaint")}
SOFT_IS_DELAYED = ("mailgun", "mailtrap")
"""Services that go on trying after what they call a soft bounce."""


def signed(scene: Scene, number: int, what: str, key: str) -> Post | None:
    post = posts(scene.kind, scene.taken(number, token=scene.kind != "mailersend"), what, number=number, key=key)
    return mailgun_signed(post, key) if post and key and scene.kind == "mailgun" else post


@pytest.mark.parametrize("kind", KINDS)
def test_each_event_ends_where_it_belongs_and_twice_is_once(kind: str) -> None:
    scene = Scene(kind, members=len(EVENTS))
    if kind == "mailersend":
        numbers = [(scene.taken(number).id, scene.mailing.pk, Address.objects.get(email=scene.email(number)).pk) for number in range(1, len(EVENTS) + 1)]
        services.number(scene.transport.pk, numbers, scene.now)
    told = {what: post for number, what in enumerate(EVENTS, 1) if (post := signed(scene, number, what, ""))}
    for _time in range(2):
        for post in told.values():
            assert scene.post(post) == 200
    assert ServiceEvent.objects.count() == len(told) - 1 and not services.unmatched(scene.transport, 10), "that it was delivered says nothing"
    found = {Address.objects.get(pk=one.address_id).email: (one.kind, one.reason) for one in DeliveryEvent.objects.all()}
    ends = {**ENDS, **({"soft": ENDS["deferred"]} if kind in SOFT_IS_DELAYED else {})}
    assert found == {scene.email(EVENTS.index(what) + 1): end for what, end in ends.items() if what in told}
    assert list(ServiceEvent.objects.filter(told__in=("opened", "clicked")).values_list("email", "address_id").distinct()) == [("", None)]
    gone = {EVENTS.index("complaint") + 1} | ({EVENTS.index("unsubscribe") + 1} if "unsubscribe" in told else set())
    left = set(Membership.objects.filter(list=scene.list, until__isnull=False).values_list("address__email", flat=True))
    assert left == {scene.email(number) for number in gone}


@pytest.mark.parametrize("kind", SIGN)
def test_a_signature_is_right_wrong_or_missing(kind: str) -> None:
    scene, key = Scene(kind), key_of(kind)
    services.sign_with(scene.transport, key, timezone.now(), by="test")
    right, missing = signed(scene, 1, "hard", key), signed(scene, 1, "hard", "")
    assert right and missing
    altered = right._replace(body=right.body.replace(b"t" * 50, b"u" * 50) if kind == "mailgun" else right.body + b" ")
    assert scene.post(missing) == 400 and scene.post(altered) == 400 and not ServiceEvent.objects.exists()
    assert "signature" in Hook.objects.get().refused
    assert scene.post(right) == 200 and ServiceEvent.objects.count() == 1
    assert scene.post(right, scene.url[:-3] + "xx/") == 404


@pytest.mark.parametrize("kind", ("sendgrid", "resend"))
def test_a_key_that_is_none_is_named(kind: str) -> None:
    scene = Scene(kind)
    services.sign_with(scene.transport, "ä no key", timezone.now(), by="test")
    post = signed(scene, 1, "hard", key_of(kind))
    assert post and scene.post(post) == 400 and "key that was entered here" in Hook.objects.get().refused


def test_mailguns_next_try_of_the_same_event_counts_for_nothing() -> None:
    scene = Scene("mailgun")
    first = signed(scene, 1, "hard", "")
    assert first and scene.post(first) == 200
    again = json.loads(first.body)
    again["signature"]["token"] = "n" * 50
    assert scene.post(Post(json.dumps(again).encode(), "application/json")) == 200 and ServiceEvent.objects.count() == 1


def test_what_a_filter_says_is_no_complaint_and_what_an_administrator_did_no_wish() -> None:
    scene = Scene("postmark")
    filtered, change = posts("postmark", scene.taken(1), "filtered"), posts("postmark", scene.taken(2), "unsubscribe")
    assert filtered and change
    assert scene.post(filtered) == 200 and DeliveryEvent.objects.get().reason == "content"
    for more in ({"Origin": "Admin"}, {"SuppressionReason": "HardBounce"}, {"SuppressSending": False, "SuppressionReason": None}):
        assert scene.post(Post(json.dumps(json.loads(change.body) | more).encode(), "application/json")) == 200
    assert ServiceEvent.objects.count() == 1 and Membership.objects.filter(list=scene.list, until__isnull=True).count() == 5


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("sendgrid", {"event": "dropped", "reason": "Unsubscribed Address"}, "suppressed"),
        ("sendgrid", {"event": "dropped", "reason": "Invalid"}, "no_mailbox"),
        ("sendgrid", {"event": "dropped", "reason": "Recipient List over Package Quota"}, "rate"),
        ("sendgrid", {"event": "bounce", "type": "blocked", "reason": "554 no"}, "policy"),
        ("brevo", {"event": "invalid_email"}, "no_mailbox"),
        ("brevo", {"event": "error"}, "unclear"),
    ],
)
def test_refusals_of_the_service_itself(kind: str, more: dict[str, str], reason: str) -> None:
    scene = Scene(kind)
    post = posts(kind, scene.taken(1), "delivered")
    assert post
    event = json.loads(post.body)
    changed = [event[0] | more] if isinstance(event, list) else event | more
    assert scene.post(Post(json.dumps(changed).encode(), "application/json")) == 200 and DeliveryEvent.objects.get().reason == reason


def test_resends_failures_and_suppressions_of_either_age() -> None:
    scene = Scene("resend")
    post = posts("resend", scene.taken(1), "delivered")
    assert post
    event = json.loads(post.body)
    older = {"type": "email.bounced", "data": event["data"] | {"bounce": {"message": "Resend has suppressed sending to this address because it is on the account-level suppression list."}}}
    failed = {"type": "email.failed", "data": event["data"] | {"to": [scene.email(2)], "failed": {"reason": "reached_daily_quota"}}}
    failed["data"]["headers"] = [{"name": "X-Metadata", "value": json.dumps({"colporteur": scene.taken(2).token})}]
    refused = {"type": "email.bounced", "data": failed["data"] | {"to": [scene.email(3)], "bounce": {"type": "Permanent", "subType": "General", "diagnosticCode": ["smtp; 550 5.7.1 spam detected"], "message": "Advice."}}}
    refused["data"] = refused["data"] | {"headers": [{"name": "X-Metadata", "value": json.dumps({"colporteur": scene.taken(3).token})}]}
    for one in (older, failed, refused):
        assert scene.post(Post(json.dumps(event | one).encode(), "application/json")) == 200
    found = {Address.objects.get(pk=one.address_id).email: one.reason for one in DeliveryEvent.objects.all()}
    assert found == {scene.email(1): "suppressed", scene.email(2): "policy", scene.email(3): "content"}


def test_scaleway_has_no_door() -> None:
    scene = Scene("scaleway")
    assert scene.post(Post(b"[]", "application/json")) == 404
    assert services.look(timezone.now() + timedelta(days=1)) == 0
