"""Templates made here: a change reaches the lists that follow, where they have no value of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.domain.policy import OPTIONS, Layer, parse
from colporteur.domain.templates import TEMPLATES
from colporteur.flow import life, lists, organisations, policies, templates
from colporteur.store.lists import List
from colporteur.store.organisations import Organisation
from colporteur.store.policies import explained, policy

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def ours() -> Organisation:
    made = organisations.organisation_called("Les Paniers du Saule")
    organisations.add_domain("saule.example", made, NOW, by="test")
    organisations.add_domain("autre.example", organisations.organisation_called("Une autre"), NOW, by="test")
    return made


def make(name: str, template: str, domain: str = "saule.example") -> List:
    lists.create(f"{name}@{domain}", template, "helene@saule.example", NOW, by="test")
    return again(f"{name}@{domain}")


def again(address: str) -> List:
    return List.objects.select_related("organisation", "domain").get(address=address)


def test_a_change_reaches_the_lists_that_follow_where_they_say_nothing(ours: Organisation) -> None:
    own = templates.make("Groupe d’été", "working-group", NOW, by="test", organisation=ours)
    assert own.key == "groupe-d-ete" and own.policy == TEMPLATES["working-group"].policy
    first, second, shipped = make("a", own.key), make("bb", own.key), make("c", "working-group")
    lists.set_policy(second, {"prefix": "[b]"}, "test", NOW)
    policies.set_policy(own, {"prefix": "[été]", "stranger": "reject"}, "test", NOW)
    assert (policy(again("a@saule.example")).prefix, policy(again("bb@saule.example")).prefix, policy(again("c@saule.example")).prefix) == ("[été]", "[b]", "")
    assert (policy(first).stranger, policy(second).stranger, policy(shipped).stranger) == ("reject", "reject", "hold")
    assert explained(first)["prefix"].origin == Layer.TEMPLATE and explained(second)["prefix"].origin == Layer.LIST
    assert (templates.followers(own), templates.overridden(own, "prefix")) == (2, 1)


def test_site_organisation_domain_template_list_in_that_order(ours: Organisation) -> None:
    own = templates.make("Nôtre", "discussion", NOW, by="test", organisation=ours)
    made = make("a", own.key)
    seen = []
    for place in (policies.site(), ours, made.domain, own):
        assert place is not None
        policies.set_policy(place, {"expire_days": str(20 + len(seen))}, "test", NOW)
        found = explained(again("a@saule.example"))["expire_days"]
        seen.append((found.value, found.origin.value))
    lists.set_policy(made, {"expire_days": "3"}, "test", NOW)
    seen.append((policy(again("a@saule.example")).expire_days, "list"))
    assert seen == [(20, "site"), (21, "organisation"), (22, "domain"), (23, "template"), (3, "list")]


def test_a_template_of_one_organisation_is_not_anothers(ours: Organisation) -> None:
    own, everybodys = templates.make("À nous", "discussion", NOW, by="test", organisation=ours), templates.make("À tous", "discussion", NOW, by="test")
    with pytest.raises(ValueError, match="no template"):
        make("x", own.key, "autre.example")
    assert make("x", everybodys.key, "autre.example") and make("x", own.key)
    with pytest.raises(ValueError, match="no template"):
        lists.change(again("x@autre.example"), NOW, by="test", template=own.key)
    assert [template.key for template in templates.own(ours.pk)] == sorted([own.key, everybodys.key])


def test_a_list_that_moves_to_another_organisation_keeps_the_values_of_a_template_unknown_there(ours: Organisation) -> None:
    own = templates.make("À nous", "confidential", NOW, by="test", organisation=ours)
    policies.set_policy(own, {"prefix": "[nous]"}, "test", NOW)
    made = make("a", own.key)
    before = {name: one.value for name, one in explained(made).items()}
    life.copy(made, "bb@autre.example", NOW, by="test")
    life.move(made, "a@autre.example", NOW, by="test")
    for name in ("a", "bb"):
        moved = again(f"{name}@autre.example")
        assert moved.template in TEMPLATES and {name: one.value for name, one in explained(moved).items()} == before
    policies.set_policy(own, {"prefix": "[autre]"}, "test", NOW)
    assert policy(again("a@autre.example")).prefix == "[nous]"


def test_a_template_with_lists_is_not_deleted(ours: Organisation) -> None:
    own = templates.make("Nôtre", "discussion", NOW, by="test")
    made = make("a", own.key)
    life.delete(made, NOW, by="test")  # can be restored, and would miss it
    with pytest.raises(ValueError, match="1 lists follow"):
        templates.delete(own, NOW, by="test")
    life.restore(made.address, NOW, by="test")
    lists.change(again(made.address), NOW, by="test", template="discussion")
    templates.delete(own, NOW, by="test")
    with pytest.raises(ValueError, match="no template"):
        templates.find(own.key)


def test_titles_may_repeat_keys_may_not(ours: Organisation) -> None:
    assert [templates.make("Discussion", "discussion", NOW, by="test").key for _ in range(2)] == ["discussion-2", "discussion-3"]
    for wrong in ({"key": "discussion"}, {"key": "a b"}, {"title": " "}, {"based_on": "nonsense"}):
        with pytest.raises(ValueError):
            templates.make(**({"title": "T", "based_on": "discussion"} | wrong), now=NOW, by="test")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shipped template"):
        templates.find("discussion")


@pytest.mark.parametrize("key", TEMPLATES)
def test_a_shipped_template_says_what_it_sets(key: str) -> None:
    template = TEMPLATES[key]
    assert template.sentence and len(template.explanation) > 60
    for name, value in template.policy.items():
        assert name in OPTIONS and (value is None or parse(name, value) == value)


def test_no_footer_of_the_site_reaches_a_distribution_group(ours: Organisation) -> None:
    policies.set_policy(policies.site(), {"footer": "Pied du site", "prefix": "[site]"}, "test", NOW)
    group, talk = policy(make("a", "distribution")), policy(make("bb", "discussion"))
    assert (group.footer, group.prefix, group.reply_to) == ("", "", "sender") and (talk.footer, talk.prefix) == ("Pied du site", "[site]")
