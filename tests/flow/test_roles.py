"""Roles, and the rights and letters that follow from them. Alice owns, Bob moderates, Dora reads, Charlie must not get in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.flow import life, lists, memberships, organisations, people, roles
from colporteur.store.lists import List, RoleKind
from colporteur.store.models import Address, JournalEntry, Person, Role
from colporteur.store.rights import Right, addresses_of, administrators, holds, lists_for, rights_on

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def amapiens() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    made = lists.create("amapiens@saule.example", "discussion", "alice@a.example", NOW, by="test")
    memberships.add(made, [("dora@a.example", "Dora")], NOW, by="test")
    return made


def test_each_part_has_its_rights_and_no_more(amapiens: List) -> None:
    other = lists.create("autre@saule.example", "discussion", "charlie@a.example", NOW, by="test")
    roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    roles.give(amapiens, "eve@a.example", RoleKind.FREE_SENDER, NOW, by="test")
    alice, bob, charlie, dora, eve = (people.add(f"{name}@a.example", now=NOW) for name in ("alice", "bob", "charlie", "dora", "eve"))
    admin = people.add("root@a.example", admin=True, now=NOW)
    assert rights_on(alice, amapiens) == {Right.SEE, Right.MODERATE, Right.MANAGE}
    assert rights_on(bob, amapiens) == {Right.SEE, Right.MODERATE}
    assert rights_on(dora, amapiens) == {Right.SEE}
    assert rights_on(charlie, amapiens) == rights_on(eve, amapiens) == frozenset()
    assert rights_on(admin, amapiens) == frozenset(Right)
    assert list(lists_for(charlie, Right.SEE)) == [other]
    for right in Right:
        for person in (alice, bob, charlie, dora, eve, admin):
            assert (amapiens in lists_for(person, right)) == (right in rights_on(person, amapiens)), (person, right)


def test_a_deleted_list_is_the_administrators_only(amapiens: List) -> None:
    life.delete(amapiens, NOW, by="test")
    assert rights_on(people.add("alice@a.example", now=NOW), amapiens) == frozenset()
    assert not lists_for(people.add("alice@a.example", now=NOW), Right.SEE)
    assert Right.ADMINISTER in rights_on(people.add("root@a.example", admin=True, now=NOW), amapiens)


def test_a_blocked_person_has_no_right_and_gets_no_letter(amapiens: List) -> None:
    Person.objects.update(is_active=False)
    alice = Person.objects.get()
    assert rights_on(alice, amapiens) == frozenset() and not lists_for(alice, Right.SEE)
    assert addresses_of(amapiens, RoleKind.OWNER) == []


def test_a_former_member_sees_nothing(amapiens: List) -> None:
    dora = people.add("dora@a.example", now=NOW)
    memberships.remove(amapiens, ["dora@a.example"], NOW, by="test")
    assert rights_on(dora, amapiens) == frozenset() and not lists_for(dora, Right.SEE)


def test_a_role_given_to_an_address_is_its_persons_later(amapiens: List) -> None:
    roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert Role.objects.get(kind=RoleKind.MODERATOR).person is None
    bob = people.add("bob@work.example", now=NOW)
    people.add_address(bob, "bob@a.example", NOW)
    assert Right.MODERATE in rights_on(bob, amapiens)
    assert holds(amapiens, Address.objects.get(email="bob@work.example"), RoleKind.MODERATOR)
    assert not roles.give(amapiens, "bob@work.example", RoleKind.MODERATOR, NOW, by="test")


def test_letters_to_a_person_go_to_the_oldest_verified_address(amapiens: List) -> None:
    alice = people.add("alice@a.example", now=NOW)
    people.add_address(alice, "alice@work.example", NOW)
    assert [address.email for address in addresses_of(amapiens, RoleKind.OWNER)] == ["alice@work.example"] == [alice.primary_email]


def test_owners_moderate_a_list_without_moderators(amapiens: List) -> None:
    assert addresses_of(amapiens, RoleKind.MODERATOR) == addresses_of(amapiens, RoleKind.OWNER) != []
    roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert [address.email for address in addresses_of(amapiens, RoleKind.MODERATOR)] == ["bob@a.example"]


def test_giving_twice_is_once(amapiens: List) -> None:
    assert roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert not roles.give(amapiens, "BOB@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert JournalEntry.objects.filter(event="role.given", values__role="moderator").count() == 1


def test_the_last_owner_stays(amapiens: List) -> None:
    with pytest.raises(ValueError, match="last owner"):
        roles.take(amapiens, "alice@a.example", RoleKind.OWNER, NOW, by="test")
    roles.give(amapiens, "bob@a.example", RoleKind.OWNER, NOW, by="test")
    assert roles.take(amapiens, "alice@a.example", RoleKind.OWNER, NOW, by="test")
    assert [holder.email for holder in roles.of(amapiens)] == ["bob@a.example"]
    assert not roles.take(amapiens, "alice@a.example", RoleKind.OWNER, NOW, by="test")


def test_a_role_is_taken_by_any_address_of_the_person(amapiens: List) -> None:
    bob = people.add("bob@a.example", "Bob", now=NOW)
    people.add_address(bob, "bob@work.example", NOW)
    roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert roles.take(amapiens, "bob@work.example", RoleKind.MODERATOR, NOW, by="test")
    assert not Role.objects.filter(kind=RoleKind.MODERATOR).exists()


def test_holders_are_shown_owners_first(amapiens: List) -> None:
    roles.give(amapiens, "eve@a.example", RoleKind.FREE_SENDER, NOW, by="test", name="Eve")
    roles.give(amapiens, "bob@a.example", RoleKind.MODERATOR, NOW, by="test")
    assert [(holder.kind.value, holder.name, holder.email) for holder in roles.of(amapiens)] == [
        ("owner", "", "alice@a.example"), ("moderator", "", "bob@a.example"), ("free_sender", "Eve", "eve@a.example"),
    ]  # fmt: skip


def test_administrators_are_reached_at_one_address_each() -> None:
    people.add("root@a.example", admin=True, now=NOW)
    people.add_address(people.add("root@a.example", now=NOW), "root2@a.example", NOW)
    assert len(administrators()) == 1
