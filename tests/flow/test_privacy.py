"""What is known about somebody is handed out whole, and erased so that nobody is left but a keyed hash."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from colporteur.domain.policy import Joining
from colporteur.flow import joining, letters, lists, memberships, organisations, people, privacy, roles
from colporteur.store import journal
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, Consent, Opposition, Person
from colporteur.store.privacy import digest, oppose, opposed
from tests.story.scenes import a_transport

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ANNA = "anna.rivoire@courriel.example"


@pytest.fixture
def amis() -> List:
    organisations.add_domain("saule.example", None, NOW, by="test")
    made = lists.create("amis@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(made, [(ANNA, "Anna Rivoire"), ("marc@a.example", "Marc")], NOW, by="helene@saule.example", given=memberships.Given("import", evidence="amis.csv"))
    return made


def everything() -> str:
    """Every text and JSON value of the database, but for messages."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb')")
        for table, column in cursor.fetchall():
            cursor.execute(f'SELECT string_agg("{column}"::text, chr(10)) FROM "{table}"')
            found.append(f"{table}.{column}: {cursor.fetchone()[0]}")
    return "\n".join(found)


def test_the_export_tells_memberships_consent_roles_and_journal(amis: List) -> None:
    anna = people.add(ANNA, "Anna Rivoire", now=NOW)
    roles.give(amis, ANNA, RoleKind.MODERATOR, NOW, by="test")
    told = json.loads(json.dumps(privacy.export(privacy.subject(ANNA.upper()))))
    assert told["person"]["name"] == anna.name and [one["email"] for one in told["addresses"]] == [ANNA]
    [row] = told["memberships"]
    assert row["list"] == "amis@saule.example" and (row["consent"]["how"], row["consent"]["by"], row["consent"]["evidence"]) == ("import", "helene@saule.example", "amis.csv")
    assert [role["role"] for role in told["roles"]] == ["moderator"]
    assert {entry["event"] for entry in told["journal"]} >= {"membership.joined", "role.given"}
    assert "marc@a.example" not in json.dumps(told)


def test_nothing_readable_is_left_of_who_is_erased(amis: List) -> None:
    people.add(ANNA, "Anna Rivoire", now=NOW)
    people.add_address(people.add(ANNA, now=NOW), "anna@autre.example", NOW)
    roles.give(amis, ANNA, RoleKind.MODERATOR, NOW, by="test")
    memberships.pause(amis, [ANNA], NOW, by=people.add(ANNA, now=NOW))
    Membership.objects.filter(address__email=ANNA).update(note="Anna Rivoire moved to Brest")
    assert privacy.export(privacy.subject(ANNA))["memberships"][0]["note"] == "Anna Rivoire moved to Brest"
    journal.write("campaign.tested", NOW, list=amis.pk, by="helene@saule.example", subject="News", emails=f"marc@a.example, {ANNA}")
    privacy.erase(privacy.subject(ANNA), LATER, by="member")
    left = everything()
    for word in (ANNA, "anna@autre.example", "Anna Rivoire"):
        assert word not in left, [line[:300] for line in left.splitlines() if word in line]
    ended = Membership.objects.get(list=amis, until__isnull=False)
    assert ended.until == LATER and ended.address.email.endswith("@erased.invalid")
    assert not Person.objects.filter(name__startswith="Anna").exists() and people.find("helene@saule.example")
    with pytest.raises(ValueError, match="nobody here"):
        privacy.subject(ANNA)


def test_open_letters_to_who_is_erased_are_not_sent(amis: List) -> None:
    a_transport("smtp://127.0.0.1:1")
    anna = Address.objects.get(email=ANNA)
    letters.send("signin", anna, NOW, fields={"link": "x", "minutes": "30"})
    privacy.erase(privacy.subject(ANNA), LATER, by="member")
    assert Mailing.objects.get(letter="signin").state == "cancelled"


def test_an_owner_without_successor_hands_over_first(amis: List) -> None:
    with pytest.raises(ValueError, match=r"amis@saule\.example"):
        privacy.erase(privacy.subject("helene@saule.example"), LATER, by="member")
    assert people.find("helene@saule.example")
    roles.give(amis, "marc@a.example", RoleKind.OWNER, NOW, by="test")
    privacy.erase(privacy.subject("helene@saule.example"), LATER, by="member")
    assert people.find("helene@saule.example") is None and [holder.email for holder in roles.of(amis)] == ["marc@a.example"]


def test_the_last_administrator_stays() -> None:
    people.add("admin@a.example", admin=True, now=NOW)
    with pytest.raises(ValueError, match="administrator"):
        privacy.erase(privacy.subject("admin@a.example"), NOW, by="test")


def test_who_was_erased_is_added_by_nobody_else_and_joins_again_by_a_yes(amis: List) -> None:
    privacy.erase(privacy.subject(ANNA), LATER, by="member")
    assert ANNA not in everything() and Opposition.objects.count() == 1
    added = memberships.add(amis, [(ANNA.upper(), ""), ("neuf@a.example", "")], LATER, by="test", bring_back=True)
    assert added.added == 1 and [line.text for line in added.refused] == [ANNA]
    lists.set_policy(amis, {"joining": Joining.CONFIRM.value}, "test", LATER)
    address = Address.objects.create(email=ANNA)
    joining.ask(amis, address, LATER)
    row = JoinRequest.objects.get(address=address)
    assert joining.confirm(row.pk, LATER) == joining.Outcome.JOINED
    consent = Membership.objects.get(address=address, until__isnull=True).consent
    assert consent and consent.how == "asked" and consent.by == ANNA and f"request {row.pk} by mail" in consent.evidence and consent.wording
    assert not Opposition.objects.exists()


def test_the_hash_needs_our_key(amis: List, settings: object) -> None:
    oppose([ANNA], "asked", NOW)
    assert opposed([ANNA, "marc@a.example"]) == {ANNA}
    before = digest(ANNA)
    settings.TOKEN_KEY = b"x" * 32  # type: ignore[attr-defined]
    assert digest(ANNA) != before and opposed([ANNA]) == set()


def test_an_import_has_one_consent_and_one_of_nobody_none(amis: List) -> None:
    assert Consent.objects.count() == 1 and Consent.objects.get().memberships.count() == 2
    memberships.add(amis, [("marc@a.example", "")], NOW, by="test")
    assert Consent.objects.count() == 1
