"""The demo: there after one call, the same after two, and good for held -> released."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.flow import demo, lists, transports
from colporteur.options import language_around
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.models import JournalEntry, Organisation, Person
from colporteur.store.rights import Right, addresses_of, lists_for, rights_on
from colporteur.store.transports import Transport

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def members(address: str) -> set[str]:
    return set(Membership.objects.filter(list__address=address, until__isnull=True).values_list("address__email", flat=True))


def test_three_lists_of_different_templates_with_members_of_the_pictures() -> None:
    assert demo.fill(NOW)
    assert Organisation.objects.get().name == "Les Paniers du Saule"
    assert {row.template for row in List.objects.all()} == {"discussion", "distribution", "announce"}
    assert [len(members(address)) for address in (demo.AMAPIENS, demo.BUREAU, demo.LETTRE)] == [143, 9, 176]
    assert all(not lists.warnings(lists.find(address)) for address in (demo.AMAPIENS, demo.BUREAU, demo.LETTRE))


def test_filling_twice_changes_nothing() -> None:
    demo.fill(NOW)
    before = (Person.objects.count(), Membership.objects.count(), JournalEntry.objects.count())
    assert not demo.fill(NOW)
    assert (Person.objects.count(), Membership.objects.count(), JournalEntry.objects.count()) == before


def test_people_to_try_it_with_are_what_they_say() -> None:
    demo.fill(NOW)
    amapiens = lists.find(demo.AMAPIENS)
    by_part = {person.part: person.email for person in demo.demo_people()}
    assert by_part["member"] in members(demo.AMAPIENS)
    assert by_part["stranger"] not in members(demo.AMAPIENS)
    assert [address.email for address in addresses_of(amapiens, RoleKind.MODERATOR)] == [by_part["moderator"]]


def test_the_administrator_may_do_everything_and_the_moderator_moderates_one_list() -> None:
    demo.fill(NOW)
    helene, odile = (Person.objects.get(addresses__email=email) for email in (demo.ADMINISTRATOR, demo.ODILE.email))
    assert helene.is_admin and not odile.is_admin
    assert rights_on(helene, lists.find(demo.LETTRE)) == frozenset(Right)
    assert {row.address for row in lists_for(odile, Right.MODERATE)} == {demo.AMAPIENS}


def test_mail_goes_to_a_folder_below_the_data_directory(settings: object) -> None:
    demo.fill(NOW)
    outbox = Transport.objects.get()
    assert outbox.is_default and transports.url_of(outbox) == f"folder://{settings.DATA}/outbox"


def test_every_address_can_never_exist() -> None:
    demo.fill(NOW)
    assert all(email.endswith(".example") for email in members(demo.LETTRE) | members(demo.AMAPIENS))


@pytest.mark.parametrize(("around", "language"), [
    ({}, "en"), ({"LANG": "fr_FR.UTF-8"}, "fr"), ({"LANG": "fr"}, "fr"), ({"LANG": "C.UTF-8"}, "en"), ({"LANG": "de_DE"}, "en"), ({"LANG": "fr_FR", "LC_ALL": "en_GB.UTF-8"}, "en"), ({"LANG": "fr_FR", "COLPORTEUR_LANGUAGE": "en"}, "en"), ({"COLPORTEUR_LANGUAGE": "fr"}, "fr"),
])  # fmt: skip
def test_the_demo_speaks_the_sites_language_or_the_systems(around: dict[str, str], language: str) -> None:
    assert language_around(around) == language


def test_descriptions_and_letters_of_the_demo_are_in_one_language(settings: object) -> None:
    settings.DEMO_LANGUAGE = "fr"  # type: ignore[attr-defined]
    demo.fill(NOW)
    amapiens = lists.find(demo.AMAPIENS)
    assert "panier" in amapiens.description and amapiens.organisation.language == "fr"
