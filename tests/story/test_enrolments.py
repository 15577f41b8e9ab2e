"""A long file of members, a worker that is killed in the middle of it, and another one that goes on: all of them, or nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from colporteur.flow import enrolments
from colporteur.store.enrolments import Enrolment
from colporteur.store.memberships import Membership
from tests.servers.ports import wait_until
from tests.story.scenes import Installation, a_list, a_person

MANY = 40_000


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_adds_leaves_nothing_half_done(tmp_path: Path) -> None:
    amis, olga = a_list(), a_person("olga@members.example")
    text = "\n".join(f"n{number:06}@members.example Nom {number}" for number in range(MANY))
    row = enrolments.begin(amis, text, timezone.now(), person=olga, file="membres.txt")
    with Installation(tmp_path) as installation:
        installation.start("worker")
        wait_until(lambda: Enrolment.objects.get().state == "ready", 120, "nobody read it")
        assert Enrolment.objects.get().total == MANY and not Membership.objects.exists()
        enrolments.accept(row.pk, timezone.now())
        wait_until(lambda: Enrolment.objects.get().done > 0, 120, "nobody adds them")  # told while the transaction is open
        installation.kill("worker")
        assert Membership.objects.count() in (0, MANY)
        installation.start("worker")
        wait_until(lambda: Enrolment.objects.get().state == "done", 200, "nobody went on")
    assert Membership.objects.filter(list=amis, until__isnull=True).count() == MANY and Enrolment.objects.get().added == MANY
