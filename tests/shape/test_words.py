"""The charter's words: one per thing, and no file named after nothing in particular."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc"}
# Places of one machine have no business in a product.
PLACES = re.compile(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot)/\w")


def _files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_every_file_is_named_after_what_is_in_it() -> None:
    wrong = [file for file in _files() if NAMELESS & set(re.split(r"[_.-]", file.name.lower())) or NAMELESS & set(file.relative_to(ROOT).parts)]
    assert wrong == []


def test_no_place_of_one_machine_is_mentioned() -> None:
    wrong = []
    for file in _files():
        if file.suffix in {".py", ".md", ".toml", ".lock", ".html", ".txt", ".po", ".css", ""}:
            text = file.read_text(errors="replace")
            wrong += [f"{file.relative_to(ROOT)}: {found[0]}" for found in PLACES.finditer(text)]
    assert wrong == []
