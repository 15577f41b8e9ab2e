"""Commands are run through the program's own entry, in the test's transaction: only starting the database is left out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from colporteur.cli import colporteur, installation
from colporteur.flow import lists, organisations, transports
from colporteur.store.lists import List

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
Run = Callable[..., Result]


@pytest.fixture
def run(db: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command line; ``input`` is its standard input."""
    monkeypatch.setattr(installation, "installation", contextlib.nullcontext)
    return lambda *words, input=None: CliRunner().invoke(colporteur, [str(word) for word in words], input=input, prog_name="colporteur")


@pytest.fixture
def ask(run: Run) -> Callable[..., Any]:
    """Run one command with ``--json``: what it printed, read; it must have ended well and said nothing on stderr."""

    def asked(*words: object, input: str | bytes | None = None) -> Any:
        result = run(*words, "--json", input=input)
        assert result.exit_code == 0 and not result.stderr, result.output
        return json.loads(result.stdout)

    return asked


@pytest.fixture
def amapiens(db: None) -> List:
    """A discussion list with a domain and a way out."""
    organisations.add_domain("saule.example", None, NOW, by="test")
    transports.add("outbox", "folder:///tmp/colporteur-tests-outbox", NOW)
    return lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test", title="Amapiens")
