"""A disk without room: nothing is lost, senders try again, and room is all it takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.servers.installation import Installation, processes_of
from tests.servers.ports import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system: run as root")
LIST = "amis@lists.example"


def test_a_full_disk_turns_mail_away_for_now_and_recovers_by_itself(small_disk: Path, tmp_path: Path) -> None:
    installation, log = Installation(small_disk / "var"), tmp_path / "said"

    def deliver(number: int) -> int:
        message = f"Message-ID: <{number}@x.example>\nFrom: anna@members.example\nSubject: {number}\n\n" + os.urandom(500_000).hex()
        words = [installation.python, "-m", "colporteur", "deliver", "--recipient", LIST]
        return subprocess.run(words, env=installation.environment, input=message.encode(), capture_output=True, cwd="/", timeout=300).returncode

    def posts() -> set[str]:
        with psycopg.connect(f"host={small_disk / 'var' / 'postgres' / 'run'} user=colporteur dbname=colporteur") as own:
            return {name for (name,) in own.execute("SELECT message_id FROM post").fetchall()}

    try:
        installation.start(log=log)
        installation.wait_until_ready(log)
        for words in (("domain", "add", "lists.example"), ("list", "create", LIST, "--template", "discussion", "--owner", "olga@members.example")):
            assert installation.command(*words).returncode == 0
        assert deliver(1) == 0
        ballast = small_disk / "ballast"
        subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True)  # until there is no room
        assert deliver(2) == 75
        assert installation.process and installation.process.poll() is None

        # No room for the write-ahead log either: PostgreSQL itself ends, and cannot start.
        with pytest.raises(psycopg.OperationalError), psycopg.connect(f"host={small_disk / 'var' / 'postgres' / 'run'} user=colporteur dbname=colporteur", autocommit=True) as own:
            for _ in range(300):
                own.execute("SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))")
        wait_until(lambda: "refused part=database" in log.read_text(), 60)
        assert deliver(3) == 75
        assert installation.process.poll() is None

        ballast.unlink()
        wait_until(lambda: deliver(4) == 0, 90)
        installation.wait_until_ready(log)
        assert posts() == {"<1@x.example>", "<4@x.example>"}
    finally:
        installation.kill()
        wait_until(lambda: not processes_of(installation.data))
