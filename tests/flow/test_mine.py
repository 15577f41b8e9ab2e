"""Pausing everything: copies that were planned before are skipped when they are claimed, and letters still come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.flow import copies, letters, people
from colporteur.store.mailings import Copy
from colporteur.store.people import Address
from tests.daemons.delivering import a_mailing
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db


def test_who_paused_everything_is_skipped_when_copies_are_claimed() -> None:
    a_transport("smtp://127.0.0.1:1")
    mailing, now = a_mailing(a_list(members=4)), timezone.now()
    first, second = Address.objects.filter(pk__in=Copy.objects.filter(mailing=mailing).values("address_id")).order_by("pk")[:2]
    people.pause_all([first], now + timedelta(days=2), now)
    people.pause_all([second], now + timedelta(seconds=1), now)
    [work] = copies.claim(mailing.transport_id or 0, now + timedelta(seconds=1), 60.0)
    assert {copy.address for copy in work.copies} == set(Copy.objects.filter(mailing=mailing).exclude(address=first).values_list("address_id", flat=True))


def test_letters_come_during_the_pause() -> None:
    a_transport("smtp://127.0.0.1:1")
    now, anna = timezone.now(), Address.objects.create(email="anna@members.example")
    people.pause_all([anna], now + timedelta(days=2), now)
    letters.send("signin", anna, now, fields={"link": "x", "minutes": "30"})
    [work] = copies.claim(Copy.objects.get(address=anna).mailing.transport_id or 0, now, 60.0)
    assert [copy.address for copy in work.copies] == [anna.pk]
