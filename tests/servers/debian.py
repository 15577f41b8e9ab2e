"""Programs of real servers for the tests, from Debian packages.

They are unpacked into a directory of their own, never installed, so that they neither replace what a contributor runs
(Postfix against another MTA) nor start by themselves. Only Chromium and `ip` are installed: plain programs, where missing.

``python tests/servers/debian.py`` gets everything the tests need; ``make test`` calls it. Running it again is quick.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("postfix", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "nginx", "slapd", "mariadb-server-core", "pgbouncer", "postgresql")
LIBRARIES = ("usr/lib/postfix", "usr/lib/dovecot", "usr/lib/dovecot/modules", f"usr/lib/{os.uname().machine}-linux-gnu", f"lib/{os.uname().machine}-linux-gnu")


class MissingServer(Exception):
    """A server the tests need cannot be got; the message says what to do. Never a reason to skip a test."""


def place() -> Path:
    """Where the packages are unpacked: where the servers' own users can enter when we are root."""
    if os.geteuid() == 0:
        return Path("/var/cache/colporteur-tests")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colporteur-tests"


def program(path: str) -> Path:
    """A program by its path in the packages, ``usr/sbin/postfix``; unpacks everything at first need. Raises ``MissingServer``."""
    found = root() / path
    if not found.exists():
        raise MissingServer(f"{path} is in none of the packages {', '.join(PACKAGES)} unpacked in {root()}: remove that directory and run again")
    return found


def postgresql() -> Path:
    """Folder of the programs of Debian's own PostgreSQL: the system's, where it has one, else the unpacked one's. Raises ``MissingServer``."""
    programs = "usr/lib/postgresql/*/bin/postgres"
    if found := sorted(Path("/").glob(programs)) or sorted(root().glob(programs)):
        return found[0].parent
    raise MissingServer(f"no PostgreSQL is in {root()}: remove that directory and run again")


def environment() -> dict[str, str]:
    """Environment in which the unpacked programs find their libraries."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(str(root() / folder) for folder in LIBRARIES)}


def root() -> Path:
    """Root of the unpacked tree, made at first need."""
    tree = place() / "root"
    marker = tree / ".complete"
    wanted = " ".join(PACKAGES)
    if not marker.exists() or marker.read_text() != wanted:
        with _alone():
            if not marker.exists() or marker.read_text() != wanted:
                _unpack(tree)
                marker.write_text(wanted)
    return tree


def chromium() -> Path:
    """The browser, installed system-wide when it is missing and we may. Raises ``MissingServer``."""
    return installed("chromium", "chromium", "fonts-dejavu-core")


def installed(name: str, *packages: str) -> Path:
    """A program of the system; its packages are installed when it is missing and we may. Raises ``MissingServer``."""
    if found := _which(name):
        return found
    with _alone():
        if not _which(name):
            _update()
            _run([*_privileged(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends", "install", *packages])
    if found := _which(name):
        return found
    raise MissingServer(f"{name} is missing: run `apt-get install {packages[0]}` as root")


def _which(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return Path(found) if found else None


# --- how ---------------------------------------------------------------------------------------------------------


def _unpack(tree: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place(), prefix="packages-") as folder:
        Path(folder).chmod(0o755)
        names = _needed()
        if not _quiet(["apt-get", "-q", "download", *names], folder):
            _update()
            _run(["apt-get", "-q", "download", *_needed()], folder)
        fresh = tree.with_name(f"root.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o755)
        for package in sorted(Path(folder).glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(fresh)])
        shutil.rmtree(tree, ignore_errors=True)
        fresh.rename(tree)


def _needed() -> list[str]:
    """The packages and whatever they depend on that this machine has not: what apt would install, without doing it."""
    simulated = subprocess.run(["apt-get", "-s", "-q", "--no-install-recommends", "install", *PACKAGES], capture_output=True, text=True, env=_apt_environment())
    if simulated.returncode:
        _update()
        simulated = subprocess.run(["apt-get", "-s", "-q", "--no-install-recommends", "install", *PACKAGES], capture_output=True, text=True, env=_apt_environment())
    if simulated.returncode:
        raise MissingServer(f"apt cannot find {', '.join(PACKAGES)}: {simulated.stderr.strip()}")
    return sorted({*PACKAGES, *re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE)})


_updated: list[bool] = []


def _update() -> None:
    if not _updated:
        _run([*_privileged(), "apt-get", "-q", "update"])
        _updated.append(True)


def _privileged() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise MissingServer("this needs root once: run `make test` as root, or install sudo")


def _apt_environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _quiet(command: list[str], folder: str) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, env=_apt_environment()).returncode == 0


def _run(command: list[str], folder: str | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=_apt_environment())
    if done.returncode:
        raise MissingServer(f"`{' '.join(command)}` failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-2000:]}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process at a time gets packages; apt has locks of its own that fail instead of waiting."""
    place().mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(place() / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Get everything the tests need."""
    try:
        print(f"servers for the tests: {root()}, {postgresql()}, {chromium()}, {installed('ip', 'iproute2')}")
    except MissingServer as error:
        sys.exit(f"tests/servers/debian.py: {error}")


if __name__ == "__main__":
    main()
