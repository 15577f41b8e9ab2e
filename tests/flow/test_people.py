"""People, their addresses, sign-in links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.flow import lists, memberships, organisations, people, roles
from colporteur.store.lists import RoleKind
from colporteur.store.models import Address, Person, SignInLink

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def token_of(url: str) -> str:
    assert url.startswith("http://testserver/s/")
    return url.rpartition("/")[2]


def test_a_person_is_found_by_any_address() -> None:
    helene = people.add("Helene@Saule.example", "Hélène Marchand", now=NOW)
    people.add_address(helene, "h.marchand@courriel.example", NOW)
    assert people.find("HELENE@saule.example") == people.find("h.marchand@courriel.example") == helene
    assert people.find("nobody@saule.example") is None


def test_adding_again_gives_rights_and_fills_the_name_and_takes_nothing() -> None:
    people.add("helene@saule.example", now=NOW)
    people.add("helene@saule.example", "Hélène", True, now=NOW)
    helene = people.add("helene@saule.example", "Another", now=NOW)
    assert Person.objects.count() == 1
    assert helene.is_admin and helene.name == "Hélène" and not helene.has_usable_password()


def test_an_address_known_from_a_list_keeps_its_name_when_it_becomes_a_person() -> None:
    Address.objects.create(email="anna@a.example", name="Anna Rivoire")
    assert people.add("anna@a.example", now=NOW).name == "Anna Rivoire"


def test_an_address_of_somebody_else_is_refused() -> None:
    people.add("anna@a.example", now=NOW)
    with pytest.raises(ValueError, match="belongs to another person"):
        people.add_address(people.add("marc@a.example", now=NOW), "anna@a.example", NOW)


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "x\r\nBcc: y@z.example", "a b@c.example", "\ud800@a.example", "a\x00@b.example", "a\u202eb@c.example"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(ValueError):
        people.add(email, now=NOW)
    with pytest.raises(ValueError):
        people.sign_in_link(email, NOW)
    assert not Person.objects.exists()


def test_a_link_signs_in_once_and_verifies_its_address_only() -> None:
    helene = people.add("helene@saule.example", now=NOW)
    Address.objects.create(email="second@saule.example", person=helene)
    token = token_of(people.sign_in_link("helene@saule.example", NOW))
    assert people.peek(token, NOW) == helene
    assert people.redeem(token, NOW + timedelta(minutes=29)) == helene
    assert people.redeem(token, NOW) is None and people.peek(token, NOW) is None
    verified = dict(Address.objects.values_list("email", "verified_at"))
    assert verified["helene@saule.example"] is not None and verified["second@saule.example"] is None


def test_looking_at_a_link_uses_nothing_up() -> None:
    people.add("helene@saule.example", now=NOW)
    token = token_of(people.sign_in_link("helene@saule.example", NOW))
    assert all(people.peek(token, NOW) for _ in range(3))
    assert Address.objects.get().verified_at is None


def test_only_the_hash_is_kept() -> None:
    people.add("helene@saule.example", now=NOW)
    token = token_of(people.sign_in_link("helene@saule.example", NOW))
    kept = bytes(SignInLink.objects.get().digest)
    assert len(kept) == 32 and token.encode() not in kept


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "é" * 1000])
def test_a_foreign_token_signs_nobody_in(token: str) -> None:
    people.add("helene@saule.example", now=NOW)
    people.sign_in_link("helene@saule.example", NOW)
    assert people.peek(token, NOW) is None and people.redeem(token, NOW) is None


def test_an_expired_link_or_a_blocked_person_gets_nowhere() -> None:
    helene = people.add("helene@saule.example", now=NOW)
    late, blocked = (token_of(people.sign_in_link("helene@saule.example", NOW, minutes=10)) for _ in range(2))
    assert people.redeem(late, NOW + timedelta(minutes=10)) is None
    Person.objects.filter(pk=helene.pk).update(is_active=False)
    assert people.redeem(blocked, NOW) is None
    with pytest.raises(ValueError, match="nobody here"):
        people.sign_in_link("helene@saule.example", NOW)


def test_old_links_are_swept_when_a_new_one_is_made() -> None:
    people.add("helene@saule.example", now=NOW)
    people.sign_in_link("helene@saule.example", NOW)
    people.sign_in_link("helene@saule.example", NOW + timedelta(days=3))
    assert SignInLink.objects.count() == 1


def test_a_member_or_moderator_nobody_knew_may_sign_in_and_a_stranger_may_not() -> None:
    organisations.add_domain("saule.example", None, NOW, by="test")
    amapiens = lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(amapiens, [("anna@a.example", "Anna"), ("gone@a.example", "")], NOW, by="test")
    memberships.remove(amapiens, ["gone@a.example"], NOW, by="test")
    roles.give(amapiens, "odile@a.example", RoleKind.MODERATOR, NOW, by="test")
    Address.objects.create(email="stranger@a.example")
    for email in ("anna@a.example", "odile@a.example"):
        person = people.redeem(token_of(people.sign_in_link(email, NOW)), NOW)
        assert person and person.primary_email == email
    for email in ("stranger@a.example", "gone@a.example", "never-heard@a.example"):
        with pytest.raises(ValueError, match="nobody here"):
            people.sign_in_link(email, NOW)
