"""What limits mean for the end of a mailing, before and while it is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.domain.mailings import Priority
from colporteur.domain.pacing import Rate
from colporteur.flow import destinations, limits, mailings
from colporteur.store.buckets import BucketRow
from colporteur.store.destinations import DestinationGroup, MailDomain
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Mailing, Slice
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db


def test_two_hundred_members_of_an_account_with_160_an_hour_take_a_quarter_of_an_hour() -> None:
    transport = a_transport("smtp://me:secret@ssl0.ovh.net")
    list_ = a_list(members=200)
    assert limits.before_sending(list_, 200) == 0
    limits.use_profile(transport, "ovh", timezone.now(), "test")
    assert limits.before_sending(list_, 200) == pytest.approx(40 * 3600 / 160)
    now = timezone.now()
    totals = mailings.totals(a_mailing(list_).pk, now)
    assert totals.eta == now + timedelta(seconds=900)


def test_what_leaves_before_counts_and_what_leaves_after_does_not() -> None:
    transport = a_transport("smtp://relay.example")
    first, second = a_mailing(a_list(members=100)), a_mailing(a_list("b@lists.example", members=300))
    limits.change(limits.of_transport(transport), [Rate(60, 60)], timezone.now(), "test")
    now = timezone.now()
    assert mailings.totals(first.pk, now).eta == now + timedelta(seconds=140), "they take turns: 200 leave, 60 of them at once"
    assert mailings.totals(second.pk, now).eta == now + timedelta(seconds=340)
    Mailing.objects.filter(pk=second.pk).update(priority=Priority.NEWSLETTER)
    Slice.objects.filter(mailing=second).update(priority=Priority.NEWSLETTER)
    assert mailings.totals(first.pk, now).eta == now + timedelta(seconds=40)
    Mailing.objects.filter(pk=first.pk).update(state="paused")
    assert mailings.totals(first.pk, now).eta is None


def test_a_list_of_its_own_limit_waits_for_that() -> None:
    a_transport("smtp://relay.example")
    list_ = a_list(members=100)
    limits.change(limits.of_list(list_), [Rate(10, 60), Rate(50, 86400)], timezone.now(), "test")
    assert limits.before_sending(list_, 100) == 86400


def test_limits_that_stay_keep_what_was_used_and_a_slower_group_shows_its_limits_as_they_were_set() -> None:
    transport, now = a_transport("smtp://relay.example"), timezone.now()
    thing = limits.of_transport(transport)
    assert limits.change(thing, [Rate(10, 60), Rate(100, 3600)], now, "test") and not limits.change(thing, [Rate(100, 3600), Rate(10, 60)], now, "test")
    hour = BucketRow.objects.get(seconds=3600).pk
    assert limits.change(thing, [Rate(200, 3600)], now, "test")
    assert BucketRow.objects.get().pk == hour
    destinations.ship()
    group = DestinationGroup.objects.get(name="gmail")
    destinations.refused(group.pk, 421, "4.7.28 unusual rate", now)
    group.refresh_from_db()
    destinations.refused(group.pk, 421, "4.7.28 unusual rate", now)
    assert JournalEntry.objects.filter(event="destination.paused").count() == 1, "told once for each rest"
    assert group.percent == 50 and [limit.rate for limit in limits.show(limits.of_group(group))] == [Rate(960, 60)]



def test_the_reckoned_end_counts_the_limits_of_destinations() -> None:
    transport, now = a_transport("smtp://relay.example"), timezone.now()
    list_ = a_list(members=[f"p{number}@{'orange.fr' if number % 2 else 'members.example'}" for number in range(200)])
    destinations.ship()
    group = DestinationGroup.objects.get(name="orange")
    limits.change(limits.of_group(group), [Rate(40, 3600)], now, "test")
    assert limits.before_sending(list_, 200, now) == 0, "a service without limits leaves destinations alone"
    limits.by_destination(transport, True, now, "test")
    assert limits.before_sending(list_, 200, now) == pytest.approx(60 * 90, rel=0.05), "100 of the 200 go there, 40 of them at once"
    mailing = a_mailing(list_)
    assert mailings.totals(mailing.pk, now).eta == now + timedelta(seconds=5400)
    DestinationGroup.objects.filter(pk=group.pk).update(percent=50, rests_until=now + timedelta(seconds=600))
    assert mailings.totals(mailing.pk, now).eta == now + timedelta(seconds=600 + 2 * 5400)
    assert not MailDomain.objects.exists(), "reckoning writes nothing"


def test_every_limit_a_list_is_under_is_known_with_whose_it_is() -> None:
    transport, now = a_transport("smtp://me:secret@ssl0.ovh.net"), timezone.now()
    list_ = a_list(members=1)
    limits.change(limits.of_transport(transport), [Rate(60, 60)], now, "test")
    limits.use_profile(transport, "ovh", now, "test")
    limits.change(limits.of_organisation(list_.organisation), [Rate(1000, 86400)], now, "test")
    limits.change(limits.of_list(list_), [Rate(100, 3600)], now, "test")
    found = [(held.thing.kind, str(held.limit.rate), held.narrowest) for held in limits.above(list_)]
    assert found[:2] == [("list", "100/hour", False), ("organisation", "1000/day", True)] and {kind for kind, _, _ in found} >= {"list", "organisation", "account"}
