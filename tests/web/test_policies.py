"""Settings: effective value, origin, way back, and what was wrong said at the setting."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from colporteur.domain.policy import OPTIONS, Layer
from colporteur.flow import lists, roles
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import RoleKind
from colporteur.store.organisations import Domain, Site
from colporteur.store.policies import policy
from tests.web.conftest import World, signed_in


def _row(page: object, name: str) -> object:
    return next(row for section in page.context["sections"].values() for row in section if row.name == name)  # type: ignore[attr-defined]


def test_every_option_has_its_row_and_saving_unchanged_changes_nothing(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("list-settings", args=[world.list.pk])
    page = browser.get(where)
    shown = [row for section in page.context["sections"].values() for row in section]
    assert [row.name for row in shown] == [name for name, option in OPTIONS.items() if Layer.LIST in option.metadata["only"]]
    before = JournalEntry.objects.count()
    answer = browser.post(where, {row.name: row.value for row in shown}, follow=True)
    assert "Nothing was changed" in answer.content.decode() and JournalEntry.objects.count() == before


def test_a_value_is_set_here_and_goes_back(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("list-settings", args=[world.list.pk])
    Domain.objects.filter(pk=world.list.domain_id).update(policy={"stranger": "reject"})
    row = _row(browser.get(where), "stranger")
    assert [words for words, here in row.ruler if here] == ["Domain"] and not row.own  # type: ignore[attr-defined]
    browser.post(where, {"stranger": "hold", "max_size": "1,5"})
    world.list.refresh_from_db()
    assert (policy(world.list).stranger, policy(world.list).max_size) == ("hold", 1_572_864)
    row = _row(browser.get(where), "stranger")
    assert row.own and row.set_by == "Paul Kerneis" and "It is refused with a word (domain)" in row.inherited  # type: ignore[attr-defined]
    browser.post(where, {"inherit": "stranger"})
    world.list.refresh_from_db()
    assert "stranger" not in world.list.policy


def test_what_is_wrong_is_said_and_kept_and_nothing_else_is_saved(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("list-settings", args=[world.list.pk])
    page = browser.post(where, {"max_size": "beaucoup", "prefix": "[Neuf]"})
    assert page.status_code == 422 and "between" in _row(page, "max_size").fault and _row(page, "max_size").value == "beaucoup"  # type: ignore[attr-defined]
    world.list.refresh_from_db()
    assert world.list.policy["prefix"] == "[amapiens]"


def test_a_contradiction_is_said_twice(world: World) -> None:
    now = timezone.now()
    made = lists.create("annonces@paniersdusaule.example", "announce", "helene.marchand@paniersdusaule.example", now, by="test")
    page = signed_in(world.admin).get(reverse("list-settings", args=[made.pk]))
    assert page.context["warnings"] and _row(page, "posting").echoes  # type: ignore[attr-defined]
    roles.give(made, "odile.perrin@courriel.example", RoleKind.MODERATOR, now, by="test")
    page = signed_in(world.admin).get(reverse("list-settings", args=[made.pk]))
    assert not page.context["warnings"] and not _row(page, "posting").echoes  # type: ignore[attr-defined]


def test_the_site_speaks_for_lists_that_say_nothing(world: World) -> None:
    browser, before = signed_in(world.admin), JournalEntry.objects.filter(event="policy.changed").count()
    browser.post(reverse("site-policy"), {"expire_days": "30"})
    assert Site.objects.get().policy == {"expire_days": 30} and policy(world.list).expire_days == 30
    assert browser.post(reverse("site-policy"), {"expire_days": "0"}).status_code == 422
    browser.post(reverse("domain-policy", args=[world.list.domain_id]), {"expire_days": "7"})
    browser.post(reverse("organisation-policy", args=[world.list.organisation_id]), {"expire_days": "8"})
    world.list.refresh_from_db()
    assert policy(type(world.list).objects.select_related("domain", "organisation").get(pk=world.list.pk)).expire_days == 7
    assert JournalEntry.objects.filter(event="policy.changed").count() == before + 3


def test_what_is_wrong_is_said_in_french(world: World) -> None:
    page = signed_in(world.owner, "fr").post(f"/lists/{world.list.pk}/settings", {"blocked": "n'importe"}).content.decode()
    assert "n’est ni une adresse ni un domaine" in page and "« Expéditeurs" in page.replace("\xa0", " ").replace("\u202f", " ")
