"""PostgreSQL's own programs on our database: ``pg_dump`` out of it, ``pg_restore`` and ``psql`` into it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.db import connection
from psycopg.conninfo import make_conninfo

from colporteur.daemons.binaries import DatabaseError, programs

_PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin")
_PROGRAMS = ("pg_dump", "pg_restore", "psql")
_CHUNK = 1 << 20
_NOT_KEPT = ("procrastinate_*", "django_session", "heartbeat")  # wake-ups, sessions and signs of life mean nothing later
_HEAD = 64 * 1024

_CLEAR = """
SET client_min_messages = warning;
DO $$ DECLARE one text; BEGIN
  FOREACH one IN ARRAY (
    SELECT coalesce(array_agg(format('DROP %s IF EXISTS %s CASCADE', kind, name)), '{}') FROM (
      SELECT oid, 'ROUTINE' AS kind, oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT oid, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, oid::regclass::text
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'c')
      UNION ALL SELECT oid, 'TYPE', oid::regtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
    ) AS thing WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = thing.oid AND deptype = 'e')
  ) LOOP EXECUTE one; END LOOP;
END $$
"""
"""Everything of ours goes; what belongs to an extension stays."""
_MARK = "INSERT INTO public.django_migrations (app, name, applied) VALUES ('store', 'restoring', now())"


class DumpError(Exception):
    """A backup could not be made or loaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder with PostgreSQL's programs, and their major version."""

    folder: Path
    major: int


def server_major() -> int:
    """Major version of the server we are connected to."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version) // 10000


def tools(server: int, least: int = 0) -> Tools:
    """Programs for a server of major version ``server``: its own version's, else the nearest newer one's.

    ``least``: the version that made a dump; older programs cannot read it. Raises ``DumpError``.
    """
    found = sorted(_found(), key=lambda one: (one.major != server, one.major))
    for one in found:
        if one.major >= max(server, least):
            return one
    have = ", ".join(str(one.major) for one in found) or "none"
    raise DumpError(f"PostgreSQL's pg_dump, pg_restore and psql of version {max(server, least)} or newer are needed (here: {have}): install the package postgresql-client-{max(server, least)}")


def _found() -> Iterator[Tools]:
    folders = [folder for place in _PLACES for folder in sorted(Path("/").glob(place))]
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).resolve().parent)
    with contextlib.suppress(DatabaseError):
        folders.append(programs(None))  # the wheel's
    for folder in dict.fromkeys(folders):
        if all((folder / name).exists() for name in _PROGRAMS) and (major := _major(folder / "pg_dump")):
            yield Tools(folder, major)


def _major(program: Path) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, env=_environment("")).stdout
    except OSError:
        return 0
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(version[1]) if version else 0


@contextmanager
def dumping(tool: Tools, snapshot: str) -> Iterator[IO[bytes]]:
    """A dump in PostgreSQL's custom format, to be read to its end, of the snapshot another session exported.

    Raises ``DumpError`` when it did not end well.
    """
    place, environment = _place()
    left_out = [f"--exclude-table-data=public.{pattern}" for pattern in _NOT_KEPT]
    words = ("--format=custom", "--compress=1", "--schema=public", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *left_out, "--no-password", place)
    with _Program(tool, "pg_dump", words, environment) as program:
        yield program.output
        program.ended("no backup was made")


def readable(tool: Tools, dump: IO[bytes], progress: Callable[[int], None]) -> None:
    """Read a whole dump as a restore does, to nowhere. Raises ``DumpError`` when it is broken, and what ``dump`` raises."""
    with _Program(tool, "pg_restore", ("--file=/dev/null",), _environment("")) as program, _fed(program, dump, progress):
        program.ended("the backup is broken")


def load(tool: Tools, dump: IO[bytes], progress: Callable[[int], None]) -> None:
    """Replace everything in the database by a dump, in one transaction: all of it, or nothing was changed.

    With it comes the mark that keeps everybody out (``store.schema.RESTORING``). Raises ``DumpError``.
    """
    place, environment = _place()
    old_server = server_major() < 17
    connection.close()
    out_of = ("--schema=public", "--no-owner", "--no-privileges", "--no-comments", "--file=-")
    into = ("-X", "-q", "-1", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "--no-password", "-c", _CLEAR, "-f", "-", "-c", _MARK, place)
    with _Program(tool, "psql", into, environment) as psql, _Program(tool, "pg_restore", out_of, _environment("")) as restore, _fed(restore, dump, progress):
        try:
            head = restore.output.read(_HEAD)
            # Programs of 17 and newer speak of a setting older servers do not know.
            psql.input.write(head.replace(b"SET transaction_timeout = 0;\n", b"", 1) if old_server else head)
            shutil.copyfileobj(restore.output, psql.input, _CHUNK)
            restore.ended("the backup is broken, nothing was changed")  # before psql learns that this was all, and commits
            psql.input.close()
        except BrokenPipeError:
            pass  # psql says why
        psql.ended("the database does not take the backup, nothing was changed")


def _place() -> tuple[str, dict[str, str]]:
    """Connection string without the password, which would show in the list of processes, and the environment with it."""
    values: dict[str, Any] = {name: value for name, value in connection.get_connection_params().items() if name not in ("cursor_factory", "context", "prepare_threshold", "options")}
    password = str(values.pop("password", "") or "")
    return make_conninfo(**values), _environment(password)


def _environment(password: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR") or name.startswith("PGSSL") or name == "PGPASSFILE"}
    return {**kept, "LC_ALL": "C", "PGAPPNAME": "colporteur backup", **({"PGPASSWORD": password} if password else {})}


class _Program:
    """One of PostgreSQL's programs with pipes, killed when the body fails; what it complains of is gathered beside it."""

    def __init__(self, tool: Tools, name: str, words: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen([tool.folder / name, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        assert self.process.stdin and self.process.stdout
        self.input, self.output = self.process.stdin, self.process.stdout
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.join()
        for pipe in (self.input, self.output):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def ended(self, what: str) -> None:
        """Wait for its end. Raises ``DumpError``, beginning with ``what``, when it was not a good one."""
        if status := self.process.wait():
            self._listener.join()
            raise DumpError(f"{what}: {self.name} ended with {status}: {' '.join(self._said)}"[:2000])

    def _listen(self) -> None:
        assert self.process.stderr
        with self.process.stderr:
            for line in self.process.stderr:
                self._said = [*self._said[-8:], line[:2000].decode("utf-8", "replace").strip()]


@contextmanager
def _fed(program: _Program, source: IO[bytes], progress: Callable[[int], None]) -> Iterator[None]:
    """``source`` poured into the program beside the body; a failure to read it is raised at the end, before any other."""
    failures: list[Exception] = []

    def pour() -> None:
        done, hears = 0, True
        try:
            while chunk := source.read(_CHUNK):  # to the end even when nobody listens any more: there the check sum is compared
                done += len(chunk)
                progress(done)
                with contextlib.suppress(BrokenPipeError):
                    if hears:
                        hears = False
                        program.input.write(chunk)
                        hears = True
        except Exception as failure:
            failures.append(failure)
            program.process.kill()
        with contextlib.suppress(BrokenPipeError):
            program.input.close()

    feeder = threading.Thread(target=pour, daemon=True)
    feeder.start()
    try:
        yield
        feeder.join()
    except DumpError:
        program.process.kill()
        feeder.join()
        if not failures:
            raise
    if failures:
        raise failures[0]
