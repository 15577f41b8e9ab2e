"""No string is left untranslated, and none of them breaks when it is filled."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import colporteur

PACKAGE = Path(colporteur.__file__).parent
FRENCH = PACKAGE / "locale/fr/LC_MESSAGES/django.po"
_SLOT = re.compile(r"%\(\w+\)[sdr0-9]+|\{\w*\}")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> set[object]:
    """Every string of the sources that asks for a translation."""
    if not shutil.which("xgettext"):
        pytest.fail("xgettext is missing: apt-get install gettext")
    place = tmp_path_factory.mktemp("words") / "colporteur"
    shutil.copytree(PACKAGE, place, ignore=shutil.ignore_patterns("locale", "notices", "cli", "__pycache__", "migrations"))
    (place / "locale").mkdir()
    subprocess.run([sys.executable, "-m", "django", "makemessages", "-l", "fr", "--settings=colporteur.settings", "-v0"], cwd=place, check=True)
    with (place / "locale/fr/LC_MESSAGES/django.po").open("rb") as file:
        return {(message.id, message.context) for message in read_po(file) if message.id}


def _french() -> dict[object, object]:
    with FRENCH.open("rb") as file:
        return {(message.id, message.context): message for message in read_po(file) if message.id}


def test_every_string_is_translated(extracted: set[object]) -> None:
    french = _french()
    missing = [key for key in extracted if key not in french or not all([french[key].string] if isinstance(french[key].string, str) else french[key].string)]  # type: ignore[attr-defined]
    assert not missing
    assert not [key for key, message in french.items() if message.fuzzy]  # type: ignore[attr-defined]


def test_translations_fill_the_same_slots() -> None:
    wrong = []
    for message in _french().values():
        sources = message.id if isinstance(message.id, tuple) else (message.id,)  # type: ignore[attr-defined]
        strings = message.string if isinstance(message.string, tuple) else (message.string,)  # type: ignore[attr-defined]
        known = {slot for source in sources for slot in _SLOT.findall(source)}
        for string in strings:
            if not set(_SLOT.findall(string)) <= known or (len(strings) == 1 and set(_SLOT.findall(string)) != known):
                wrong.append(sources)
    assert not wrong


def test_french_spaces_do_not_break() -> None:
    loose = re.compile(r"(?<![\u202f\u00a0])[;?!»]|« |(?<=[\w)»] ):(?!\w)")
    wrong = []
    for message in _french().values():
        for string in message.string if isinstance(message.string, tuple) else (message.string,):  # type: ignore[attr-defined]
            text = re.sub(r"<[^>]*>|[a-z]+://\S+", "", string)
            if loose.search(text):
                wrong.append(string)
    assert not wrong
