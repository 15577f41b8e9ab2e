"""The mail journal: every line is ``event=... key=value ...`` and every event is told to postmasters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SHAPE = re.compile(r"(?:%s|[a-z]+(?:-[a-z]+)*)(?: [a-z_]+=%[sdr])+")
_STATES = ("accepted", "held", "rejected", "discarded", "deferred", "failed")


def lines() -> list[tuple[str, str]]:
    """(where, template) of every line written to the mail journal."""
    found = []
    for path in sorted((ROOT / "colporteur").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        loggers = {
            target.id
            for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value) == "logging.getLogger('colporteur.mail')"
            for target in node.targets if isinstance(target, ast.Name)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id in loggers:
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                assert node.args and isinstance(node.args[0], ast.Constant), f"{where}: the line is not one text"
                found.append((where, str(node.args[0].value)))
    return found


def test_every_line_is_an_event_and_its_values() -> None:
    found = lines()
    assert len(found) > 20
    assert [one for one in found if not _SHAPE.fullmatch(one[1])] == []


def test_every_event_stands_in_the_administrators_guide() -> None:
    guide = (ROOT / "docs" / "administrator.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z-]+)`", guide.partition("## Logs")[2]))
    events = {template.split()[0] for _where, template in lines()} - {"%s"} | set(_STATES)
    assert events - told == set()
