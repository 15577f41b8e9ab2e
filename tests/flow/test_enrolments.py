"""Members added in bulk: looked at first, all of them or nobody, not lost when somebody or something goes away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.words import Invalid
from colporteur.flow import enrolments, memberships, privacy
from colporteur.store.enrolments import Enrolment, EnrolmentState
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address, Person
from tests.story.scenes import a_list, a_person

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def amis() -> List:
    """A list with a member, and somebody who left."""
    list_ = a_list(members=["anna@members.example", "gone@members.example"])
    memberships.leave(list_, Address.objects.get(email="gone@members.example"), NOW, by="gone@members.example")
    return list_


@pytest.fixture
def olga() -> Person:
    return a_person("olga@members.example", name="Olga", language="fr")


def members(list_: List) -> set[str]:
    return set(Membership.objects.filter(list=list_, until__isnull=True).values_list("address__email", flat=True))


def test_looking_changes_nothing_and_every_bad_line_has_its_number_and_reason(amis: List, olga: Person) -> None:
    row = enrolments.begin(amis, "anna@members.example\nlea@members.example Léa\nrubbish\ngone@members.example\nlea@members.example\n\n# a remark\n@\n", NOW, person=olga, file="x.txt")
    assert (row.state, row.total, row.already, row.twice, row.left) == ("ready", 1, 1, 1, ["gone@members.example"])
    assert [line.line for line in enrolments.refused_of(row)] == [3, 8] and "rubbish" in str(enrolments.refused_of(row)[0].text) and all(str(line.reason) for line in enrolments.refused_of(row))
    assert members(amis) == {"anna@members.example"}
    with pytest.raises(Invalid, match="2 lines cannot be taken"):
        enrolments.accept(row.pk, NOW)
    assert members(amis) == {"anna@members.example"}
    assert enrolments.accept(row.pk, NOW, skip=True) and not enrolments.accept(row.pk, NOW, skip=True)
    row.refresh_from_db()
    assert (row.state, row.added, row.already, row.twice, row.text) == ("done", 1, 1, 1, "") and members(amis) == {"anna@members.example", "lea@members.example"}
    consent = Membership.objects.get(list=amis, address__email="lea@members.example").consent
    assert consent and (consent.how, consent.by) == ("import", "Olga") and f"enrolment {row.pk}, file x.txt" == consent.evidence


def test_who_left_comes_back_only_when_it_is_said(amis: List, olga: Person) -> None:
    row = enrolments.begin(amis, "gone@members.example", NOW, person=olga, bring_back=True)
    assert (row.total, row.left) == (1, [])
    enrolments.accept(row.pk, NOW)
    assert "gone@members.example" in members(amis)


def test_a_worker_does_the_long_ones_and_another_one_goes_on_where_it_died(amis: List, olga: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolments, "SHORT", 2)
    row = enrolments.begin(amis, "\n".join(f"new-{number}@members.example" for number in range(50)), NOW, person=olga)
    assert row.state == EnrolmentState.READING
    assert enrolments.do_due(NOW) == 1 and enrolments.do_due(NOW) == 0
    assert enrolments.accept(row.pk, NOW) and Enrolment.objects.get().state == EnrolmentState.ADDING
    real = memberships.add

    def dies(*given: object, **named: object) -> None:
        real(*given, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(memberships, "add", dies)
    with pytest.raises(KeyboardInterrupt):
        enrolments.do_due(NOW)
    assert members(amis) == {"anna@members.example"} and Enrolment.objects.get().state == EnrolmentState.ADDING, "nothing is half done"
    monkeypatch.setattr(memberships, "add", real)
    enrolments.do_due(NOW)
    assert len(members(amis)) == 51 and Enrolment.objects.get().added == 50


def test_a_list_that_is_full_takes_nobody_and_says_why(amis: List, olga: Person) -> None:
    amis.organisation.quotas = {"members": 2}
    amis.organisation.save()
    row = enrolments.begin(amis, "a@members.example\nb@members.example", NOW, person=olga)
    enrolments.accept(row.pk, NOW)
    row.refresh_from_db()
    assert row.state == EnrolmentState.FAILED and "2" in row.error and members(amis) == {"anna@members.example"}


def test_what_nobody_wants_any_more_is_forgotten(amis: List, olga: Person) -> None:
    row = enrolments.begin(amis, "a@members.example", NOW, person=olga)
    assert enrolments.drop(row.pk, NOW) and not enrolments.accept(row.pk, NOW)
    assert Enrolment.objects.get().text == "" and members(amis) == {"anna@members.example"}
    assert enrolments.forget(NOW + timedelta(days=6)) == 0 and enrolments.forget(NOW + timedelta(days=8)) == 1


def test_who_is_erased_is_in_nothing_that_was_handed_over(amis: List, olga: Person) -> None:
    enrolments.begin(amis, "zoe@members.example\nanna@members.example Anna", NOW, person=olga)
    kept = enrolments.begin(amis, "zoe@members.example", NOW, person=olga)
    privacy.erase(privacy.subject("anna@members.example"), NOW, by="test")
    assert list(Enrolment.objects.values_list("pk", flat=True)) == [kept.pk]
