"""Two at once: what only a lock or a constraint can keep right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from colporteur.domain.campaigns import Editor
from colporteur.flow import campaigns, demo, lists, mailings, memberships, organisations, people, planning, roles, transports
from colporteur.store import copies
from colporteur.store.lists import Alias, List, RoleKind
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, Organisation, Person, Role
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_post
from tests.servers.ports import wait_until
from tests.story.scenes import a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run them in threads that begin together: what each returned, or the ``ValueError`` it raised."""
    begin = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            begin.wait(60)
            answers[number] = work()
        except ValueError as error:
            answers[number] = error
        except Exception as error:
            answers[number] = AssertionError(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not [answer for answer in answers if isinstance(answer, AssertionError)], answers
    return answers


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    return lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")


def test_one_address_is_one_list_or_one_alias(amapiens: List) -> None:
    answers = at_once(
        lambda: lists.create("paniers@saule.example", "discussion", "helene@saule.example", NOW, by="a"),
        lambda: lists.create("paniers@saule.example", "discussion", "helene@saule.example", NOW, by="b"),
        lambda: lists.add_alias(amapiens, "paniers@saule.example", NOW, by="c"),
    )
    assert sum(isinstance(answer, ValueError) for answer in answers) == 2
    assert List.objects.filter(address="paniers@saule.example").count() + Alias.objects.count() == 1


def test_two_owners_cannot_both_go(amapiens: List) -> None:
    roles.give(amapiens, "paul@saule.example", RoleKind.OWNER, NOW, by="test")
    at_once(*(lambda email=email: roles.take(amapiens, email, RoleKind.OWNER, NOW, by="test") for email in ("helene@saule.example", "paul@saule.example")))
    assert Role.objects.filter(kind=RoleKind.OWNER).count() == 1


def test_a_mailing_somebody_looks_at_for_a_moment_is_planned_when_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks whether it is done locks it, and wakes nobody: its next range must not wait for the sweep."""
    monkeypatch.setattr(planning, "FIRST_RANGE", 5)
    a_transport("smtp://127.0.0.1:1")
    with transaction.atomic():
        mailing = mailings.create_for_post(a_post(a_list(members=10)), NOW)
    assert planning.plan_due(NOW) == 1
    held, waits = threading.Event(), threading.Event()

    def look() -> None:
        with transaction.atomic():
            assert not copies.lock_mailing(mailing.pk)[1]
            held.set()
            assert waits.wait(60)

    def plan() -> int:
        assert held.wait(60)
        return planning.plan_due(NOW) + planning.plan_due(NOW)

    def watch() -> None:
        with connection.cursor() as cursor:
            wait_until(lambda: cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        waits.set()

    assert at_once(look, plan, watch)[1] == 2
    assert Copy.objects.filter(mailing=mailing).count() == 10


def test_the_same_file_twice_at_once_adds_everybody_once(amapiens: List) -> None:
    there = [(f"p{number}@a.example", "") for number in range(3000)]
    answers = at_once(lambda: memberships.add(amapiens, there, NOW, by="a"), lambda: memberships.add(amapiens, there[::-1], NOW, by="b"))
    assert sum(answer.added for answer in answers) == 3000 == Membership.objects.filter(until__isnull=True).count()


def test_a_sign_in_link_is_redeemed_by_one(amapiens: List) -> None:
    token = people.sign_in_token("helene@saule.example", NOW)
    answers = at_once(*(lambda: people.redeem(token, NOW) for _ in range(4)))
    assert sum(answer is not None for answer in answers) == 1


def test_one_person_and_one_organisation_and_one_default_transport() -> None:
    at_once(*(lambda: people.add("anna@a.example", now=NOW) for _ in range(3)))
    assert Person.objects.count() == Address.objects.count() == 1
    at_once(*(lambda number=number: organisations.add_domain(f"d{number}.example", None, NOW, by="test") for number in range(3)))
    assert Organisation.objects.count() == 1
    at_once(*(lambda number=number: transports.add(f"t{number}", "smtp://relay.example", NOW) for number in range(3)))
    assert Transport.objects.filter(is_default=True).count() == 1


def test_settings_changed_at_once_are_all_kept(amapiens: List) -> None:
    wishes = [{"prefix": "[a]"}, {"footer": "b"}, {"own_copy": "no"}, {"expire_days": "3"}]
    at_once(*(lambda wish=wish: lists.set_policy(amapiens, wish, "test", NOW) for wish in wishes))
    assert List.objects.get().policy == {"prefix": "[a]", "footer": "b", "own_copy": False, "expire_days": 3}


def test_the_demo_is_made_once() -> None:
    assert sorted(at_once(lambda: demo.fill(NOW), lambda: demo.fill(NOW))) == [False, True]


def test_the_same_newsletter_for_two_lists_reaches_who_is_on_both_once() -> None:
    """Planned at once by two workers: the second one waits for what the first has not committed."""
    a_transport("smtp://127.0.0.1:1")
    first, second = (a_list(f"{name}@lists.example", members=["both@a.example", f"{name}@a.example"], template="newsletter") for name in ("first", "second"))
    campaign = campaigns.create(first, timezone.now(), by="test", subject="News", editor=Editor.MARKDOWN, source="# Hello")
    other = campaigns.copy(campaign, timezone.now(), "test", second)
    ended = threading.Event()

    def plan_other() -> None:
        try:
            Mailing.objects.filter(pk=second_mailing.pk).update(planned=False)
            planning.plan_due(timezone.now())
        finally:
            ended.set()
            connection.close()

    first_mailing, second_mailing = (campaigns.start(one.pk, timezone.now(), "test") for one in (campaign, other))
    assert first_mailing and second_mailing
    Mailing.objects.filter(pk=second_mailing.pk).update(planned=True)  # not yet
    thread = threading.Thread(target=plan_other)
    with transaction.atomic(), connection.cursor() as cursor:
        planning.plan_due(timezone.now())
        thread.start()

        def waits() -> bool:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database())")
            return bool(cursor.fetchone()[0])

        wait_until(lambda: waits() or ended.is_set())
    thread.join()
    assert sorted(Copy.objects.values_list("address__email", flat=True)) == ["both@a.example", "first@a.example", "second@a.example"]
