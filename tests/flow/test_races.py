"""Two at once: what only a lock or a constraint can keep right."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from colporteur.flow import demo, lists, memberships, organisations, people, roles, transports
from colporteur.store.lists import Alias, List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, Organisation, Person, Role
from colporteur.store.transports import Transport

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run them in threads that begin together: what each returned, or the ``ValueError`` it raised."""
    begin = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        try:
            begin.wait(10)
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
        thread.join(30)
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
