"""Quotas: a parent wins, whose limit counts is said, and nothing is made beyond them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.domain import quotas as rules
from colporteur.domain.policy import Layer
from colporteur.flow import administrators, life, lists, memberships, organisations, people, policies, quotas
from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.policies import policy
from colporteur.store.rights import Right, administers, lists_for, rights_on

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def ours() -> Organisation:
    made = organisations.organisation_called("Les Paniers")
    organisations.add_domain("saule.example", made, NOW, by="test")
    return made


def make(name: str) -> List:
    return lists.create(f"{name}@saule.example", "discussion", "helene@saule.example", NOW, by="test")


@pytest.mark.parametrize(("site", "organisation", "domain", "expected"), [
    (None, None, None, (None, None)), (5, None, None, (5, Layer.SITE)), (5, 9, None, (5, Layer.SITE)), (5, 3, None, (3, Layer.ORGANISATION)),
    (5, 5, 5, (5, Layer.SITE)), (None, 9, 2, (2, Layer.DOMAIN)), (0, 9, 2, (0, Layer.SITE)),
])  # fmt: skip
def test_a_parent_wins(site: int | None, organisation: int | None, domain: int | None, expected: tuple[int | None, Layer | None]) -> None:
    layers = {layer: {"lists": value} for layer, value in ((Layer.SITE, site), (Layer.ORGANISATION, organisation), (Layer.DOMAIN, domain)) if value is not None}
    assert tuple(rules.effective("lists", layers)) == expected


def test_no_list_beyond_the_quota_by_any_way(ours: Organisation) -> None:
    quotas.change(ours, {"lists": "2"}, NOW, by="test")
    first, second = make("a"), make("bb")
    for more in (lambda: make("c"), lambda: life.copy(first, "c@saule.example", NOW, by="test")):
        with pytest.raises(ValueError, match=r"Les Paniers may have 2 lists \(set for Les Paniers\), and has them"):
            more()
    life.delete(second, NOW, by="test")
    make("c")
    with pytest.raises(ValueError, match="may have 2 lists"):
        life.restore("bb@saule.example", NOW, by="test")
    organisations.add_domain("autre.example", organisations.organisation_called("Une autre"), NOW, by="test")
    elsewhere = lists.create("x@autre.example", "discussion", "a@a.example", NOW, by="test")
    with pytest.raises(ValueError, match="may have 2 lists"):
        life.move(elsewhere, "x@saule.example", NOW, by="test")
    life.move(first, "z@saule.example", NOW, by="test")  # renaming makes none
    shown = {row.name: row for row in quotas.show(ours)}
    assert (shown["lists"].used, shown["lists"].effective) == (2, rules.Effective(2, Layer.ORGANISATION))


def test_a_domain_has_a_quota_of_its_own_below_its_organisations(ours: Organisation) -> None:
    domain = Domain.objects.get(name="saule.example")
    quotas.change(domain, {"lists": "1"}, NOW, by="test")
    organisations.add_domain("second.example", ours, NOW, by="test")
    make("a")
    with pytest.raises(ValueError, match=r"saule.example may have 1 lists \(set for saule.example\)"):
        make("bb")
    assert lists.create("bb@second.example", "discussion", "a@a.example", NOW, by="test")


def test_the_sites_quota_counts_for_each_organisation(ours: Organisation) -> None:
    quotas.change(policies.site(), {"domains": "1"}, NOW, by="test")
    with pytest.raises(ValueError, match="may have 1 domains"):
        organisations.add_domain("second.example", ours, NOW, by="test")
    assert organisations.add_domain("autre.example", organisations.organisation_called("Une autre"), NOW, by="test")


def test_no_member_beyond_the_quota_and_nothing_half_done(ours: Organisation) -> None:
    quotas.change(ours, {"members": "3"}, NOW, by="test")
    made = make("a")
    memberships.add(made, [("a@x.example", ""), ("b@x.example", "")], NOW, by="test")
    with pytest.raises(ValueError, match=r"may have 3 members .* and has 2: 2 more are too many, none was added"):
        memberships.add(made, [("c@x.example", ""), ("d@x.example", "")], NOW, by="test")
    assert made.memberships.count() == 2
    assert memberships.add(made, [("c@x.example", ""), ("a@x.example", "")], NOW, by="test").added == 1  # who is there already does not count
    with pytest.raises(ValueError, match="too many"):
        quotas.change(ours, {"members": "2"}, NOW, by="test")
        life.copy(made, "bb@saule.example", NOW, by="test", members=True)
    assert List.objects.count() == 1


def test_the_size_of_a_message_is_bounded_where_it_is_set_and_where_it_counts(ours: Organisation) -> None:
    made = make("a")
    lists.set_policy(made, {"max_size": "20M"}, "test", NOW)
    quotas.change(ours, {"message_size": "5M"}, NOW, by="test")
    found = List.objects.select_related("organisation", "domain").get(pk=made.pk)
    assert policy(found).max_size == 5 * 1024 * 1024
    for place in (found.domain, ours):
        with pytest.raises(ValueError, match="5242880 bytes at most"):
            policies.set_policy(place, {"max_size": "6M"}, "test", NOW)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="5242880 bytes at most"):
        lists.set_policy(found, {"max_size": "6M"}, "test", NOW)
    lists.set_policy(found, {"max_size": "4M"}, "test", NOW)
    assert policy(List.objects.select_related("organisation", "domain").get(pk=made.pk)).max_size == 4 * 1024 * 1024


def test_wrong_quotas_are_named_and_change_nothing(ours: Organisation) -> None:
    with pytest.raises(ValueError, match=r"lists must be a whole number.*no quota 'colour'"):
        quotas.change(ours, {"members": "5", "lists": "-1", "colour": "1"}, NOW, by="test")
    with pytest.raises(ValueError, match="no quota 'domains' here"):
        quotas.change(Domain.objects.get(), {"domains": "1"}, NOW, by="test")
    assert Organisation.objects.get(pk=ours.pk).quotas == {}
    assert quotas.change(ours, {"members": "5"}, NOW, by="test") and quotas.change(ours, {"members": ""}, NOW, by="test")
    assert not quotas.change(ours, {"members": ""}, NOW, by="test") and ours.quotas == {}


def test_an_administrator_of_an_organisation_has_its_lists_and_no_others(ours: Organisation) -> None:
    made = make("a")
    organisations.add_domain("autre.example", organisations.organisation_called("Une autre"), NOW, by="test")
    other = lists.create("x@autre.example", "discussion", "a@a.example", NOW, by="test")
    assert administrators.give(ours, "Yann@saule.example", NOW, by="test") and not administrators.give(ours, "yann@saule.example", NOW, by="test")
    yann = people.find("yann@saule.example")
    assert yann is not None and [one.primary_email for one in administrators.of(ours)] == ["yann@saule.example"]
    assert Right.ADMINISTER in rights_on(yann, made) and rights_on(yann, other) == frozenset()
    assert list(lists_for(yann, Right.ADMINISTER)) == [made] and not administers(yann, other.organisation_id)
    people.switch(yann, False, by="test")
    yann.refresh_from_db()
    assert not lists_for(yann, Right.SEE) and rights_on(yann, made) == frozenset()
    people.switch(yann, True, by="test")
    yann.refresh_from_db()
    assert administrators.take(ours, "yann@saule.example", NOW, by="test") and not administrators.take(ours, "yann@saule.example", NOW, by="test")
    assert not lists_for(yann, Right.SEE)


def test_an_organisation_is_renamed_and_its_naming_rule_holds_on_every_domain_without_one(ours: Organisation) -> None:
    organisations.change(ours, {"name": "Les Paniers du Saule", "language": "fr", "name_begins": "amap-", "name_reason": "nos listes"}, NOW, by="test")
    assert Organisation.objects.get(pk=ours.pk).name == "Les Paniers du Saule"
    with pytest.raises(ValueError, match="begins with 'amap-' here: nos listes"):
        make("a")
    organisations.change_domain(Domain.objects.get(), {"name_begins": "p-"}, NOW, by="test")
    assert make("p-a")
    organisations.organisation_called("Une autre")
    for wrong in ({"name": " "}, {"name": "Une autre"}, {"language": "de"}, {"colour": "x"}):
        with pytest.raises(ValueError):
            organisations.change(ours, wrong, NOW, by="test")
