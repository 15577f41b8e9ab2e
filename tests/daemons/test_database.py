"""Who may start, use and stop the embedded server."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from colporteur.daemons import binaries, database
from colporteur.daemons.binaries import DatabaseError


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="colporteur-database-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "postgres"


def test_one_owner_and_any_number_of_users(place: Path) -> None:
    with database.owned(place) as server:
        assert database.has_owner(place)
        with pytest.raises(database.AlreadyOwned, match=f"process {os.getpid()}"), database.owned(place):
            pass
        with database.joined(place) as joined, database.in_use(place) as used:
            assert joined.process is None and used.process is None
            with psycopg.connect(used.dsn()) as connection:
                assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert server.answers(), "who joins does not stop it"
        assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700 == stat.S_IMODE(place.stat().st_mode)
    assert not server.answers() and not database.has_owner(place)
    with database.joined(place) as alone:
        assert alone.process is not None, "nobody ran it: the part alone owns it"
        assert database.has_owner(place)


def test_a_name_too_long_for_a_socket_is_said() -> None:
    with pytest.raises(DatabaseError, match="shorter COLPORTEUR_DATA"):
        database.Server(Path("/tmp") / ("x" * 120) / "postgres").start()


def test_another_major_version_is_refused_and_left_alone(place: Path) -> None:
    version = place / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("17\n")
    with pytest.raises(DatabaseError, match="PostgreSQL 17") as refused:
        database.Server(place).start()
    assert version.read_text() == "17\n"
    for step in ("colporteur backup FILE", f"move {place} away", "colporteur restore FILE"):
        assert step in str(refused.value), "the way to upgrade is said"
    place.rename(place.with_name("old"))
    with database.in_use(place) as server:
        assert server.answers(), "moved away, a new one is made beside it"


def test_an_interrupted_set_up_is_begun_again(place: Path) -> None:
    (place / "data").mkdir(parents=True)
    (place / "data" / "half").write_text("")
    (place / "data.new").mkdir()
    with database.in_use(place) as server:
        assert server.answers()
    assert not (place / "data" / "half").exists()


def test_a_closed_folder_on_the_way_is_noticed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert not binaries.enterable(tmp_path / "var")
    assert binaries.enterable(Path("/tmp"))


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_what_is_not_there_yet_is_made_with_our_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        assert binaries.enterable(Path("/tmp/colporteur-not-there/var")) == (umask == 0o022)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
