"""Debian's own PostgreSQL, not the wheel's: a primary reached by TCP with passwords, and standbys that stream from it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from colporteur.daemons.binaries import die_with_parent, inhabitants, server_account
from tests.servers import debian
from tests.servers.machines import Machine
from tests.servers.ports import free_port, wait_until

PASSWORD, REPLICATION = "a secret/of the:database", "another@secret"
_SETTINGS = """
shared_buffers = 64MB
fsync = off
max_wal_size = 1GB
password_encryption = scram-sha-256
"""
_RULES = """
local all postgres peer map=tests
host colporteur colporteur samenet scram-sha-256
host replication replicator samenet scram-sha-256
"""


class Cluster:
    """One server with its data in ``folder``, where its own user must be able to walk in; on ``machine``, else on this one.

    Its processes may be killed, its machine may not: nothing is synced to disk.
    """

    def __init__(self, folder: Path, name: str, machine: Machine | None = None) -> None:
        self.folder, self.name, self.port = folder / name, name, free_port()
        self.address, self.inside = (machine.address, machine.inside) if machine else ("127.0.0.1", contextlib.nullcontext)
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.programs = debian.postgresql()
        self.process: subprocess.Popen[bytes] | None = None
        self.account = server_account(self.folder)
        self.folder.mkdir(mode=0o755)
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)

    def make(self) -> None:
        """A new cluster, with the database and the roles an administrator makes; started."""
        self._do("initdb", "-D", self.data, "--username=postgres", "--encoding=UTF8", "--locale=C", "--auth=reject", "--no-sync")
        (self.data / "pg_hba.conf").write_text(_RULES)
        (self.data / "pg_ident.conf").write_text("".join(f"tests {name} postgres\n" for name in {"root", self._user()}))
        with open(self.data / "postgresql.conf", "a") as settings:
            settings.write(_SETTINGS)
        self.start()
        self.do(f"CREATE ROLE colporteur LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE colporteur OWNER colporteur", f"CREATE ROLE replicator LOGIN REPLICATION PASSWORD '{REPLICATION}'")

    def follow(self, primary: Cluster) -> None:
        """A copy of the primary that streams from it as ``name``; started."""
        place = f"host={primary.address} port={primary.port} user=replicator password={REPLICATION} application_name={self.name}"
        self._do("pg_basebackup", "-D", self.data, "-d", place, "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync")
        self.start()

    def start(self) -> None:
        """Returns when it takes connections."""
        parent = os.getpid()
        with self.inside(), open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-h", self.address, "-p", str(self.port), "-k", self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=debian.environment(), start_new_session=True,
                preexec_fn=lambda: die_with_parent(signal.SIGQUIT, parent), **self._identity(),
            )  # fmt: skip
        wait_until(self._answers, 120, lambda: f"{self.name} does not answer:\n{self.log.read_text()[-3000:]}")

    def do(self, *statements: str) -> list[Any]:
        """Carry statements out as its administrator; the rows of the last one."""
        with psycopg.connect(self._administrator(), autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)  # type: ignore[call-overload]
            return found.fetchall() if found.description else []

    def promote(self) -> None:
        """It becomes a primary. Returns when it is one."""
        self._do("pg_ctl", "promote", "-D", self.data, "-t", "120")

    def kill(self) -> None:
        """kill -9 of all its processes, as when the host goes."""
        while left := inhabitants(self.data.resolve()):
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if self.process:
                self.process.poll()

    def stop(self) -> None:
        """Fast shutdown, as an administrator does."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)

    # --- how ---

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()[-3000:]
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self._administrator()).close()
            return True
        return False

    def _administrator(self) -> str:
        return f"host={self.folder} port={self.port} user=postgres dbname=postgres connect_timeout=10"

    def _do(self, program: str, *words: str | Path) -> None:
        with self.inside():
            done = subprocess.run([self.programs / program, *words], capture_output=True, text=True, cwd="/", env=debian.environment(), **self._identity())
        assert not done.returncode, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"

    def _user(self) -> str:
        return self.account.pw_name if self.account else os.environ.get("USER", "root")

    def _identity(self) -> dict[str, Any]:
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []} if self.account else {}
