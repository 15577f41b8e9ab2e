"""The box edited is the list edited: shown first, done whole or not at all, never against what happened meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain import entries
from colporteur.flow import lists, memberships, organisations, roster
from colporteur.store.lists import List
from colporteur.store.memberships import Membership, Source
from colporteur.store.models import Address

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    made = lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(made, [("anna@a.example", "Anna"), ("marc@a.example", "Marc")], NOW, by="test")
    return made


def present(list_: List) -> set[str]:
    return set(Membership.objects.filter(list=list_, until__isnull=True).values_list("address__email", flat=True))


def box(text: str) -> entries.Entries:
    return entries.of_lines(entries.lines_of(text))


def test_the_box_as_it_is_changes_nothing(amapiens: List) -> None:
    text = roster.lines(amapiens, 10)
    assert text == "anna@a.example Anna\nmarc@a.example Marc\n"
    found = roster.compare(amapiens, box(text))
    assert (found.added, found.removed, found.staying, found.refused) == ([], [], 2, [])
    assert roster.lines(amapiens, 1) is None


def test_a_line_more_and_a_line_less(amapiens: List) -> None:
    wanted = box("odile@a.example Odile Perrin\nMarc <marc@a.example>\n")
    found = roster.compare(amapiens, wanted)
    assert ([entry.email for entry in found.added], found.removed, found.staying) == (["odile@a.example"], ["anna@a.example"], 1)
    assert present(amapiens) == {"anna@a.example", "marc@a.example"}, "comparing changes nothing"
    added, removed = roster.edit(amapiens, wanted, LATER, by="test", seen=found.seen)
    assert (added.added, removed.removed) == (1, ["anna@a.example"]) and present(amapiens) == {"odile@a.example", "marc@a.example"}
    assert Membership.objects.get(address__email="marc@a.example").since == NOW, "who stays is left alone"


def test_a_mistyped_line_removes_nobody(amapiens: List) -> None:
    with pytest.raises(ValueError, match="nothing was changed"):
        roster.edit(amapiens, box("anna@a,example\nmarc@a.example\nnew@a.example\n"), LATER, by="test")
    assert present(amapiens) == {"anna@a.example", "marc@a.example"}
    assert [line.line for line in roster.compare(amapiens, box("anna@a,example\nmarc@a.example\namapiens@saule.example")).refused] == [1, 3]


def test_who_came_meanwhile_is_not_removed_by_an_old_box(amapiens: List) -> None:
    wanted = box("anna@a.example\n")
    seen = roster.compare(amapiens, wanted).seen
    memberships.add(amapiens, [("odile@a.example", "")], NOW, by="test")
    with pytest.raises(roster.Changed):
        roster.edit(amapiens, wanted, LATER, by="test", seen=seen)
    assert present(amapiens) == {"anna@a.example", "marc@a.example", "odile@a.example"}


def test_who_left_stays_away_unless_said_so(amapiens: List) -> None:
    memberships.leave(amapiens, Address.objects.get(email="anna@a.example"), LATER, by="anna@a.example")
    wanted = box("anna@a.example\nmarc@a.example\n")
    found = roster.compare(amapiens, wanted)
    assert (found.added, found.left) == ([], ["anna@a.example"])
    roster.edit(amapiens, wanted, LATER, by="test")
    assert present(amapiens) == {"marc@a.example"}
    assert roster.compare(amapiens, wanted, bring_back=True).left == []
    roster.edit(amapiens, wanted, LATER, by="test", bring_back=True)
    assert present(amapiens) == {"anna@a.example", "marc@a.example"}


def test_a_name_never_makes_another_address_of_its_line(amapiens: List) -> None:
    Address.objects.filter(email="anna@a.example").update(name="Anna <other@evil.example>")
    found = roster.compare(amapiens, box(roster.lines(amapiens, 10) or ""))
    assert (found.added, found.removed) == ([], [])


def test_those_a_source_brings_are_counted_among_the_removed(amapiens: List) -> None:
    source = Source.objects.create(list=amapiens, kind="csv", name="Licenciés")
    memberships.add(amapiens, [("odile@a.example", "")], NOW, by="test", source=source)
    assert roster.compare(amapiens, box("anna@a.example")).synced == 1
