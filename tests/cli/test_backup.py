"""``backup`` and ``restore`` as an administrator runs them, between databases of one server; what they refuse, and that a
refusal changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from colporteur.daemons import dump
from tests.servers.ports import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Run = Callable[..., subprocess.CompletedProcess[str]]


def url(name: str) -> str:
    where = connection.settings_dict
    return f"postgresql:///{name}?host={where['HOST']}&user={where['USER']}"


@contextlib.contextmanager
def another_database(name: str) -> Iterator[str]:
    where = connection.settings_dict
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name}")
        yield name
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty() -> Iterator[str]:
    with another_database("restored") as name:
        yield name


def environment(name: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url(name), "COLPORTEUR_SECRET_KEY": settings.SECRET_KEY}


def colporteur(name: str, *words: object, **other: str) -> subprocess.CompletedProcess[str]:
    """One command on the database ``name`` of the tests' server."""
    return subprocess.run([sys.executable, "-m", "colporteur", *map(str, words)], capture_output=True, text=True, env=environment(name) | other, timeout=300, stdin=subprocess.DEVNULL)


def ours() -> str:
    return str(connection.settings_dict["NAME"])


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A backup of an installation with a domain."""
    assert colporteur(ours(), "domain", "add", "saule.example").returncode == 0
    done = colporteur(ours(), "backup", tmp_path / "backup")
    assert done.returncode == 0, done
    return tmp_path / "backup"


def domains(name: str) -> list[str]:
    return [row["name"] for row in json.loads(colporteur(name, "domain", "list", "--json").stdout)]


def changed(made: Path, **values: object) -> Path:
    """The same backup with another manifest."""
    other = made.with_name("changed")
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, json.dumps(json.loads(content) | values) if name == "manifest.json" else content)
    return other


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1 and done.stderr.startswith("Error: ") and "Traceback" not in done.stderr, done
    return done.stderr


def test_there_and_back_by_a_file_and_by_a_pipe(made: Path, empty: str) -> None:
    assert made.stat().st_mode & 0o777 == 0o600
    assert settings.SECRET_KEY.encode() not in made.read_bytes()
    checked = json.loads(colporteur(empty, "restore", "--check", made, "--json").stdout)
    assert checked["key_fingerprint"] == settings.SECRET_FINGERPRINT and any(name.startswith("store.") for name in checked["schema"])
    done = colporteur(empty, "restore", made)
    assert done.returncode == 0 and "Nothing is held back" in done.stdout, done
    assert domains(empty) == ["saule.example"]
    piped = made.with_name("piped")
    with open(piped, "wb") as file:
        assert subprocess.run([sys.executable, "-m", "colporteur", "backup", "-"], stdout=file, stderr=subprocess.PIPE, env=environment(ours()), timeout=300).returncode == 0
    colporteur(empty, "domain", "add", "later.example")
    assert "add --replace" in refused(colporteur(empty, "restore", piped)), "what is there is not overwritten by mistake"
    assert sorted(domains(empty)) == ["later.example", "saule.example"]
    assert colporteur(empty, "restore", "--replace", piped).returncode == 0
    assert domains(empty) == ["saule.example"], "the installation as it was"


def test_nothing_is_restored_beside_somebody_at_work(made: Path, empty: str) -> None:
    where = connection.settings_dict
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=empty):
        assert "stop every part" in refused(colporteur(empty, "restore", made))


def test_a_broken_backup_is_noticed_before_anything_is_touched(made: Path, empty: str) -> None:
    whole = made.read_bytes()
    for name, content in {"turned": whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:], "short": whole[:-4000], "other": b"something else"}.items():
        broken = made.with_name(name)
        broken.write_bytes(content)
        assert "backup" in refused(colporteur(empty, "restore", "--replace", broken))
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(made.with_name("endless"), "w") as new:
        for part in ("manifest.json", "database.dump"):
            new.writestr(part, old.read(part))
    assert "not a backup" in refused(colporteur(empty, "restore", made.with_name("endless"))), "whoever wrote it did not come to its end"


def test_another_key_a_newer_release_and_another_format_are_refused(made: Path, empty: str) -> None:
    assert "another secret key" in refused(colporteur(empty, "restore", made, COLPORTEUR_SECRET_KEY="another key of thirty-two characters"))
    assert "newer release" in refused(colporteur(empty, "restore", changed(made, schema=["store.0001_initial", "store.9999_from_the_future"])))
    assert "has format 99" in refused(colporteur(empty, "restore", changed(made, format=99)))
    assert "empty" in refused(colporteur(empty, "backup", made.with_name("nothing")))
    assert sorted(path.name for path in made.parent.iterdir()) == ["backup", "changed"], "a backup that failed leaves nothing"


def test_an_older_schema_is_brought_up_to_date(tmp_path: Path, empty: str) -> None:
    where = connection.settings_dict
    with another_database("older") as older:
        assert colporteur(older, "domain", "add", "saule.example").returncode == 1, "nobody migrated it yet"
        assert colporteur(older, "migrate").returncode == 0
        assert colporteur(older, "domain", "add", "saule.example").returncode == 0
        with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=older, autocommit=True) as link:
            link.execute("DROP TABLE django_session")
            link.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        assert "older than this release" in refused(colporteur(older, "domain", "list"))
        assert colporteur(older, "backup", tmp_path / "backup").returncode == 0, "before migrating is when a backup is wanted"
    assert colporteur(empty, "restore", tmp_path / "backup").returncode == 0
    assert domains(empty) == ["saule.example"]


def test_a_restore_killed_before_its_end_lets_nobody_work(made: Path, empty: str) -> None:
    """Killed after the load: whoever starts then must not send what is not held back yet."""
    where = connection.settings_dict
    killer = f"import os, signal; from colporteur.flow import backup; backup.hold_back = lambda *_, **__: os.kill(os.getpid(), {signal.SIGKILL}); from colporteur.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.argv = ['colporteur', 'restore', {str(made)!r}]; import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'colporteur.settings'; import django; django.setup(); {killer}"], env=environment(empty), capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done
    assert "restore --replace" in refused(colporteur(empty, "domain", "list"))
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=empty) as looked:
        assert looked.execute("SELECT count(*) FROM domain").fetchone() == (1,)
    assert colporteur(empty, "restore", "--replace", made).returncode == 0
    assert domains(empty) == ["saule.example"]


def part(name: str, log: Path) -> subprocess.Popen[bytes]:
    with open(log, "wb") as file:
        return subprocess.Popen([sys.executable, "-m", "colporteur", "worker"], env=environment(name), stdin=subprocess.DEVNULL, stdout=file, stderr=file)


def test_a_part_waits_while_the_schema_is_behind_and_goes_on_by_itself(empty: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    worker = part(empty, log)
    try:
        wait_until(lambda: "colporteur migrate" in log.read_text() or worker.poll() is not None, 180)
        assert "event=waiting" in log.read_text() and worker.poll() is None, log.read_text()
        assert colporteur(empty, "migrate").returncode == 0
        wait_until(lambda: "event=working" in log.read_text() or worker.poll() is not None, 180)
        worker.terminate()
        assert worker.wait(180) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait()


def test_a_part_refuses_a_schema_that_is_ahead(empty: str, tmp_path: Path) -> None:
    where = connection.settings_dict
    assert colporteur(empty, "migrate").returncode == 0
    with psycopg.connect(host=where["HOST"], user=where["USER"], dbname=empty, autocommit=True) as newer:
        newer.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('store', '9999_from_the_future', now())")
    log = tmp_path / "log"
    worker = part(empty, log)
    try:
        assert worker.wait(180) == 1
    finally:
        worker.kill()
        worker.wait()
    assert "newer release" in log.read_text() and "Traceback" not in log.read_text()
    assert "newer release" in refused(colporteur(empty, "migrate"))


def test_programs_older_than_the_server_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [dump.Tools(Path("/15"), 15), dump.Tools(Path("/17"), 17)]
    monkeypatch.setattr(dump, "_found", lambda: iter(found))
    assert dump.tools(15).major == 15, "the server's own, when it is there"
    assert dump.tools(16).major == 17 and dump.tools(15, 16).major == 17
    with pytest.raises(dump.DumpError, match=r"version 18 or newer are needed \(here: 15, 17\)"):
        dump.tools(18)
