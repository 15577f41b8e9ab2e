"""The embedded PostgreSQL: the wheel's binaries under our own start.

The server is a foreground child that ends cleanly with its parent (PR_SET_PDEATHSIG), its socket lives in a 0700
directory, nobody but its own user and ours may connect (peer authentication with an ident map), and it listens on no
network port. The wheel's ``get_server`` is never used: as root it opens every parent directory, trusts every local
user, and after one kill -9 never stops the server again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from colporteur.daemons.binaries import ROOT_PLACE, DatabaseError, enterable
from colporteur.daemons.postgresql import Server, foreign

_LOOKING_SECONDS = 3.0  # a command that only looks whether there is an owner holds the lock for a moment


class AlreadyOwned(DatabaseError):
    """Another process runs the server of this data directory."""


def place(data: Path) -> Path:
    """Where the server of the data directory ``data`` lives.

    Beside the data; under ``/var/lib/colporteur`` when we are root and the server's user could not enter there (a 0700
    home). No foreign directory's mode is ever changed.
    """
    beside = data / "postgres"
    moved = ROOT_PLACE / hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    if os.geteuid() != 0 or beside.exists() or (not moved.exists() and enterable(data)):
        return beside
    return moved


@contextlib.contextmanager
def in_use(directory: Path) -> Iterator[Server]:
    """The embedded server for the time of one short command, started when nobody runs it.

    Whoever started it waits for the other commands before stopping it.
    """
    server = Server(directory)
    with _lock_file(directory, "lock") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if server.answers():
            yield server
            return
        fcntl.flock(users, fcntl.LOCK_EX)
        started = not server.answers()
        try:
            if started:
                server.start()
            fcntl.flock(users, fcntl.LOCK_SH)
            yield server
        finally:
            if started:
                fcntl.flock(users, fcntl.LOCK_EX)
                server.stop()


@contextlib.contextmanager
def owned(directory: Path) -> Iterator[Server]:
    """The embedded server, ours alone to start and to stop, for as long as this process lives.

    Raises ``AlreadyOwned`` when another process runs it.
    """
    with _lock_file(directory, "owner") as owner:
        deadline = time.monotonic() + _LOOKING_SECONDS
        while not _locked(owner, 0):
            other = _content(owner)
            if (other and Path("/proc", other).exists()) or time.monotonic() > deadline:
                raise AlreadyOwned(f"colporteur already runs on {directory.parent} (process {other}): stop it first, or choose another COLPORTEUR_DATA")
            time.sleep(0.05)
        _write(owner, str(os.getpid()))
        with _lock_file(directory, "lock") as users:
            if not _locked(users, 60):
                raise DatabaseError(f"a colporteur command still uses the database in {directory}: let it end first")
            server = Server(directory)
            try:
                server.start()
                fcntl.flock(users, fcntl.LOCK_SH)
                yield server
            finally:
                _locked(users, 10)  # commands that are under way end first, if they are quick
                server.stop()
                _write(owner, "")


@contextlib.contextmanager
def joined(directory: Path) -> Iterator[Server]:
    """The server of the process that owns it, once it answers; owned by us when nobody does."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(owned(directory))
        except AlreadyOwned:
            server = Server(directory)
            deadline = time.monotonic() + 60
            while not server.answers():
                if time.monotonic() > deadline:
                    raise DatabaseError(f"the database in {directory} does not answer") from None
                time.sleep(0.1)
        yield server


def has_owner(directory: Path) -> bool:
    """Whether ``run`` or a part alone runs the server; else it lives for short commands only."""
    with _lock_file(directory, "owner") as owner:
        return not _locked(owner, 0)


def _lock_file(directory: Path, suffix: str) -> IO[str]:
    path = directory.with_name(f"{directory.name}.{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
        if os.geteuid() == 0:  # root on somebody's installation must not lock them out of it
            above = path.parent.stat()
            os.fchown(file.fileno(), above.st_uid, above.st_gid)
        return file
    except PermissionError:
        raise foreign(path) from None


def _locked(file: IO[str], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()


def _write(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()
