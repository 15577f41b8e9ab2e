"""``colporteur demo``."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_the_demo_is_made_once(run: Run, ask) -> None:
    assert "Les Paniers du Saule" in run("demo").stdout
    assert run("demo").stdout == "The demo data is there already.\n"
    assert {row["template"] for row in ask("list", "list")} == {"discussion", "distribution", "announce"}
