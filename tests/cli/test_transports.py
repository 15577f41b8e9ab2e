"""``colporteur transport``: against a real SMTP dialogue with a scripted server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from colporteur.flow import transports
from colporteur.store.transports import Transport
from tests.cli.conftest import Run
from tests.servers.scripted import scripted

Lines = Callable[[BinaryIO, Callable[[bytes], None]], None]


def server(taken: list[bytes], *, greeting: bytes = b"220 relay.example ready\r\n", end: bytes = b"250 2.0.0 queued as 4711\r\n") -> Lines:
    def talk(lines: BinaryIO, say: Callable[[bytes], None]) -> None:
        say(greeting)
        data = False
        for line in lines:
            if data:
                taken.append(line)
                if line == b".\r\n":
                    data = False
                    say(end)
                continue
            verb = line[:4].upper()
            taken.append(line)
            if verb == b"EHLO":
                say(b"250-relay.example\r\n250 8BITMIME\r\n")
            elif verb == b"DATA":
                data = True
                say(b"354 go on\r\n")
            elif verb == b"QUIT":
                say(b"221 bye\r\n")
                return
            else:
                say(b"250 ok\r\n")

    return talk


def test_ways_out_come_newest_first_with_health_and_without_passwords(run: Run, ask) -> None:
    assert ask("transport", "add", "outbox", "folder:///tmp/colporteur-tests-outbox")["default"] is True
    ask("transport", "add", "relay", "smtp://me:s3cret@smtp.example:587?tls=starttls")
    rows = ask("transport", "list")
    assert [(row["name"], row["kind"], row["enabled"], row["health"], row["default"]) for row in rows] == [("relay", "smtp", True, "unused", False), ("outbox", "folder", True, "unused", True)]
    assert "s3cret" not in json.dumps(rows) + run("transport", "list").output
    assert ask("transport", "default", "relay")["default"] is True
    assert ask("transport", "disable", "outbox")["enabled"] is False
    assert ask("transport", "enable", "outbox")["enabled"] is True
    assert ask("transport", "set", "relay", "smtp://me:n3w@other.example")["url"] == "smtp://me@other.example"
    assert "n3w" in transports.url_of(Transport.objects.get(name="relay"))


@pytest.mark.parametrize("url", ["pigeon://x", "smtp://", "smtp://host?tls=maybe", "smtp://host?unknown=1", "folder://x", "smtp://host:0"])
def test_a_wrong_url_is_refused_before_anything_is_stored(run: Run, url: str) -> None:
    result = run("transport", "add", "x", url)
    assert result.exit_code == 1 and result.stderr.startswith("Error: ") and not Transport.objects.exists()


def test_a_test_message_really_goes_out(run: Run, ask) -> None:
    taken: list[bytes] = []
    with scripted(server(taken)) as port:
        ask("transport", "add", "relay", f"smtp://127.0.0.1:{port}")
        found = ask("transport", "test", "relay", "--to", "anna@a.example", "--sender", "bureau@saule.example")
    assert found["code"] == 250 and "queued as 4711" in found["reply"] and "relay.example ready" in found["check"]
    said = b"".join(taken)
    assert b"MAIL FROM:<bureau@saule.example>" in said and b"RCPT TO:<anna@a.example>" in said and b"\r\nTo: anna@a.example\r\n" in said
    assert ask("transport", "list")[0]["health"] == "ok"


def test_a_refusal_of_the_message_repeats_the_reply(run: Run, ask) -> None:
    with scripted(server([], end=b"554 5.7.1 not today\r\n")) as port:
        ask("transport", "add", "relay", f"smtp://127.0.0.1:{port}")
        result = run("transport", "test", "relay", "--to", "anna@a.example")
    assert result.exit_code == 1 and "554 5.7.1 not today" in result.stderr and "Traceback" not in result.output


def test_a_transport_in_trouble_is_told_and_remembered(run: Run, ask) -> None:
    with scripted(server([], greeting=b"554 5.3.2 we are closed\r\n")) as port:
        ask("transport", "add", "relay", f"smtp://127.0.0.1:{port}")
        result = run("transport", "test", "relay", "--to", "anna@a.example")
    assert result.exit_code == 1 and "we are closed" in result.stderr
    row = ask("transport", "list")[0]
    assert row["health"] == "trouble" and "we are closed" in row["last_error"] and row["next_try"]


def test_a_server_that_is_not_there(run: Run, ask) -> None:
    ask("transport", "add", "relay", "smtp://127.0.0.1:1")
    result = run("transport", "test", "relay", "--to", "anna@a.example")
    assert result.exit_code == 1 and "relay is in trouble" in result.stderr and result.stderr.count("\n") == 1


def test_a_folder_gets_a_file(run: Run, ask, tmp_path: Path) -> None:
    ask("transport", "add", "outbox", f"folder://{tmp_path}/out")
    ask("transport", "test", "outbox", "--to", "anna@a.example")
    (written,) = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert b"Subject: Test of Colporteur" in written.read_bytes()


def test_unknown_names_and_wrong_addresses_are_told(run: Run, ask) -> None:
    assert "no transport called" in run("transport", "test", "nothing", "--to", "a@b.example").stderr
    ask("transport", "add", "outbox", "folder:///tmp/colporteur-tests-outbox")
    assert "not an e-mail address" in run("transport", "test", "outbox", "--to", "nobody").stderr
    assert run("transport", "test", "outbox").exit_code == 2
