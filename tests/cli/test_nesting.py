"""``colporteur nest``."""

from __future__ import annotations

from colporteur.store.lists import List
from tests.cli.conftest import Run


def test_a_list_is_put_inside_another_and_taken_out(run: Run, ask, amapiens: List) -> None:
    run("list", "create", "bureau@saule.example", "--template", "discussion", "--owner", "helene@saule.example")
    shown = {"address": "amapiens@saule.example", "inside": [{"address": "bureau@saule.example", "approval": "covers"}], "around": [], "excluded": []}
    assert ask("nest", "add", "amapiens@saule.example", "bureau@saule.example") == shown
    assert ask("nest", "show", "bureau@saule.example")["around"] == ["amapiens@saule.example"]
    circle = run("nest", "add", "bureau@saule.example", "amapiens@saule.example")
    assert circle.exit_code == 1 and "bureau > amapiens > bureau" in circle.stderr
    assert ask("nest", "add", "amapiens@saule.example", "bureau@saule.example", "--ask-again")["inside"][0]["approval"] == "ask-again"
    assert ask("nest", "remove", "amapiens@saule.example", "bureau@saule.example")["inside"] == []
    assert run("nest", "remove", "amapiens@saule.example", "bureau@saule.example").exit_code == 1


def test_people_are_left_out_and_readmitted(run: Run, ask, amapiens: List) -> None:
    assert ask("nest", "exclude", amapiens.address, "Anna@x.example")["excluded"] == ["anna@x.example"]
    assert ask("nest", "exclude", amapiens.address, "anna@x.example", "--readmit")["excluded"] == []
    assert run("nest", "exclude", amapiens.address, "anna@x.example", "--readmit").exit_code == 1
