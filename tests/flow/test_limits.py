"""What limits mean for the end of a mailing, before and while it is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.domain.mailings import Priority
from colporteur.domain.pacing import Rate
from colporteur.flow import destinations, limits, mailings
from colporteur.store.buckets import BucketRow
from colporteur.store.destinations import DestinationGroup
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
    assert group.percent == 50 and [limit.rate for limit in limits.show(limits.of_group(group))] == [Rate(960, 60)]
