"""A newsletter goes once to each person of its audience, as it was when it was started."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.domain.campaigns import CampaignState, Editor
from colporteur.domain.mailings import CopyState
from colporteur.domain.standing import Standing
from colporteur.domain.words import Invalid
from colporteur.flow import campaigns, memberships, nesting, planning
from colporteur.store import copies
from colporteur.store.campaigns import Campaign, Picked
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address, Person
from colporteur.store.segments import Attribute, Details, Segment
from colporteur.store.standing import AddressStanding
from tests.story.scenes import a_list, a_transport, join

NOW = timezone.now()


def a_campaign(list_: List, **fields: object) -> Campaign:
    return campaigns.create(list_, NOW, by="test", **{"subject": "News", "editor": Editor.MARKDOWN, "source": "# Hello\n\nGood news.", **fields})  # type: ignore[arg-type]


def planned(mailing: Mailing | None) -> set[str]:
    assert mailing
    while planning.plan_due(timezone.now()):
        pass
    mailing.refresh_from_db()
    assert mailing.planned and not mailing.error
    return to_whom(mailing)


def to_whom(mailing: Mailing) -> set[str]:
    return {email.partition("@")[0] for email in Copy.objects.filter(mailing=mailing).exclude(state=CopyState.CANCELLED).values_list("address__email", flat=True)}


@pytest.fixture
def lists(db: None) -> tuple[List, List]:
    """Two newsletters of one organisation: anna, ben, cleo on the first; cleo, dora on the second."""
    a_transport("smtp://127.0.0.1:9")
    first, second = a_list("first@lists.example", template="newsletter"), a_list("second@lists.example", template="newsletter")
    join(first, ["anna@x.example", "ben@x.example", "cleo@x.example"])
    join(second, ["cleo@x.example", "dora@x.example"])
    return first, second


def test_a_newsletter_goes_to_its_own_list_once_however_often_it_is_started(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert campaigns.start(campaign.pk, NOW, "test") == mailing
    assert planned(mailing) == {"anna", "ben", "cleo"}
    assert Mailing.objects.count() == 1
    assert set(JournalEntry.objects.filter(event__startswith="campaign.").values_list("event", flat=True)) == {"campaign.created", "campaign.started"}


def test_several_lists_give_one_copy_each_that_comes_by_a_list_of_theirs(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[first, second])
    assert campaigns.counted(campaign, NOW).recipients == 4
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert planned(mailing) == {"anna", "ben", "cleo", "dora"}
    assert mailing
    dora, cleo = (Address.objects.get(email=f"{name}@x.example") for name in ("dora", "cleo"))
    assert nesting.inner_of(mailing, dora.pk) == second
    assert nesting.inner_of(mailing, cleo.pk) is None
    memberships.leave(second, dora, NOW, by="dora")
    assert claimed(mailing) == {"anna", "ben", "cleo"}, "whoever leaves the list a copy comes by gets none"


def claimed(mailing: Mailing) -> set[str]:
    slices = [copies.Claimed(mailing.pk, number, 0) for number in Slice.objects.filter(mailing=mailing).values_list("number", flat=True)]
    return {due.email.partition("@")[0] for due in copies.copies_of(slices, timezone.now()) if due.here}


def test_who_is_left_out_paused_in_trouble_or_there_twice_is_counted_with_the_reason(lists: tuple[List, List]) -> None:
    first, second = lists
    person = Person.objects.create(name="Eve")
    join(first, ["eve@x.example", "eve.work@x.example", "fred@x.example", "gone@x.example", "dora.home@x.example"])
    Address.objects.filter(email__startswith="eve").update(person=person)
    Address.objects.filter(email__startswith="dora").update(person=Person.objects.create(name="Dora"))
    first.memberships.filter(email="fred@x.example").update(paused=True)
    AddressStanding.objects.create(address=Address.objects.get(email="gone@x.example"), state=Standing.GONE, since=NOW)
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", left_out=[second])
    found = campaigns.counted(campaign, NOW)
    assert found.recipients == 3
    assert dict(found.excluded) == {"paused, or read elsewhere": 1, "left out": 2, "mail does not reach the address": 1, "get it at another address of theirs": 1}
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "eve"}


def test_a_segment_means_who_it_meant_when_the_newsletter_was_started(lists: tuple[List, List]) -> None:
    first, _second = lists
    Attribute.objects.create(list=first, key="city", label="City")
    for name, city in (("anna", "Rennes"), ("ben", "Rennes"), ("cleo", "Brest")):
        Details.objects.create(list=first, address=Address.objects.get(email=f"{name}@x.example"), values={"city": city})
    rennes = Segment.objects.create(list=first, name="Rennes", created=NOW, rule={"match": "all", "parts": [{"about": "attribute", "key": "city", "kind": "text", "is": "equals", "value": "Rennes"}]})
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[rennes])
    assert campaigns.counted(campaign, NOW).recipients == 2
    mailing = campaigns.start(campaign.pk, NOW, "test")
    Details.objects.filter(address__email="cleo@x.example").update(values={"city": "Rennes"})
    assert planned(mailing) == {"anna", "ben"}
    assert not Picked.objects.exists()
    others = campaigns.copy(campaign, NOW, "test")
    others = campaigns.address_to(others.pk, others.version, NOW, "test", left_out=[rennes])
    with pytest.raises(Invalid, match="nobody"):
        campaigns.start(others.pk, NOW, "test")
    Details.objects.filter(address__email="ben@x.example").update(values={"city": "Brest"})
    assert planned(campaigns.start(others.pk, NOW, "test")) == {"ben"}


def test_the_same_newsletter_for_another_list_skips_who_has_it(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    planned(campaigns.start(campaign.pk, NOW, "test"))
    again = campaigns.copy(campaign, NOW, "test", second)
    assert campaigns.counted(again, NOW) == (1, [("have it already", 1)])
    assert planned(campaigns.start(again.pk, NOW, "test")) == {"dora"}


def test_two_editors_notice_each_other_and_what_was_sent_stays(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    changed = campaigns.change(campaign.pk, campaign.version, NOW, "anna", subject="  Better \r\n news ")
    assert changed.subject == "Better news"
    with pytest.raises(Invalid, match="somebody else"):
        campaigns.change(campaign.pk, campaign.version, NOW, "ben", subject="Worse")
    with pytest.raises(Invalid, match="domain of the organisation"):
        campaigns.change(campaign.pk, changed.version, NOW, "ben", sender_address="ceo@bank.example")
    campaigns.start(campaign.pk, NOW, "anna")
    with pytest.raises(Invalid, match="was sent"):
        campaigns.change(campaign.pk, changed.version + 1, NOW, "ben", subject="Late")
    with pytest.raises(Invalid, match="kept"):
        campaigns.delete(Campaign.objects.get(pk=campaign.pk), NOW, "ben")


def test_only_owners_send(lists: tuple[List, List]) -> None:
    stranger = Person.objects.create(name="Stranger")
    campaign = a_campaign(lists[0])
    for attempt in (lambda: campaigns.start(campaign.pk, NOW, stranger), lambda: campaigns.test(campaign, ["a@b.example"], NOW, stranger), lambda: campaigns.copy(campaign, NOW, stranger, lists[1])):
        with pytest.raises(Invalid, match="not yours"):
            attempt()


def test_a_scheduled_newsletter_leaves_at_its_time_and_one_that_cannot_becomes_a_draft(lists: tuple[List, List]) -> None:
    first, second = lists
    good, bad = a_campaign(first), a_campaign(second)
    at = NOW + timedelta(hours=2)
    assert campaigns.start(good.pk, NOW, "test", at=at) is None
    assert campaigns.start(bad.pk, NOW, "test", at=at) is None
    for email in ("cleo@x.example", "dora@x.example"):
        memberships.leave(second, Address.objects.get(email=email), NOW, by="them")
    assert campaigns.start_due(NOW) == 0
    assert campaigns.start_due(at) == 2
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state, bad.send_at) == (CampaignState.STARTED, CampaignState.DRAFT, None)
    assert JournalEntry.objects.get(event="campaign.unsent").values["reason"] == "nobody would receive it: the audience is empty"
    assert planned(good.mailing) == {"anna", "ben", "cleo"}


def test_tests_and_single_copies_go_to_anybody_and_are_not_the_campaigns(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    first, second = campaigns.test(campaign, ["me@y.example", "anna@x.example"], NOW, "test")
    assert first.subject == "[TEST] News" and b"[TEST] News" in bytes(first.blob.raw)
    one = campaigns.send_to(campaign, "stranger@y.example", NOW, "test")
    assert [claimed(mailing) for mailing in (first, second, one)] == [{"me"}, {"anna"}, {"stranger"}]
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT and campaign.mailing is None
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "cleo"}
