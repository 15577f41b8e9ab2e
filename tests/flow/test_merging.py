"""Two accounts become one: everything moves, nothing is there twice, and no table that names a person is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.domain.words import Invalid
from colporteur.flow import administrators, credentials, identities, lists, memberships, merging, organisations, people, privacy, roles
from colporteur.store.credentials import Credential, RecoveryCode
from colporteur.store.identities import Identity
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Administrator
from colporteur.store.people import Address, Person

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEPT, GONE = "anna@saule.example", "anna.rivoire@courriel.example"


@pytest.fixture
def amis() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    return lists.create("amis@saule.example", "discussion", "helene@saule.example", NOW, by="test")


@pytest.fixture
def both() -> tuple[Person, Person]:
    """Who stays and who goes, each with a verified address."""
    kept, gone = people.add(KEPT, now=NOW), people.add(GONE, "Anna Rivoire", now=NOW, language="fr")
    Address.objects.filter(email__in=(KEPT, GONE)).update(verified_at=NOW)
    return kept, gone


def test_addresses_memberships_consents_roles_and_offices_move(amis: List, both: tuple[Person, Person]) -> None:
    kept, gone = both
    memberships.add(amis, [(GONE, "Anna")], NOW, by="helene@saule.example", given=memberships.Given("import", evidence="amis.csv"))
    roles.give(amis, GONE, RoleKind.MODERATOR, NOW, by="test")
    administrators.give(amis.organisation, GONE, NOW, by="test")
    consent = Membership.objects.get(address__email=GONE).consent_id
    move = merging.merge(kept, gone, NOW, by="test")
    assert (move.addresses, move.lists, move.doubled) == ([GONE], ["amis@saule.example"], [])
    found = Membership.objects.get(address__person=kept, until__isnull=True)
    assert found.address.email == GONE and found.consent_id == consent
    assert Role.objects.filter(list=amis, kind="moderator", person=kept).exists() or Role.objects.filter(list=amis, kind="moderator", address__person=kept).exists()
    assert Administrator.objects.get(organisation=amis.organisation).person == kept
    kept.refresh_from_db()
    assert (kept.name, kept.language) == ("Anna Rivoire", "fr") and not Person.objects.filter(pk=gone.pk).exists()
    assert people.find(GONE) == kept == people.find(KEPT)
    assert JournalEntry.objects.get(event="person.merged").values["email"] == GONE
    assert len(privacy.export(privacy.of_person(kept))["addresses"]) == 2


def test_nothing_is_there_twice(amis: List, both: tuple[Person, Person]) -> None:
    kept, gone = both
    memberships.add(amis, [(KEPT, ""), (GONE, "")], NOW, by="test")
    for email in (KEPT, GONE):
        roles.give(amis, email, RoleKind.OWNER, NOW, by="test")
        administrators.give(amis.organisation, email, NOW, by="test")
    Role.objects.get_or_create(list=amis, kind="owner", address=gone.addresses.get())
    assert merging.foresee(kept, gone).doubled == ["amis@saule.example"]
    merging.merge(kept, gone, NOW, by="test")
    assert [row.address.email for row in Membership.objects.filter(address__person=kept, until__isnull=True)] == [KEPT]
    assert Role.objects.filter(list=amis, kind="owner", person=kept).count() == 1 and not Role.objects.filter(address__person=kept).exists()
    assert Administrator.objects.filter(organisation=amis.organisation).count() == 1
    assert memberships.add(amis, [(GONE, "")], NOW, by="import").added == 0  # left at their own wish: no import brings it back


def test_ways_to_sign_in_move_and_the_app_that_stays_is_the_one_of_who_stays(both: tuple[Person, Person]) -> None:
    kept, gone = both
    provider = identities.add("Saule", "https://login.saule.example", "x", "", NOW, by="test")
    identities.connect(provider, "7", GONE, gone, NOW)
    for person in both:
        Credential.objects.create(person=person, kind="app", secret=str(person.pk), created=NOW)
        credentials.new_codes(person, NOW)
    Credential.objects.create(person=gone, kind="passkey", handle=b"h", public=b"p", created=NOW)
    held = gone.get_session_auth_hash()
    merging.merge(kept, gone, NOW, by="test")
    assert Identity.objects.get().person == kept and held != kept.get_session_auth_hash()
    assert set(kept.credentials.values_list("kind", "secret")) == {("app", str(kept.pk)), ("passkey", "")}
    assert RecoveryCode.objects.count() == credentials.CODES


def test_no_table_that_names_a_person_is_forgotten(both: tuple[Person, Person]) -> None:
    """A new table with a person in it moves by itself; whoever makes one that may name a person once only adds it to the doubles."""
    once = set()
    for relation in Person._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete:
            for rule in relation.related_model._meta.constraints:  # type: ignore[union-attr]
                if relation.field.name in getattr(rule, "fields", ()):  # type: ignore[union-attr]
                    once.add(rule.name)
    assert once == {"role_once_per_person", "administrator_once", "credential_one_app", "recovery_code_once"}


def test_one_account_is_not_merged_with_itself_and_a_guarded_one_not_by_mail_alone(both: tuple[Person, Person]) -> None:
    kept, gone = both
    with pytest.raises(Invalid):
        merging.merge(kept, kept, NOW, by="test")
    Credential.objects.create(person=gone, kind="passkey", handle=b"h", public=b"p", created=NOW)
    with pytest.raises(Invalid):
        merging.ask(kept, gone.addresses.get(), NOW)
    gone.credentials.all().delete()
    people.switch(gone, False, by="test")
    gone.refresh_from_db()
    with pytest.raises(Invalid):
        merging.check(kept, gone)
