"""Set-up, as issue 2 promises it: real processes, real users of this machine, the real embedded PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from colporteur.daemons.binaries import ROOT_PLACE
from colporteur.daemons.database import owned, place
from tests.servers.installation import Installation, another_user, code_for, processes_of
from tests.servers.ports import wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes users of this machine: run as root")
ALICE, BOB = "colporteur-alice", "colporteur-bob"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.fixture
def here() -> Iterator[Installation]:
    """An installation of the user who runs the tests, in a folder everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="colporteur-setup-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        installation = Installation(Path(folder) / "var")
        yield installation
        installation.kill()
        wait_until(lambda: not processes_of(installation.data), what="processes of the installation end")


@as_root
def test_root_in_a_closed_home_keeps_the_homes_mode_and_says_where_the_database_is(tmp_path: Path, log: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    installation = Installation(home / "var")
    try:
        installation.start(log=log)
        installation.wait_until_ready(log)
        assert installation.stop() == 0
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "var" / "secret_key").stat().st_mode) == 0o600
        assert not (home / "var" / "postgres").exists()
        told = [line for line in log.read_text().splitlines() if "/var/lib/colporteur" in line]
        assert len(told) == 1 and "cannot enter" in told[0]
        wait_until(lambda: not processes_of(home / "var"))
    finally:
        installation.kill()
        for left in _moved(home / "var"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


@as_root
def test_an_ordinary_user_after_root_touches_nothing_of_roots(here: Installation) -> None:
    assert here.command("migrate").returncode == 0
    with another_user(ALICE) as alice:
        code, packages = code_for(alice)
        theirs = Installation(Path(f"/home/{alice}/var"), user=alice, code=code, packages=packages)
        done = theirs.command("person", "add", "alice@example.org", "--name", "Alice")
        assert done.returncode == 0, done.stderr
        assert (theirs.data / "postgres" / "data" / "PG_VERSION").owner() == alice
        # The same data directory: refused, with a sentence, and nothing of root's changed.
        before = _listing(here.data)
        intruder = Installation(here.data, user=alice, code=code, packages=packages)
        for words in (("run",), ("person", "add", "alice@example.org")):
            refused = intruder.command(*words)
            assert refused.returncode != 0
            assert "run as" in refused.stderr and "COLPORTEUR_DATA" in refused.stderr and "Traceback" not in refused.stderr
            refused = intruder.command(*words, COLPORTEUR_SECRET_KEY="their own key, long enough to be one")
            assert refused.returncode != 0
            assert "belongs to another user" in refused.stderr and "Traceback" not in refused.stderr
        assert _listing(here.data) == before


@as_root
def test_root_on_a_users_installation_leaves_it_to_them(here: Installation) -> None:
    with another_user(ALICE) as alice:
        code, packages = code_for(alice)
        theirs = Installation(Path(f"/home/{alice}/var"), user=alice, code=code, packages=packages)
        assert theirs.command("migrate").returncode == 0
        roots = Installation(theirs.data)
        done = roots.command("person", "add", "root@example.org")
        assert done.returncode == 0, done.stderr
        done = theirs.command("person", "add", "alice@example.org")
        assert done.returncode == 0, done.stderr


@as_root
def test_another_local_user_cannot_connect(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    with another_user(BOB) as bob:
        code, packages = code_for(bob)
        tried = Installation(Path(f"/home/{bob}/var"), user=bob, code=code, packages=packages)
        for user in ("colporteur", bob, "postgres"):
            program = f"import psycopg; psycopg.connect(host={str(here.data / 'postgres' / 'run')!r}, user={user!r}, dbname='colporteur')"
            done = subprocess.run([tried.python, "-c", program], env=tried.environment, user=bob, capture_output=True, text=True, cwd="/")
            assert done.returncode != 0 and "Permission denied" in done.stderr
        # Even a user who got past the directory is not the server's or ours: peer authentication refuses.
        (here.data / "postgres").chmod(0o755)
        (here.data / "postgres" / "run").chmod(0o755)
        next((here.data / "postgres" / "run").glob(".s.PGSQL.*[0-9]")).chmod(0o777)
        program = f"import psycopg; psycopg.connect(host={str(here.data / 'postgres' / 'run')!r}, user='colporteur', dbname='colporteur')"
        done = subprocess.run([tried.python, "-c", program], env=tried.environment, user=bob, capture_output=True, text=True, cwd="/")
        assert done.returncode != 0 and "Peer authentication failed" in done.stderr
        assert (here.data / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[5] == "", "it listens on a network address"


def test_an_unknown_locale_does_not_matter(here: Installation) -> None:
    here.environment["LC_ALL"] = "xx_YY.NOSUCH"
    done = here.command("person", "add", "zoé@example.org", "--name", "Zoé")
    assert "Traceback" not in done.stderr
    assert here.command("person", "add", "zoe@example.org", "--name", "Zoé").returncode == 0


def test_killed_at_once_and_started_a_second_later(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    assert here.command("person", "add", "kept@example.org").returncode == 0
    for _ in range(2):
        here.kill()
        here.start(log=log)
        here.wait_until_ready(log)
    again = here.command("person", "signin-link", "kept@example.org")
    assert again.returncode == 0, again.stderr
    assert here.stop() == 0


def test_commands_at_once_on_an_empty_data_directory_share_one_server(here: Installation) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: here.command("person", "add", f"person-{number}@example.org"), range(4)))
    assert [one.stderr for one in done] == [""] * 4
    assert not processes_of(here.data)
    _database_log_ends_cleanly(here.data)


def test_a_stale_pid_file_does_not_stop_the_start(here: Installation) -> None:
    assert here.command("migrate").returncode == 0
    # The number belongs to a living process of the server's own user that is no server, as after a restart of a container.
    owner = (here.data / "postgres" / "data").stat().st_uid
    bystander = subprocess.Popen(["sleep", "600"], user=owner, cwd="/")
    try:
        stale = here.data / "postgres" / "data" / "postmaster.pid"
        stale.write_text(f"{bystander.pid}\n{stale.parent}\n1700000000\n5432\n{here.data / 'postgres' / 'run'}\n\n  12345 678\nready\n")
        os.chown(stale, owner, -1)
        done = here.command("migrate")
        assert done.returncode == 0, done.stderr
    finally:
        bystander.kill()
        bystander.wait()


def test_a_second_run_on_one_data_directory_is_refused(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    second = here.command("run")
    assert second.returncode != 0
    assert "already runs" in second.stderr and str(here.process.pid) in second.stderr and "Traceback" not in second.stderr
    ready = here.ready()
    assert ready and ready["ready"]
    assert here.stop(signal.SIGINT) == 0


def test_a_taken_port_is_said(here: Installation) -> None:
    with socket.create_server(("127.0.0.1", here.web)):
        done = here.command("run")
    assert done.returncode != 0
    assert f"127.0.0.1:{here.web}" in done.stderr and "COLPORTEUR_WEB" in done.stderr and "Traceback" not in done.stderr
    assert not processes_of(here.data)


def test_another_key_is_refused(here: Installation) -> None:
    assert here.command("migrate").returncode == 0
    for words in (("run",), ("person", "add", "a@example.org")):
        done = here.command(*words, COLPORTEUR_SECRET_KEY="another key, as long as a key ought to be")
        assert done.returncode != 0
        assert "COLPORTEUR_SECRET_KEY is not the key this database was made with" in done.stderr and "Traceback" not in done.stderr


def test_a_part_that_dies_is_started_again_and_sigterm_ends_everything(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    collector = next(int(line.split()[0]) for line in processes_of(here.data) if line.rstrip().endswith("colporteur collect"))
    os.kill(collector, signal.SIGKILL)
    wait_until(lambda: (here.ready() or {}).get("down") == ["collect"], what="the dead part shows in /health/ready")
    here.wait_until_ready(log)
    assert "ended part=collect" in log.read_text()
    assert here.stop() == 0
    wait_until(lambda: not processes_of(here.data), what="every process ends")
    _database_log_ends_cleanly(here.data)


def test_parts_die_with_the_one_that_runs_them(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    assert here.process
    os.kill(here.process.pid, signal.SIGKILL)
    here.process.wait()
    try:
        wait_until(lambda: not processes_of(here.data), 60)
    except TimeoutError:
        pytest.fail(f"still there: {processes_of(here.data)}; they said:\n{log.read_text()}")
    _database_log_ends_cleanly(here.data)


def test_a_part_waits_while_the_schema_is_behind_and_refuses_when_it_is_ahead(here: Installation, log: Path) -> None:
    assert here.command("migrate").returncode == 0
    _sql(here, "DELETE FROM django_migrations WHERE app = 'store' AND name = (SELECT max(name) FROM django_migrations WHERE app = 'store') RETURNING name")
    here.start("web", log=log)
    wait_until(lambda: log.exists() and "the schema is behind" in log.read_text(), what="the part says that it waits")
    assert here.ready() is None
    here.stop()
    _sql(here, "INSERT INTO django_migrations (app, name, applied) VALUES ('store', '9999_from_the_future', now()) RETURNING name")
    for words in (("web",), ("run",), ("person", "add", "a@example.org")):
        done = here.command(*words)
        assert done.returncode != 0
        assert "newer release" in done.stderr and "Traceback" not in done.stderr


def test_parts_one_by_one_on_a_database_of_ones_own(here: Installation, log: Path) -> None:
    with owned(here.data.parent / "elsewhere") as server:
        here.environment |= {"DATABASE_URL": f"postgresql:///colporteur?host={server.sockets}&user=colporteur"}
        refused = here.command("migrate")
        assert refused.returncode != 0 and "COLPORTEUR_SECRET_KEY must be set" in refused.stderr
        here.environment["COLPORTEUR_SECRET_KEY"] = "the same key for every part of this one"
        here.start("web", log=log)
        wait_until(lambda: log.exists() and "the schema is behind" in log.read_text(), what="the part waits for the schema")
        assert here.command("migrate").returncode == 0
        wait_until(lambda: (here.ready() or {}).get("down") == ["receive", "collect", "worker"], what="the web server is alone and says so")
        other = here.command("worker", COLPORTEUR_SECRET_KEY="another key, as long as a key ought to be")
        assert other.returncode == 1 and "is not the key this database was made with" in other.stderr
        assert not (here.data / "postgres").exists()
        assert here.stop() == 0


def test_ready_is_503_while_the_database_is_away(here: Installation, log: Path) -> None:
    here.start(log=log)
    here.wait_until_ready(log)
    server = next(int(line.split()[0]) for line in processes_of(here.data) if "bin/postgres -D" in line)
    assert here.process
    os.kill(here.process.pid, signal.SIGSTOP)  # it does not start it again before we have looked
    os.kill(server, signal.SIGINT)
    wait_until(lambda: (here.ready() or {}).get("down") == ["database"], what="the missing database shows in /health/ready")
    os.kill(here.process.pid, signal.SIGCONT)
    here.wait_until_ready(log)  # it was started again, and the parts found it
    assert here.stop() == 0


def _moved(data: Path) -> list[Path]:
    return [left for left in ROOT_PLACE.iterdir() if left.name.startswith(place(data).name)]


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path.relative_to(folder)), path.lstat().st_uid, path.lstat().st_mode) for path in folder.rglob("*"))


def _database_log_ends_cleanly(data: Path) -> None:
    assert (data / "postgres" / "log").read_text().splitlines()[-1].endswith("database system is shut down")


def _sql(installation: Installation, statement: str) -> None:
    program = f"import psycopg\nfrom pathlib import Path\nfrom colporteur.daemons import database\nwith database.in_use(Path({str(installation.data / 'postgres')!r})) as server, psycopg.connect(server.dsn()) as connection:\n    assert connection.execute({statement!r}).fetchone()"
    subprocess.run([installation.python, "-c", program], env=installation.environment, check=True, cwd="/")
