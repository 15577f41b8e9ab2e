"""``colporteur organisation``: add, show, set, quota, administrator."""

from __future__ import annotations

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_an_organisation_is_made_changed_bounded_and_given_administrators(run: Run, ask: Run, amapiens: List) -> None:
    assert ask("organisation", "add", "KAZ", "--language", "fr")["language"] == "fr"
    assert ask("domain", "add", "kaz.example", "--organisation", "KAZ")["organisation"] == "KAZ"
    assert ask("organisation", "set", "KAZ", "name=Collectif KAZ", "name-begins=kaz")["name_begins"] == "kaz"
    assert ask("organisation", "administrator", "Collectif KAZ", "marie@kaz.example")["administrators"] == ["marie@kaz.example"]
    ask("organisation", "quota", "-", "lists=5")
    rows = {row["quota"]: row for row in ask("organisation", "quota", "Collectif KAZ", "lists=9", "members=100")["quotas"]}
    assert (rows["lists"]["set_here"], rows["lists"]["counts"], rows["lists"]["from"], rows["lists"]["used"]) == (9, 5, "site", 0)
    assert (rows["members"]["counts"], rows["members"]["from"]) == (100, "organisation")
    on_domain = {row["quota"]: row for row in ask("organisation", "quota", "Collectif KAZ", "lists=1", "--domain", "kaz.example")["quotas"]}
    assert (on_domain["lists"]["counts"], on_domain["lists"]["from"]) == (1, "domain")
    assert ask("list", "create", "kaz-a@kaz.example", "--owner", "marie@kaz.example")
    too_many = run("list", "create", "kaz-b@kaz.example", "--owner", "marie@kaz.example")
    assert too_many.exit_code == 1 and "may have 1 lists" in too_many.stderr
    assert ask("organisation", "show", "Collectif KAZ")["lists"] == 1
    assert ask("organisation", "administrator", "Collectif KAZ", "marie@kaz.example", "--take")["administrators"] == []
    assert [row["name"] for row in ask("organisation", "list")][0] == "Collectif KAZ"
    for wrong in (("show", "Personne"), ("quota", "Collectif KAZ", "lists=many"), ("set", "Collectif KAZ", "language=de"), ("administrator", "Collectif KAZ", "marie@kaz.example", "--take")):
        assert run("organisation", *wrong).exit_code == 1, wrong
