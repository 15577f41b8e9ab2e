"""A stranger does what README.md says, and nothing else, and has a delivered message."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.servers.installation import CODE, Installation, processes_of
from tests.servers.ports import wait_until


def test_the_readme_gets_a_stranger_to_a_delivered_message() -> None:
    with tempfile.TemporaryDirectory(prefix="colporteur-readme-", dir="/tmp") as name:
        folder, log = Path(name), Path(name) / "said"
        folder.chmod(0o755)
        installation = Installation(folder / "var")
        installation.environment["COLPORTEUR_DEMO"] = "1"  # as `make run` does
        installation.start(log=log)
        try:
            installation.wait_until_ready(log)
            wait_until(lambda: "Sign in (once" in log.read_text(), what="the greeting is printed")
            told = log.read_text()
            assert f"http://127.0.0.1:{installation.web}/s/" in told and f"http://127.0.0.1:{installation.web}/try" in told
            commands = _commands_of_the_first_message(folder, installation.python)
            done = subprocess.run(["sh", "-e", "-c", commands], env=installation.environment, cwd=folder, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            wait_until(lambda: "Paniers" in installation.command("mailing", "list").stdout, what=f"the message is not listed: {done.stdout}")  # by the last of them, as soon as it is judged
            outbox = folder / "var" / "outbox"
            wait_until(lambda: outbox.is_dir() and len(list(outbox.rglob("*.eml"))) == _members(installation), 60, "every member has a copy in the outbox")
            copy = next(outbox.rglob("*.eml")).read_bytes()
            assert b"List-Id:" in copy and b"Bonjour" in copy
            assert installation.stop() == 0
            wait_until(lambda: not processes_of(folder / "var"))
        finally:
            installation.kill()


def _commands_of_the_first_message(folder: Path, python: str) -> str:
    """The block of the page that hands a message in; only the program's place is ours."""
    blocks = re.findall(r"```\n(.*?)```", (CODE / "README.md").read_text(), re.DOTALL)
    block = next(block for block in blocks if "colporteur deliver" in block)
    program = folder / ".venv" / "bin" / "colporteur"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {python} -m colporteur "$@"\n')
    program.chmod(0o755)
    return block


def _members(installation: Installation) -> int:
    done = installation.command("member", "list", "amapiens@paniersdusaule.example", "--json")
    assert done.returncode == 0, done.stderr
    return done.stdout.count('"address"')
