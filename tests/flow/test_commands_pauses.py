"""``suspend`` with days, ``resume``, and ``review`` for members: as the settings allow."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from colporteur.domain.commands import Command, Verb, parse
from colporteur.flow import commands
from colporteur.flow.commands import Asked
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import NOW
from tests.story.scenes import a_list, a_person, give_role

OWN = ("amis", "amis@lists.example")
FIRST, LAST = date(2026, 12, 1), date(2026, 12, 15)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(("line", "first", "last"), [
    ("suspend", None, None), ("suspend amis 2026-12-01..2026-12-15", FIRST, LAST), ("SUSPEND from 01-12-2026 to 15-12-2026", FIRST, LAST), ("suspendre du 1/12/2026 au 15/12/2026", FIRST, LAST),
    ("suspend until 2026-12-15", None, LAST), ("pause jusqu’au 15.12.2026", None, LAST), ("suspend 2026-12-15", None, LAST), ("suspend * from 2026-12-01", FIRST, None), ("suspendre à partir du 01/12/2026", FIRST, None),
])  # fmt: skip
def test_days_of_a_pause(line: str, first: date | None, last: date | None) -> None:
    found = parse(line, OWN)
    assert found and (found.verb, found.first, found.last) == (Verb.SUSPEND, first, last)


@pytest.mark.parametrize("line", ["suspend 2026-13-01", "suspend from 2026-12-15 to 2026-12-01", "suspend my friend 2026-12-01", "suspend from yesterday", "suspend from", "resume 2026-12-01", "suspend 2026-12-01 2026-12-02 2026-12-03"])
def test_what_is_surely_no_pause(line: str) -> None:
    assert parse(line, OWN) is None


@pytest.fixture
def amis(db: None) -> List:
    list_ = a_list(members=["anna@members.example", "marc@members.example"])
    give_role(list_, RoleKind.OWNER, "olga@members.example")
    anna = a_person("anna@members.example")
    anna.time_zone = "Europe/Paris"
    anna.save()
    return list_


def address(name: str) -> Address:
    return Address.objects.select_related("person").get_or_create(email=f"{name}@members.example")[0]


def row(list_: List) -> Membership:
    return Membership.objects.get(list=list_, address__email="anna@members.example")


def do(list_: List, line: str) -> str:
    command = parse(line, OWN)
    assert command
    return commands.do(Asked(command, list_), address("anna"), NOW)()


def test_the_pause_begins_and_ends_with_its_days_where_the_member_lives(amis: List) -> None:
    assert "from 1 December 2026 to 15 December 2026" in do(amis, "suspend from 2026-12-01 to 2026-12-15")
    assert (row(amis).paused, row(amis).pause_from, row(amis).pause_until) == (False, datetime(2026, 12, 1, tzinfo=PARIS), datetime(2026, 12, 16, tzinfo=PARIS))
    do(amis, "suspend until 2026-12-15")
    assert row(amis).paused and row(amis).pause_until == datetime(2026, 12, 16, tzinfo=PARIS)
    do(amis, "resume")
    assert (row(amis).paused, row(amis).pause_from, row(amis).pause_until) == (False, None, None)
    assert "over before it begins" in do(amis, "suspend until 2026-11-20") and not row(amis).paused
    do(amis, "suspend")
    assert row(amis).paused and do(amis, "resume") and not row(amis).paused


@pytest.mark.parametrize(("shown", "owner", "member", "stranger"), [("members", True, True, False), ("owners", True, False, False), ("nobody", False, False, False)])
def test_who_is_answered_about_the_members(amis: List, shown: str, owner: bool, member: bool, stranger: bool) -> None:
    amis.policy |= {"members_shown": shown}
    amis.save()
    Membership.objects.filter(list=amis, address__email="marc@members.example").update(hidden=True)
    for who, may in (("olga", owner), ("anna", member), ("zoe", stranger)):
        answer = commands.look(Asked(Command(Verb.REVIEW), amis), address(who), "lists.example")()
        assert ("anna@members.example" in answer) is may and ("marc@members.example" in answer) is (may and who == "olga"), (who, answer)
