"""Whom a newsletter is for stays what it was: with lists inside lists, without its details, and when a list of it is gone for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.domain.campaigns import CampaignState
from colporteur.domain.words import Invalid
from colporteur.flow import campaigns, nesting, resending, tracking
from colporteur.flow.resending import Whom
from colporteur.store import purging
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from tests.flow.test_campaigns import NOW, a_campaign, planned, settle
from tests.story.scenes import a_list, a_transport, join

YEARS = NOW + timedelta(days=1000)


@pytest.fixture
def lists(db: None) -> tuple[List, List]:
    """Two newsletters of one organisation: anna, ben, cleo on the first; cleo, dora on the second."""
    a_transport("smtp://127.0.0.1:9")
    first, second = a_list("first@lists.example", template="newsletter"), a_list("second@lists.example", template="newsletter")
    join(first, ["anna@x.example", "ben@x.example", "cleo@x.example"])
    join(second, ["cleo@x.example", "dora@x.example"])
    return first, second


def _to(campaign: Campaign, *lists: List, left_out: tuple[List, ...] = ()) -> Campaign:
    return campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=lists, left_out=left_out)


def _sent(campaign: Campaign) -> Mailing:
    """Started, and every copy accepted."""
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing
    settle(mailing, [f"{one}@x.example" for one in planned(mailing)], [])
    return mailing


def _without_details(campaign: Campaign) -> None:
    Mailing.objects.filter(campaign=campaign).update(state="done", finished=NOW)
    campaign.refresh_from_db()
    assert tracking.purge([campaign], YEARS, by="test") == 1


# --- lists inside lists ---


def test_who_paused_the_outer_list_gets_no_newsletter_of_it_by_a_list_inside(lists: tuple[List, List]) -> None:
    first, second = lists
    nesting.put_inside(first, second, NOW, by="test")
    join(first, ["dora@x.example", "eva@x.example"])
    join(second, ["eva@x.example", "finn@x.example"])
    Membership.objects.filter(list=first, email="dora@x.example").update(paused=True)
    Membership.objects.filter(list=first, email="eva@x.example").update(delivery="none")
    campaign = a_campaign(first)
    assert campaigns.counted(campaign, NOW) == (4, [("paused, or read elsewhere", 2)])
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "cleo", "finn"}
    both = _to(a_campaign(first), first, second)
    assert campaigns.counted(both, NOW).recipients == 6, "the second was chosen for itself"
    third = a_list("third@lists.example", template="newsletter")
    nesting.put_inside(third, second, NOW, by="test")
    assert campaigns.counted(_to(a_campaign(first), first, third), NOW).recipients == 6, "it stands inside one they did not pause, too"


def test_who_is_left_out_of_one_of_several_lists_gets_no_newsletter_of_it_by_a_list_inside(lists: tuple[List, List]) -> None:
    first, second = lists
    third = a_list("third@lists.example", template="newsletter")
    nesting.put_inside(third, second, NOW, by="test")
    nesting.exclude(third, "dora@x.example", NOW, by="dora")
    both = _to(a_campaign(first), first, third)
    assert campaigns.counted(both, NOW).recipients == 3
    assert planned(campaigns.start(both.pk, NOW, "test")) == {"anna", "ben", "cleo"}
    nesting.put_inside(first, second, NOW, by="test")
    assert campaigns.counted(_to(a_campaign(first), first, third), NOW).recipients == 4, "it stands inside one they were not left out of, too"


# --- without details ---


def test_what_is_copied_from_one_without_details_is_refused_and_not_sent_twice(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    _sent(campaign)
    again = campaigns.copy(campaign, NOW, "test", second)
    later = campaigns.copy(campaign, NOW, "test", second)
    mailing = _sent(later)
    _without_details(campaign)
    with pytest.raises(Invalid, match="nobody can tell any more who has it"):
        campaigns.start(again.pk, NOW, "test")
    join(second, ["anna@x.example"], since=NOW + timedelta(minutes=1))
    with pytest.raises(ValueError, match="nobody can tell any more who has it"):
        resending.preview(mailing, Whom.NEW, NOW + timedelta(minutes=2))
    anew = campaigns.copy(again, NOW, "test")
    assert planned(campaigns.start(anew.pk, NOW + timedelta(minutes=2), "test")) == {"anna", "cleo", "dora"}, "the way out that is said"


def test_the_first_sent_again_skips_who_has_a_copy_of_it_for_another_list(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    mailing = _sent(campaign)
    _sent(campaigns.copy(campaign, NOW, "test", second))
    join(first, ["dora@x.example", "eva@x.example"], since=NOW + timedelta(minutes=1))
    assert resending.preview(mailing, Whom.NEW, NOW + timedelta(minutes=2)).first == ["eva@x.example"]


def test_details_stay_while_copies_of_the_same_newsletter_are_written(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    _sent(campaign)
    Mailing.objects.filter(campaign=campaign).update(state="done", finished=NOW)
    other = campaigns.start(campaigns.copy(campaign, NOW, "test", lists[1]).pk, NOW, "test")
    assert campaign not in tracking.due(YEARS)
    assert planned(other) == {"dora"}
    assert campaign in tracking.due(YEARS)


# --- lists that are gone for good ---


def test_what_went_to_a_list_that_is_gone_goes_again_to_no_other(lists: tuple[List, List]) -> None:
    first, second = lists
    third = a_list("third@lists.example", template="newsletter")
    join(third, ["gus@x.example"])
    one, several = _to(a_campaign(first), second), _to(a_campaign(first), second, third)
    only, both = _sent(one), _sent(several)
    purging.purge(second)
    join(first, ["new@x.example"], since=NOW + timedelta(minutes=1))
    join(third, ["newer@x.example"], since=NOW + timedelta(minutes=1))
    at = NOW + timedelta(minutes=2)
    assert resending.preview(only, Whom.NEW, at).number == 0
    with pytest.raises(ValueError, match="nobody is left"):
        resending.resend(only, Whom.NEW, at, by="test")
    assert planned(resending.resend(both, Whom.NEW, at, by="test").mailing) == {"newer"}


def test_a_draft_says_that_a_list_is_gone_and_leaves_when_somebody_chose_anew(lists: tuple[List, List]) -> None:
    first, second = lists
    one, without, sure = _to(a_campaign(first), second), _to(a_campaign(first), first, left_out=(second,)), a_campaign(first)
    campaigns.start(_to(a_campaign(first), second).pk, NOW, "test", at=NOW + timedelta(hours=1))
    purging.purge(second)
    assert not Campaign.objects.filter(state=CampaignState.SCHEDULED).exists()
    one.refresh_from_db()
    assert campaigns.counted(one, NOW).recipients == 0, "not its own list instead"
    for draft in (one, without, campaigns.copy(one, NOW, "test")):
        with pytest.raises(Invalid, match="second"):
            campaigns.start(draft.pk, timezone.now(), "test")
    one.refresh_from_db()
    assert _to(one, first).lost == ""
    assert planned(campaigns.start(one.pk, NOW, "test")) == planned(campaigns.start(sure.pk, NOW, "test")) == {"anna", "ben", "cleo"}
