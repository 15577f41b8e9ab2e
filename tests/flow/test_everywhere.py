"""People found, paused and removed in all lists of an organisation, and in no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.flow import everywhere, lists, memberships, organisations
from colporteur.store.lists import List
from colporteur.store.memberships import Membership

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def three() -> list[List]:
    organisations.add_domain("saule.example", None, NOW, by="test")
    organisations.add_domain("ailleurs.example", organisations.organisation_called("Ailleurs"), NOW, by="test")
    made = [lists.create(address, "discussion", "helene@saule.example", NOW, by="test") for address in ("un@saule.example", "deux@saule.example", "trois@ailleurs.example")]
    for one in made:
        memberships.add(one, [("anna@a.example", "Anna"), ("marc@a.example", "")], NOW, by="test")
    return made


def test_found_in_the_lists_asked_for_only(three: list[List]) -> None:
    ours = List.objects.filter(organisation=three[0].organisation)
    found = everywhere.find(ours, ["ANNA@a.example", "anna@a.example", "nobody@a.example"])
    assert [(place.email, place.list_address) for place in found] == [("anna@a.example", "deux@saule.example"), ("anna@a.example", "un@saule.example")]


def test_removed_with_a_report_and_left_elsewhere(three: list[List]) -> None:
    ours = List.objects.filter(organisation=three[0].organisation)
    report = everywhere.remove(ours, ["anna@a.example", "nobody@a.example"], NOW, by="test")
    assert report == ({"deux@saule.example": ["anna@a.example"], "un@saule.example": ["anna@a.example"]}, ["nobody@a.example"])
    assert list(Membership.objects.filter(until__isnull=True, email="anna@a.example").values_list("list__address", flat=True)) == ["trois@ailleurs.example"]


def test_paused_where_not_paused_yet(three: list[List]) -> None:
    memberships.pause(three[0], ["anna@a.example"], NOW, by="test")
    report = everywhere.pause(List.objects.all(), ["anna@a.example"], NOW, by="test")
    assert list(report.changed) == ["deux@saule.example", "trois@ailleurs.example"]
    assert everywhere.pause(List.objects.all(), ["anna@a.example"], NOW, by="test", paused=False).changed.keys() == {"un@saule.example", "deux@saule.example", "trois@ailleurs.example"}


def test_one_wrong_address_changes_nothing(three: list[List]) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        everywhere.remove(List.objects.all(), ["anna@a.example", "not an address"], NOW, by="test")
    assert Membership.objects.filter(until__isnull=True).count() == 6
