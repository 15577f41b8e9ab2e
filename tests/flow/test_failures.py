"""Who is told that copies of a post could not be delivered."""

from __future__ import annotations

import pytest

from colporteur.flow import failures, lists, moderation
from colporteur.flow.planning import plan_due
from colporteur.store.lists import List, RoleKind
from colporteur.store.models import Address, Copy, Mailing, Refusal
from tests.flow.posts import NOW, arrives, letters, text
from tests.story.scenes import a_list, give_role, message

pytestmark = pytest.mark.django_db
ANNA, DEAD = "anna@members.example", "dead@members.example"


@pytest.fixture
def amis() -> List:
    list_ = a_list("amis@lists.example", members=[ANNA, DEAD], title="Amis")
    give_role(list_, RoleKind.OWNER, "olga@members.example")
    return list_


def ended(list_: List) -> Mailing:
    """A mailing that ended with one refused copy."""
    arrives(list_, message(f"Anna <{ANNA}>"))
    moderation.judge_due(NOW)
    plan_due(NOW)
    mailing = Mailing.objects.get(kind="post")
    dead = Address.objects.get(email=DEAD)
    Copy.objects.filter(mailing=mailing, address=dead).update(state=3, code=550)
    Refusal.objects.create(mailing_id=mailing.pk, address_id=dead.pk, at=NOW, code=550, text="550 5.1.1 no such user")
    failures.tell_ended(mailing.pk, 1, 2, NOW)
    return mailing


def test_nobody_is_told_unless_the_list_says_so(amis: List) -> None:
    ended(amis)
    assert letters("undelivered") == []


def test_the_author_is_told_how_many_and_not_who(amis: List) -> None:
    lists.set_policy(amis, {"reports_to": "sender"}, "test", NOW)
    ended(amis)
    ((_name, to, letter),) = letters("undelivered")
    assert to == ANNA and "1 of 2" in text(letter) and DEAD not in text(letter)


def test_owners_are_told_whose_copy_failed_and_why(amis: List) -> None:
    lists.set_policy(amis, {"reports_to": "owner"}, "test", NOW)
    ended(amis)
    ((_name, to, letter),) = letters("undelivered")
    assert to == "olga@members.example" and f"{DEAD}: 550 5.1.1 no such user" in text(letter)


def test_late_reports_are_told_a_few_times_a_day(amis: List) -> None:
    lists.set_policy(amis, {"reports_to": "owner"}, "test", NOW)
    mailing, dead = ended(amis), Address.objects.get(email=DEAD)
    for _time in range(9):
        failures.tell_report(mailing.pk, dead, "failed 5.1.1 no such user", NOW)
    failures.tell_report(mailing.pk, dead, "delayed 4.4.1", NOW)
    assert len(letters("undelivered")) == failures.LATE_A_DAY
