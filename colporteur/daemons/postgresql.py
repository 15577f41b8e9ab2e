"""One embedded PostgreSQL server: made, started as our child, stopped."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from colporteur.daemons.binaries import MAJOR, DatabaseError, die_with_parent, inhabitants, programs, server_account

_START_SECONDS = 300.0  # a crash recovery may take a while
_PREDECESSOR_SECONDS = 60.0
_LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432")  # sun_path of unix(7)
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "max_wal_size": "2GB",
    "timezone": "UTC",
}


class Server:
    """One PostgreSQL server in ``directory`` (``data/``, ``run/`` for the socket, ``log``).

    ``start`` blocks until it answers; ``stop`` until it ended. Raises ``DatabaseError``.
    """

    def __init__(self, directory: Path, *, options: dict[str, str] | None = None) -> None:
        self.directory = directory
        self.data, self.sockets, self.log = directory / "data", directory / "run", directory / "log"
        self.options = _OPTIONS | (options or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.account: pwd.struct_passwd | None = None
        self.binaries = Path()

    def dsn(self, database: str = "colporteur") -> str:
        """libpq connection string of a database of this server."""
        return f"host={self.sockets} user=colporteur dbname={database}"

    def start(self) -> None:
        """Make the cluster when it is missing, start the server, make the database when it is missing."""
        self._prepare()
        self._outlive_predecessor()
        self._spawn()
        if not self._wait_until_ready():
            raise DatabaseError(f"PostgreSQL does not start; its last words in {self.log}:\n{self._last_words()}")
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'colporteur'").fetchone():
                connection.execute("CREATE DATABASE colporteur")

    def stop(self) -> None:
        """Fast shutdown: running statements are cancelled, everything committed stays."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)  # without a checkpoint; the next start recovers
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
        if len(str(self.sockets)) > _LONGEST_SOCKET:
            raise DatabaseError(f"{self.sockets} is too long a name for a socket: choose a shorter COLPORTEUR_DATA")
        self.account = server_account(self.directory)
        try:
            if os.geteuid() != 0 and self.directory.exists() and self.directory.stat().st_uid != os.geteuid():
                raise PermissionError
            self.directory.mkdir(parents=True, exist_ok=True)
            for folder in (self.directory, self.sockets):
                folder.mkdir(exist_ok=True)
                folder.chmod(0o700)
                if self.account:
                    os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        except PermissionError:
            raise foreign(self.directory) from None
        self.binaries = programs(self.account)
        version = self.data / "PG_VERSION"
        if version.exists() and version.read_text().strip() != MAJOR:
            raise DatabaseError(
                f"{self.data} was made by PostgreSQL {version.read_text().strip()}, this release brings {MAJOR}; nothing was changed. With the release that made it run "
                f"`colporteur backup FILE`, move {self.directory} away, then with this one run `colporteur restore FILE` (docs/administrator.md, Upgrades)"
            )
        if not version.exists():
            self._initdb()

    def _outlive_predecessor(self) -> None:
        """Wait for what a killed start left: its server ends by itself. Then its pid file means nothing any more.

        PostgreSQL would believe a stale pid file whose number some other process of this user has by now.
        """
        deadline = time.monotonic() + _PREDECESSOR_SECONDS
        while left := inhabitants(self.data.resolve()):
            if time.monotonic() > deadline:
                raise DatabaseError(f"an older PostgreSQL (process {min(left)}) still uses {self.data}: end it with `kill -INT {min(left)}`")
            time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

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
        parent = os.getpid()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=self._environment(),
                start_new_session=True,  # Ctrl-C goes to us first; we stop the server last
                preexec_fn=lambda: die_with_parent(signal.SIGINT, parent), **self._identity(),
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


def foreign(path: Path) -> DatabaseError:
    """The error about something of another user's."""
    return DatabaseError(f"{path} belongs to another user: run as that user, or choose another COLPORTEUR_DATA")
