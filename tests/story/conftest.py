"""What stories need: the product's parts on the database of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.scenes import Installation


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    """The parts as real processes; stopped before the database is emptied."""
    with Installation(tmp_path / "installation") as made:
        yield made
