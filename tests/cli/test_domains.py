"""``colporteur domain``."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_domains_come_newest_first_with_their_organisation(run: Run, ask) -> None:
    assert ask("domain", "add", "saule.example")["organisation"] == "Default"
    assert ask("domain", "add", "usk.example", "--organisation", "Union sportive")["organisation"] == "Union sportive"
    assert [row["name"] for row in ask("domain", "list")] == ["usk.example", "saule.example"]
    assert ask("domain", "list", "--after", "usk.example")[0]["name"] == "saule.example"
    table = run("domain", "list").stdout.splitlines()
    assert table[0].split() == ["name", "organisation", "enabled", "lists"] and "Union sportive" in table[1]


def test_a_domain_is_switched_off_and_on(run: Run, ask) -> None:
    run("domain", "add", "saule.example")
    assert ask("domain", "disable", "saule.example")["enabled"] is False
    assert ask("domain", "disable", "saule.example")["enabled"] is False
    assert ask("domain", "enable", "saule.example")["enabled"] is True


def test_wrong_domains_are_refused_and_no_organisation_is_left_behind(run: Run, ask) -> None:
    for name in ("x", "a@b.example", "-"):
        assert run("domain", "add", name, "--organisation", "Nobody's").exit_code == 1
    assert run("domain", "enable", "nowhere.example").exit_code == 1
    run("domain", "add", "saule.example")
    twice = run("domain", "add", "saule.example")
    assert twice.exit_code == 1 and "there already" in twice.stderr
    assert {row["organisation"] for row in ask("domain", "list")} == {"Default"}
