"""``colporteur template``."""

from __future__ import annotations

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_a_template_is_made_followed_changed_and_deleted(run: Run, ask: Run, amapiens: List) -> None:
    made = ask("template", "add", "Groupes d’été", "--from", "working-group", "--sentence", "L’été")
    assert (made["id"], made["policy"]["posting"], made["shipped"]) == ("groupes-d-ete", "members", False)
    assert ask("list", "set", "amapiens@saule.example", "template=groupes-d-ete")["template"] == "groupes-d-ete"
    assert ask("template", "set", made["id"], "prefix=[été]")["lists"] == 1
    prefix = next(row for row in ask("list", "show", "amapiens@saule.example")["settings"] if row["key"] == "prefix")
    assert (prefix["value"], prefix["from"]) == ("[été]", "template")
    assert run("template", "delete", made["id"]).exit_code == 1
    assert ask("list", "set", "amapiens@saule.example", "template=discussion")["template"] == "discussion"
    assert "prefix" not in ask("template", "set", made["id"], "--inherit", "prefix")["policy"]
    assert ask("template", "delete", made["id"])["id"] == made["id"]
    assert [row["id"] for row in ask("template", "list")] == "discussion distribution mailbox announce newsletter working-group confidential hotline".split()
    assert ask("template", "show", "hotline")["policy"]["posting"] == "world"
    for wrong in (("template", "set", "discussion", "prefix=x"), ("template", "show", "none"), ("template", "set", "none", "prefix=x"), ("template", "add", "T", "--from", "none")):
        assert run(*wrong).exit_code == 1, wrong
