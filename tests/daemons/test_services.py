"""A newsletter leaves by a service with an interface of its own, and what the service tells later finds its copies."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import datetime

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from colporteur.flow import mailings, services, trouble
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Mailing, Refusal
from colporteur.store.memberships import Membership
from colporteur.store.services import ServiceMessage
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, deliver_until, is_in, sound
from tests.servers.ports import wait_until
from tests.servers.services import Services, tells
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)


def by(services_: Services, kind: str, *, members: int = 30) -> Mailing:
    transport = a_transport(services_.url(kind), name=f"by {kind}")
    return a_mailing(a_list(members=members, template="newsletter", transport=transport, from_form="list"))


@pytest.mark.parametrize("kind", ["mailjet", "sparkpost", "mandrill"])
def test_out_by_the_service_and_back_by_its_webhook(kind: str) -> None:
    with Services() as server:
        mailing = by(server, kind)
        deliver_until(is_in(mailing, "done"))
    sound(mailing)
    assert Counter(taken.recipient for taken in server.taken) == {f"member-{number:06}@members.example": 1 for number in range(1, 31)}
    taken = sorted(server.taken, key=lambda one: one.recipient)
    url = services.url_of(services.hook_of(Transport.objects.get(), timezone.now())).removeprefix(settings.BASE_URL)
    post = tells([(taken[0], "hard"), (taken[1], "full"), (taken[2], "complaint"), (taken[3], "unsubscribe"), (taken[4], "suppressed")])
    for _twice in range(2):
        assert Client().generic("POST", url, post.body, content_type=post.content_type).status_code == 200
    assert Counter(DeliveryEvent.objects.values_list("kind", "origin")) == {("dead", "webhook"): 1, ("mailbox_state", "webhook"): 1, ("complaint", "webhook"): 1, ("unknown", "webhook"): 1}
    gone = set(Membership.objects.filter(until__isnull=False).values_list("address__email", flat=True))
    assert gone == {taken[2].recipient, taken[3].recipient}


def test_a_quota_that_is_used_up_loses_nothing_and_repeats_nothing() -> None:
    with Services() as server:
        server.quota = 10
        mailing = by(server, "sparkpost")
        deliver_until(lambda: JournalEntry.objects.filter(event="transport.trouble", values__error__icontains="Exceed Sending Limit").exists())
        assert len(server.taken) == 10
        server.quota = None
        assert mailings.resume(mailing.pk, timezone.now(), "test")
        deliver_until(is_in(mailing, "done"))
    sound(mailing)
    assert len(server.taken) == 30 == len({taken.recipient for taken in server.taken}) and not Refusal.objects.exists()


def test_what_was_taken_before_a_quota_was_used_up_does_not_say_that_it_is_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the database hears of that late."""
    really = trouble.over

    def late(transport: int, now: datetime, *, looked: bool = False) -> None:
        with contextlib.suppress(TimeoutError):
            wait_until(stopped, 0.3)
        really(transport, now, looked=looked)

    def stopped() -> bool:
        return Mailing.objects.filter(state="paused").exists()

    monkeypatch.setattr(trouble, "over", late)
    with Services() as server:
        server.quota = 10
        by(server, "sparkpost")
        deliver_until(lambda: JournalEntry.objects.filter(event="transport.trouble").exists())
    assert stopped() and Transport.objects.get().failures == 1


def test_a_sender_that_is_not_verified_pauses_the_mailing_and_blames_nobody() -> None:
    with Services() as server:
        server.unverified = {"lists.example"}
        mailing = by(server, "mandrill")
        deliver_until(is_in(mailing, "paused"))
        assert mailings.totals(mailing.pk).counts["queued"] == 30 and not server.taken
        assert not Transport.objects.filter(failures__gt=0).exists() and "unsigned" in Mailing.objects.get(pk=mailing.pk).pause_reason


def test_those_a_service_does_not_write_to_fail_without_being_blamed() -> None:
    with Services() as server:
        server.suppressed = {"member-000001@members.example": "hard-bounce", "member-000002@members.example": "unsub"}
        mailing = by(server, "mandrill")
        deliver_until(is_in(mailing, "done"))
    assert mailings.totals(mailing.pk).counts["failed"] == 2 and len(server.taken) == 28
    assert set(DeliveryEvent.objects.values_list("reason", "kind")) == {("suppressed", "unknown")} and not AddressStanding.objects.filter(state__gt=0).exists()


def test_numbers_of_a_service_that_tells_by_them_are_kept() -> None:
    with Services() as server:
        mailing = by(server, "mailersend", members=12)
        deliver_until(is_in(mailing, "done"))
        assert set(ServiceMessage.objects.values_list("message", flat=True)) == {taken.id for taken in server.taken} and len(server.taken) == 12
