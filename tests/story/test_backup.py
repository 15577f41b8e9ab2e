"""Stories of backups: nothing that left since leaves again by itself."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from tests.servers.installation import Installation, processes_of
from tests.servers.ports import wait_until
from tests.servers.sink import Sink

MEMBERS = 600


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the database's own user can walk in when we are root."""
    with tempfile.TemporaryDirectory(prefix="colporteur-backup-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)
        wait_until(lambda: not processes_of(Path(made) / "before") and not processes_of(Path(made) / "after"), what="processes of the installations end")


def test_a_backup_in_the_middle_of_a_sending_restored_after_its_end_sends_nothing_by_itself(folder: Path) -> None:
    before, after = Installation(folder / "before"), Installation(folder / "after")
    log = folder / "log"
    with Sink(keep_data=False) as sink:
        sink.limit = MEMBERS // 2
        try:
            arrange(before, sink.port, folder)
            before.start(log=log)
            before.wait_until_ready(log)
            post(before, "amis@lists.example", "Paniers")
            wait_until(lambda: len(sink.taken) >= sink.limit, 60, log.read_text())
            done = before.command("backup", str(folder / "backup"), "--with-key")
            assert done.returncode == 0 and "read again; with the secret key" in done.stderr, done
            assert (folder / "backup").stat().st_mode & 0o777 == 0o600
            sink.limit = inf
            wait_until(lambda: (len(sink.received()), sink.repeated()) == (MEMBERS, 0), 60, log.read_text())
            assert before.stop() == 0

            restored = after.command("restore", str(folder / "backup"), "--json")
            assert restored.returncode == 0, restored
            (held,) = json.loads(restored.stdout)["mailings"]
            assert MEMBERS - held["open"] in range(1, MEMBERS) and held["list"] == "amis@lists.example"
            after.start(log=log)
            after.wait_until_ready(log)
            post(after, "bureau@lists.example", "Something new")
            wait_until(lambda: "bureau-1@members.example" in sink.received(), 60, log.read_text())
            assert len(sink.taken) == MEMBERS + 1, "a new message leaves; of what was open nothing did, though the workers went round"

            shown = json.loads(after.command("mailing", "show", str(held["id"]), "--json").stdout)
            assert (shown["state"], shown["counts"]["queued"]) == ("paused", held["open"])
            resumed = after.command("mailing", "resume", str(held["id"]))
            assert f"{held['open']} copies that were open in the backup of " in resumed.stdout, resumed
            wait_until(lambda: len(sink.taken) == MEMBERS + 1 + held["open"], 60, log.read_text())
            wait_until(lambda: json.loads(after.command("mailing", "show", str(held["id"]), "--json").stdout)["state"] == "done", 60)
            assert sink.repeated() == held["open"], "exactly the copies that were open at the backup"
            assert after.stop() == 0
        finally:
            before.kill()
            after.kill()


def arrange(installation: Installation, port: int, folder: Path) -> None:
    """Two lists with a way out."""
    (folder / "members").write_text("".join(f"member-{number}@members.example\n" for number in range(MEMBERS)))
    for words in (
        ("domain", "add", "lists.example"),
        ("transport", "add", "relay", f"smtp://127.0.0.1:{port}"),
        *(("list", "create", f"{name}@lists.example", "--template", "discussion", "--owner", "owner@members.example") for name in ("amis", "bureau")),
        *(("list", "set", f"{name}@lists.example", "posting=world") for name in ("amis", "bureau")),
        ("member", "add", "amis@lists.example", "--file", str(folder / "members")),
        ("member", "add", "bureau@lists.example", "bureau-1@members.example"),
    ):
        done = installation.command(*words)
        assert done.returncode == 0, done


def post(installation: Installation, to: str, subject: str) -> None:
    """Hand a message to the running listener."""
    message = f"From: anna@elsewhere.example\nTo: {to}\nSubject: {subject}\nMessage-ID: <{subject.replace(' ', '-')}@elsewhere.example>\n\nHello\n"
    done = subprocess.run(
        [installation.python, "-m", "colporteur", "deliver", "--recipient", to, "--sender", "anna@elsewhere.example"], input=message.encode(), env=installation.environment,
        capture_output=True, cwd="/", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done
