"""A clock that was set back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import models
from django.utils import timezone

from colporteur.flow import clock
from colporteur.store.clock import WAITING, Clock
from colporteur.store.memberships import Membership
from colporteur.store.transports import Transport
from tests.story.scenes import LONG_AGO, a_list, a_transport

HOUR = timedelta(hours=1)


@pytest.mark.django_db
def test_what_waits_goes_on_when_it_would_have_and_only_once() -> None:
    assert clock.look() == 0 and clock.look() == 0
    list_ = a_list(members=["left@members.example", "stays@members.example"])
    now = timezone.now()
    Membership.objects.filter(address__email="left@members.example").update(since=LONG_AGO, until=now + HOUR)
    Membership.objects.filter(address__email="stays@members.example").update(since=now + HOUR)
    soon, late = a_transport("smtp://127.0.0.1:1", "soon"), a_transport("smtp://127.0.0.1:1", "late", default=False)
    Transport.objects.filter(pk=soon.pk).update(next_try=now - HOUR)
    Transport.objects.filter(pk=late.pk).update(next_try=now + HOUR + timedelta(minutes=5))
    Clock.objects.update(latest=now + HOUR)

    assert abs(clock.look() - 3600) < 60
    assert clock.look() == 0, "once"
    soon.refresh_from_db()
    late.refresh_from_db()
    assert soon.next_try == now - HOUR, "its time had come anyway"
    assert late.next_try and timedelta(minutes=4) < late.next_try - now < timedelta(minutes=6)
    after = timezone.now() + timedelta(seconds=1)
    assert Membership.objects.filter(list=list_, since__lte=after, until__isnull=True).count() == 1
    assert Membership.objects.filter(list=list_, until__lte=after).count() == 1


def test_every_moment_that_is_waited_for_is_known() -> None:
    fields = [(model, field) for model in apps.get_app_config("store").get_models() for field in model._meta.get_fields() if isinstance(field, models.DateTimeField)]
    found = {(model._meta.db_table, field.column) for model, field in fields if field.name.startswith(("next_", "resume_", "due_")) or field.name.endswith(("_until", "_due"))}
    found = {(table, column) for table, column in found if not column.startswith("pause")}  # a day a person chose stays that day
    assert found <= set(WAITING) <= {(model._meta.db_table, field.column) for model, field in fields}
