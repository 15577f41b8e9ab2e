"""A real installation for stories: the program as its own processes, as root or as another user of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port, wait_until

CODE = Path(__file__).parents[2]
PACKAGES = Path(next(folder for folder in sys.path if folder.endswith("site-packages")))


class Installation:
    """One data directory with ports of its own. ``environment`` may be changed before a process is started."""

    def __init__(self, data: Path, *, user: str | None = None, code: Path = CODE, packages: Path = PACKAGES) -> None:
        self.data, self.user, self.code = data, user, code
        self.python = python_for_others() if user else sys.executable
        self.web, self.lmtp = free_port(), free_port()
        home = pwd.getpwnam(user).pw_dir if user else str(data.parent)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": f"{code}:{packages}", "PYTHONDONTWRITEBYTECODE": "1",
            "COLPORTEUR_DATA": str(data), "COLPORTEUR_WEB": f"127.0.0.1:{self.web}", "COLPORTEUR_LMTP": f"127.0.0.1:{self.lmtp}",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.output = b""

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Result of one command, whatever its status."""
        return subprocess.run(
            [self.python, "-m", "colporteur", *words], env=self.environment | environment, capture_output=True, text=True, timeout=300, cwd="/", stdin=subprocess.DEVNULL, user=self.user
        )

    def start(self, *words: str, log: Path) -> None:
        """Start ``colporteur run`` (or the part named) in a process group of its own; what it says goes to ``log``."""
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                [self.python, "-m", "colporteur", *(words or ("run",))], env=self.environment, cwd="/", stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True, user=self.user,
            )  # fmt: skip

    def ready(self) -> dict[str, Any] | None:
        """What ``/health/ready`` says; None when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/health/ready", timeout=30) as answer:
                return json.load(answer)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            return json.loads(error.read())  # type: ignore[no-any-return]
        except (OSError, ValueError):
            return None

    def wait_until_ready(self, log: Path, seconds: float = 90) -> None:
        """Return when every part is up; fails with what the process said when it ended instead."""

        def up() -> bool:
            assert self.process and self.process.poll() is None, log.read_text()
            answer = self.ready()
            return bool(answer and answer["ready"])

        try:
            wait_until(up, seconds)
        except TimeoutError:
            raise TimeoutError(f"not ready, {self.ready()}; it said:\n{log.read_text()}") from None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal and wait; its status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9 of the whole process group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def processes_of(data: Path) -> list[str]:
    """Command lines of the living processes that belong to a data directory."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit():
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (process / "environ").read_bytes()
                if words and (str(data) in words or f"COLPORTEUR_DATA={data}\0".encode() in environment):
                    found.append(f"{process.name} {words}")
    return found


@contextlib.contextmanager
def another_user(name: str) -> Iterator[str]:
    """An ordinary user of this machine with a home, gone afterwards. Needs root."""
    subprocess.run(["userdel", "--remove", "--force", name], capture_output=True)
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["pkill", "-9", "-u", name], capture_output=True)
        subprocess.run(["userdel", "--remove", "--force", name], capture_output=True)


def python_for_others() -> str:
    """A Python of our version that another user can run: this one, or the system's when ours lives in a closed home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (Path(sys.executable), Path("/usr/bin") / version):
        if candidate.exists() and all(parent.stat().st_mode & stat.S_IXOTH for parent in candidate.resolve().parents):
            return str(candidate)
    raise FileNotFoundError(f"no {version} another user of this machine could run")


def code_for(user: str) -> tuple[Path, Path]:
    """A clone and packages in the home of ``user``, theirs: the code alone, packages only where they cannot reach ours."""
    home = Path(pwd.getpwnam(user).pw_dir)
    code, packages = home / "clone", PACKAGES
    shutil.copytree(CODE / "colporteur", code / "colporteur", ignore=shutil.ignore_patterns("__pycache__"))
    if not all(parent.stat().st_mode & stat.S_IXOTH for parent in (PACKAGES, *PACKAGES.parents)):
        packages = home / "packages"
        shutil.copytree(PACKAGES, packages, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chown", "-R", f"{user}:", str(home)], check=True)
    return code, packages
