"""What stories need: the product's parts on the database of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colporteur.daemons.postgresql import Server
from tests.story.databases import elsewhere, walkable
from tests.story.scenes import Installation


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    """The parts as real processes; stopped before the database is emptied."""
    with Installation(tmp_path / "installation") as made:
        yield made


@pytest.fixture
def own_database(tmp_path: Path, django_db_blocker: Any) -> Iterator[Server]:
    """A PostgreSQL of the test's own, to be stopped, filled up or cut off; Django's connection of this process leads there."""
    with elsewhere(Server(walkable(tmp_path) / "postgres"), django_db_blocker) as server:
        yield server
