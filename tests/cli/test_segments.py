"""``colporteur attribute`` and ``colporteur segment``."""

from __future__ import annotations

from pathlib import Path

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_attributes_and_segments_by_command(run: Run, ask, amapiens: List, tmp_path: Path) -> None:
    list_ = amapiens.address
    assert ask("attribute", "add", list_, "Ville", "--key", "town", "--asked")["key"] == "town"
    assert run("attribute", "add", list_, "Voix", "--kind", "choice").exit_code == 1
    assert ask("attribute", "add", list_, "Voix", "--kind", "choice", "--choice", "Alto", "--choice", "Basse")["choices"] == ["Alto", "Basse"]
    (tmp_path / "m.csv").write_text("email;Ville\ndora@example.com;Rennes\n")
    ask("member", "add", list_, "--file", str(tmp_path / "m.csv"))
    assert run("member", "add", list_, "--file", str(tmp_path / "m.csv"), "--columns", "email=1,shoe=2").exit_code == 1
    assert ask("attribute", "set", list_, "dora@example.com", "voix=alto") == {"address": "dora@example.com", "town": "Rennes", "voix": "Alto"}
    assert run("attribute", "set", list_, "dora@example.com", "voix=Tenor").exit_code == 1
    assert [row["key"] for row in ask("attribute", "list", list_, "--after", "town")] == ["voix"]

    (tmp_path / "rule.json").write_text('{"match": "all", "parts": [{"about": "attribute", "key": "town", "is": "begins", "value": "ren"}]}')
    made = ask("segment", "add", list_, "Rennais", str(tmp_path / "rule.json"))
    assert (made["members"], made["words"]) == (1, "Ville begins with ren")
    (tmp_path / "rule.json").write_text('{"match": "all"')
    refused = run("segment", "add", list_, "x", str(tmp_path / "rule.json"))
    assert refused.exit_code == 1 and "JSON" in refused.stderr
    shown = ask("segment", "show", list_, "rennais", "--who", "dora@example.com")
    assert shown["some"] == ["dora@example.com"] and shown["who"] == {"address": "dora@example.com", "member": True, "matches": True, "reasons": [{"words": "Ville begins with ren", "holds": True}]}
    assert [row["name"] for row in ask("segment", "list", list_)] == ["Rennais"]
    assert run("attribute", "delete", list_, "town", "--yes").exit_code == 1  # the segment asks about it
    assert ask("segment", "delete", list_, "Rennais") == {"name": "Rennais"}
    assert ask("attribute", "delete", list_, "town", "--yes") == {"key": "town", "values": 1}
