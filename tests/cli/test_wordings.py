"""``colporteur wording``."""

from __future__ import annotations

from pathlib import Path

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_a_text_is_shown_rewritten_inherited_and_reset(run: Run, ask: Run, amapiens: List, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Patience pour {{ title }}\n", encoding="utf-8")
    place = ("--list", "amapiens@saule.example")
    assert ask("wording", "show", "waiting", "--language", "fr", *place)["origin"] == "standard"
    made = ask("wording", "set", "waiting", "--language", "fr", "--domain", "saule.example", "--subject", "En attente", "--text", str(text))
    assert made["origin"] == "saule.example"
    shown = ask("wording", "show", "waiting", "--language", "fr", "--preview", *place)
    assert (shown["origin"], shown["subject"]) == ("saule.example", "En attente") and "Patience pour" in shown["text"] and "{{" not in shown["text"]
    assert next(row for row in ask("wording", "list", "--domain", "saule.example") if row["letter"] == "waiting")["rewritten"] == ["fr"]
    assert ask("wording", "reset", "waiting", "--language", "fr", "--domain", "saule.example")["origin"] == "standard"
    text.write_text("{{ secret }}", encoding="utf-8")
    for wrong in (("set", "waiting", "--subject", "S", "--text", str(text)), ("show", "nothing"), ("show", "waiting", "--domain", "saule.example", *place), ("show", "signin", *place)):
        assert run("wording", wrong[0], wrong[1], "--language", "fr", *wrong[2:]).exit_code == 1, wrong
