"""What stories need: the product's parts on the database of the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colporteur.daemons.postgresql import Server
from tests.story.databases import elsewhere, open_folder
from tests.story.scenes import Installation


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    """The parts as real processes; stopped before the database is emptied."""
    with Installation(tmp_path / "installation") as made:
        yield made


@pytest.fixture
def own_database(django_db_blocker: Any) -> Iterator[Server]:
    """A PostgreSQL of the test's own, to be stopped, filled up or cut off; Django's connection of this process leads there."""
    with open_folder() as folder, elsewhere(Server(folder / "postgres"), django_db_blocker) as server:
        yield server


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 200 MB, to be filled up. Needs root."""
    with open_folder() as disk:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", str(disk)], capture_output=True).returncode:
            pytest.skip("no file system may be mounted here")
        yield disk
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
