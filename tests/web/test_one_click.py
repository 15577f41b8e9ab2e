"""Leaving by the button of mail programs (RFC 8058) and by mail, for newsletters that go to several lists."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.flow import campaigns, errands, planning
from colporteur.store import copies
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import asked
from tests.story.scenes import a_list, a_transport, join, message


@pytest.fixture
def lists(db: None) -> tuple[List, List]:
    """Anna and Ben on the first, Cleo and Dora on the second, which is also a list of its own."""
    a_transport("smtp://127.0.0.1:9")
    first, second = a_list("first@lists.example", template="newsletter"), a_list("second@lists.example", template="newsletter")
    join(first, ["anna@x.example", "ben@x.example"])
    join(second, ["cleo@x.example", "dora@x.example"])
    return first, second


@pytest.fixture
def mailing(lists: tuple[List, List]) -> Mailing:
    """A newsletter of the first that goes to both, planned."""
    campaign = campaigns.create(lists[0], timezone.now(), by="test", subject="News", source="Hello")
    campaign = campaigns.address_to(campaign.pk, campaign.version, timezone.now(), "test", to=list(lists))
    started = campaigns.start(campaign.pk, timezone.now(), "test")
    assert started
    while planning.plan_due(timezone.now()):
        pass
    return started


def token(mailing: Mailing, name: str) -> str:
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=f"{name}@x.example").pk)


def to_send(mailing: Mailing) -> set[str]:
    """Whom the next claim would send to."""
    slices = [copies.Claimed(mailing.pk, number, 0) for number in Slice.objects.filter(mailing=mailing).values_list("number", flat=True)]
    return {due.email.partition("@")[0] for due in copies.copies_of(slices, timezone.now()) if due.here}


def members(list_: List) -> set[str]:
    return {email.partition("@")[0] for email in Membership.objects.filter(list=list_, until__isnull=True).values_list("email", flat=True)}


def test_one_click_acts_at_once_without_cookie_for_the_list_the_copy_came_by_and_the_rest_is_skipped(lists: tuple[List, List], mailing: Mailing) -> None:
    first, second = lists
    client = Client(enforce_csrf_checks=True)
    assert to_send(mailing) == {"anna", "ben", "cleo", "dora"}
    assert client.get(f"/u/{token(mailing, 'dora')}").status_code == 200 and members(second) == {"cleo", "dora"}, "looking changes nothing"
    answer = client.post(f"/u/{token(mailing, 'dora')}", "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    client.post(f"/u/{token(mailing, 'anna')}", {"List-Unsubscribe": "One-Click"})
    assert (members(first), members(second)) == ({"ben"}, {"cleo"})
    assert to_send(mailing) == {"ben", "cleo"}, "in the very same mailing"
    assert client.post(f"/u/{token(mailing, 'dora')}", {"List-Unsubscribe": "One-Click"}).status_code == 200, "twice is once"


def test_a_mail_to_the_address_in_the_header_acts_too(lists: tuple[List, List], mailing: Mailing) -> None:
    first, second = lists
    asked(first, "unsubscribe", message("cleo@x.example", subject="unsubscribe"), token(mailing, "cleo"), timezone.now())
    errands.do_due(timezone.now())
    assert (members(first), members(second)) == ({"anna", "ben"}, {"dora"})
    assert to_send(mailing) == {"anna", "ben", "dora"}
