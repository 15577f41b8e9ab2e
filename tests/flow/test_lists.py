"""Lists: made, changed, deleted, restored; and what is contradictory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from colporteur.domain.addresses import SUFFIXES
from colporteur.domain.policy import Layer
from colporteur.flow import life, lists, organisations, people, policies, roles, routes, transports
from colporteur.store.lists import Alias, List, ListState, RoleKind
from colporteur.store.models import JournalEntry, Organisation, Person, Role
from colporteur.store.policies import explained, policy

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OWNER = "helene@saule.example"


@pytest.fixture(autouse=True)
def domain() -> None:
    organisations.add_domain("saule.example", organisations.organisation_called("Les Paniers du Saule"), NOW, by="test")


def make(name: str = "amapiens", template: str = "discussion", **more: Any) -> List:
    return lists.create(f"{name}@saule.example", template, OWNER, NOW, by="test", **more)


def test_an_unknown_owner_becomes_a_person_and_owns_the_list() -> None:
    made = lists.create("Amapiens@SAULE.example", "discussion", "New@Courriel.example", NOW, title=" Les  amapiens ", by="test")
    assert (made.address, made.title, made.organisation.name, made.list_id) == ("amapiens@saule.example", "Les amapiens", "Les Paniers du Saule", "amapiens.saule.example")
    assert [(holder.email, holder.kind) for holder in roles.of(made)] == [("new@courriel.example", RoleKind.OWNER)]
    assert Person.objects.get(addresses__email="new@courriel.example")


def test_a_known_owner_is_not_made_twice() -> None:
    known = people.add(OWNER, "Hélène", now=NOW)
    make()
    assert Role.objects.get().person == known and Person.objects.count() == 1


@pytest.mark.parametrize("name", ["postmaster", "b", "x-owner", "x-request", "x-bounces", "x" * 41, "é", "a..b", "a b", "-a"])
def test_a_name_like_a_service_address_is_refused_and_nothing_is_left_behind(name: str) -> None:
    with pytest.raises(ValueError):
        make(name)
    assert not List.objects.exists() and not Person.objects.exists() and not JournalEntry.objects.filter(event="list.created").exists()


@pytest.mark.parametrize(
    ("address", "template", "owner", "words"),
    [
        ("amapiens@elsewhere.example", "discussion", OWNER, "not a domain of this installation"),
        ("amapiens@saule.example", "nonsense", OWNER, "no template"),
        ("amapiens@saule.example", "discussion", "nobody", "not an e-mail address"),
        ("amapiens", "discussion", OWNER, "not an e-mail address"),
        ("amapiens@saule.example", "discussion", "amapiens@saule.example", "cannot own itself"),
    ],
)
def test_wrong_input_says_what_to_write(address: str, template: str, owner: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lists.create(address, template, owner, NOW, by="test")


def test_a_group_mailbox_may_live_on_a_shared_host() -> None:
    made = lists.create("collectif@host.example", "mailbox", OWNER, NOW, by="test")
    assert made.domain is None and made.organisation == Organisation.objects.order_by("id").first()
    other = organisations.organisation_called("Another")
    assert lists.create("autre@host.example", "mailbox", OWNER, NOW, by="test", organisation=other).organisation == other


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_two_lists_share_an_address_in_any_way(suffix: str) -> None:
    made = make("amapiens")
    Alias.objects.create(list=made, address=f"paniers{suffix}@saule.example")  # from before the rule: an import, another release
    for taken in ("amapiens", "AMAPIENS", "paniers"):
        with pytest.raises(ValueError, match=r"already|cannot both be"):
            make(taken)


def test_an_alias_is_as_exclusive_as_a_list() -> None:
    made = make("amapiens")
    lists.add_alias(made, "paniers@saule.example", NOW, by="test")
    for taken in ("amapiens@saule.example", "paniers@saule.example", "amapiens-owner@saule.example"):
        with pytest.raises(ValueError):
            lists.add_alias(made, taken, NOW, by="test")
    with pytest.raises(ValueError, match="already"):
        make("paniers")
    assert lists.remove_alias(made, "paniers@saule.example", NOW, by="test")
    assert make("paniers")
    assert not lists.remove_alias(made, "paniers@saule.example", NOW, by="test")


def test_policy_is_parsed_stored_and_journaled_with_old_and_new() -> None:
    made = make()
    assert lists.set_policy(made, {"posting": "world", "max_size": "5M"}, "Hélène", NOW) == {"posting": "world", "max_size": 5 * 1024 * 1024}
    lists.set_policy(made, {"posting": "nobody"}, "Hélène", NOW)
    assert policy(List.objects.select_related("organisation", "domain").get()).posting == "nobody"
    changes = [(entry.values["option"], entry.values["old"], entry.values["new"], entry.values["by"]) for entry in JournalEntry.objects.filter(event="list.changed").order_by("id")]
    assert changes == [("posting", "", "world", "Hélène"), ("max_size", "", "5242880", "Hélène"), ("posting", "world", "nobody", "Hélène")]


def test_none_goes_back_to_the_inherited_value_and_the_empty_text_is_a_value() -> None:
    made = make()
    lists.set_policy(made, {"prefix": "[x]", "footer": ""}, "test", NOW)
    assert explained(made)["footer"].origin == Layer.LIST
    lists.set_policy(made, {"prefix": None, "footer": None}, "test", NOW)
    assert made.policy == {} and explained(made)["prefix"].value == ""


def test_one_wrong_value_changes_nothing_and_every_wrong_one_is_named() -> None:
    made = make()
    with pytest.raises(ValueError, match=r"posting must be one of.*max_size must be a whole number.*no setting called 'nonsense'"):
        lists.set_policy(made, {"prefix": "[x]", "posting": "all", "max_size": "much", "nonsense": "1"}, "test", NOW)
    with pytest.raises(ValueError, match="not an e-mail address"):
        lists.set_policy(made, {"reply_address": "nobody"}, "test", NOW)
    made.refresh_from_db()
    assert made.policy == {} and not JournalEntry.objects.filter(event="list.changed").exists()


def test_setting_what_is_set_says_nothing_in_the_journal() -> None:
    made = make()
    lists.set_policy(made, {"posting": "world"}, "test", NOW)
    assert lists.set_policy(made, {"posting": "world"}, "test", NOW) == {}
    assert JournalEntry.objects.filter(event="list.changed").count() == 1


def test_two_owners_changing_different_settings_both_win() -> None:
    first, second = make(), List.objects.get()
    lists.set_policy(first, {"prefix": "[a]"}, "a", NOW)
    lists.set_policy(second, {"footer": "b"}, "b", NOW)
    assert List.objects.get().policy == {"prefix": "[a]", "footer": "b"}


def test_everything_changes_together_or_not_at_all() -> None:
    made = make()
    transports.add("relay", "smtp://relay.example", NOW)
    lists.change_all(made, {"title": "Paniers", "language": "fr", "transport": "relay", "posting": "world", "state": "off"}, NOW, by="test")
    made.refresh_from_db()
    assert (made.title, made.language, routes.own_text(made), made.state, made.policy) == ("Paniers", "fr", "relay", ListState.OFF, {"posting": "world"})
    for wrong in ({"title": "x", "language": "de"}, {"title": "x", "transport": "none such"}, {"title": "x", "state": "deleted"}, {"posting": "members", "title": None}, {"title": "x" * 300}):
        with pytest.raises(ValueError):
            lists.change_all(made, wrong, NOW, by="test")
    made.refresh_from_db()
    assert (made.title, made.policy) == ("Paniers", {"posting": "world"})


def test_a_transport_of_another_organisation_cannot_be_chosen() -> None:
    made = make()
    transports.add("theirs", "smtp://relay.example", NOW, organisations.organisation_called("Another"))
    with pytest.raises(ValueError, match="no transport called"):
        lists.change(made, NOW, by="test", transport="theirs")


def test_a_deleted_list_is_hidden_keeps_its_name_and_comes_back_whole() -> None:
    made = make()
    assert life.delete(made, NOW, by="test") and not life.delete(made, NOW, by="test")
    with pytest.raises(ValueError, match="no list amapiens"):
        lists.find("amapiens@saule.example")
    with pytest.raises(ValueError, match="deleted list"):
        make()
    assert life.restore("amapiens@saule.example", NOW, by="test").state == ListState.ACTIVE
    assert roles.of(lists.find("amapiens@saule.example"))
    with pytest.raises(ValueError, match="no deleted list"):
        life.restore("amapiens@saule.example", NOW, by="test")


# --- contradictions ---


@pytest.fixture
def relay() -> None:
    transports.add("relay", "smtp://relay.example", NOW)


def test_a_fresh_list_of_most_templates_has_nothing_contradictory(relay: None) -> None:
    policies.set_policy(policies.site(), {"trusted_servers": "mx.saule.example"}, "test", NOW)
    for name, template in [("a", "discussion"), ("c", "distribution"), ("d", "working-group"), ("e", "confidential"), ("f", "hotline")]:
        assert lists.warnings(make(name, template)) == [], template


def test_nobody_can_approve_without_moderator_and_owner(relay: None) -> None:
    made = make()
    Role.objects.all().delete()  # the flow refuses this; an import or a deleted person may do it
    assert any("Nobody can approve" in sentence for sentence in lists.warnings(made))


def test_a_closed_list_without_writers_says_so_until_there_is_one(relay: None) -> None:
    made = make(template="announce")
    assert any("no moderator or free sender" in sentence for sentence in lists.warnings(made))
    roles.give(made, "anna@a.example", RoleKind.FREE_SENDER, NOW, by="test")
    assert lists.warnings(made) == []


def test_replies_to_an_address_need_one(relay: None) -> None:
    made = make()
    lists.set_policy(made, {"reply_to": "address"}, "test", NOW)
    assert any("none is given" in sentence for sentence in lists.warnings(made))
    lists.set_policy(made, {"reply_address": "bureau@saule.example"}, "test", NOW)
    assert lists.warnings(made) == []


def test_a_list_without_a_way_out_says_so() -> None:
    made = make()
    assert any("no transport" in sentence for sentence in lists.warnings(made))
    relay = transports.add("relay", "smtp://relay.example", NOW)
    assert lists.warnings(made) == []
    transports.switch(relay, False, NOW, by="test")
    assert any("no transport" in sentence for sentence in lists.warnings(made))
    lists.change(made, NOW, by="test", transport="relay")
    assert any("relay is switched off" in sentence for sentence in lists.warnings(lists.find(made.address)))


def test_a_shared_host_without_a_mailbox_and_a_domain_switched_off_are_said(relay: None) -> None:
    assert any("nothing arrives" in sentence for sentence in lists.warnings(lists.create("x@host.example", "mailbox", OWNER, NOW, by="test")))
    made = make()
    organisations.disable(organisations.find_domain("saule.example"), NOW, by="test")
    made = lists.find("amapiens@saule.example")
    assert any("saule.example is switched off" in sentence for sentence in lists.warnings(made))
