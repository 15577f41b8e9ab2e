"""``colporteur deliver`` against a listener that answers as it is told: exit statuses, all or none, bytes as they were."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping

import pytest

from tests.servers.ports import free_port
from tests.story.scenes import REPOSITORY


class Script(socketserver.ThreadingTCPServer):
    """An LMTP listener that says what ``answers`` has for a command (``DATA.`` for each recipient after the data)."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Dialogue)
        self.answers, self.heard, self.messages = answers, list[str](), list[bytes]()


class Dialogue(socketserver.StreamRequestHandler):
    server: Script

    def handle(self) -> None:
        self._say(self.server.answers.get("connect", "220 lists.example"))
        accepted: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            self.server.heard.append(f"{verb} {rest}".strip())
            answer = next((text for begin, text in self.server.answers.items() if f"{verb} {rest}".startswith(begin)), None)
            if verb == "LHLO":
                self._say(answer or "250-lists.example\r\n250-SIZE 10000\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif verb == "DATA":
                self._say(answer or "354 go on")
                if answer:
                    continue
                data = b""
                while not data.endswith(b"\r\n.\r\n") and data != b".\r\n":
                    data += self.rfile.readline()
                self.server.messages.append(data)
                for recipient in accepted:
                    self._say(self.server.answers.get(f"after {recipient}", "250 2.6.0 Taken"))
            else:
                self._say(answer or ("221 2.0.0 Bye" if verb == "QUIT" else "250 2.0.0 OK"))
                if verb == "RCPT" and not answer:
                    accepted.append(line[9:-1])
                if verb == "QUIT":
                    return

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def script(request: pytest.FixtureRequest) -> Iterator[Script]:
    with Script(getattr(request, "param", {})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def deliver(port: int, raw: bytes, *recipients: str, sender: str = "anna@members.example") -> subprocess.CompletedProcess[bytes]:
    words = [word for recipient in recipients for word in ("--recipient", recipient)] + (["--sender", sender] if sender else [])
    # Nothing but the address of the listener: neither data directory nor key nor database.
    environment = {"COLPORTEUR_LMTP": f"127.0.0.1:{port}", "DATABASE_URL": "nonsense://", "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, "-m", "colporteur", "deliver", *words], input=raw, env=environment, cwd=REPOSITORY, capture_output=True, timeout=120)


def test_a_message_is_handed_over(script: Script) -> None:
    done = deliver(script.server_address[1], b"Subject: x\n\n.\n..two\nend\n", "amis@lists.example", "<bureau@lists.example>", "amis@lists.example")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert script.heard == [
        "LHLO localhost", "MAIL FROM:<anna@members.example> SIZE=29 BODY=8BITMIME", "RCPT TO:<amis@lists.example>", "RCPT TO:<bureau@lists.example>", "DATA", "QUIT",
    ]  # fmt: skip
    assert script.messages == [b"Subject: x\r\n\r\n..\r\n...two\r\nend\r\n.\r\n"]


RAW = {
    "line feeds": (b"a\nb\n", b"a\r\nb\r\n"), "CRLF": (b"a\r\nb\r\n", b"a\r\nb\r\n"), "mixed": (b"a\nb\r\nc\n", b"a\r\nb\r\nc\r\n"), "no end": (b"a\nb", b"a\r\nb\r\n"),
    "bare CR": (b"a\rb\r.\r\n", b"a\rb\r.\r\n"), "a lone dot": (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n"), "NUL and eight bits": (b"\x00\xff\n", b"\x00\xff\r\n"), "empty": (b"", b""),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), RAW.values(), ids=RAW)
def test_lines_end_in_crlf_and_nothing_else_changes(script: Script, raw: bytes, expected: bytes) -> None:
    assert deliver(script.server_address[1], raw, "amis@lists.example").returncode == 0
    assert script.messages == [expected + b".\r\n"]


def test_without_sender_it_is_the_null_sender(script: Script) -> None:
    assert deliver(script.server_address[1], b"x\n", "amis@lists.example", sender="").returncode == 0
    assert script.heard[1].startswith("MAIL FROM:<> ")


def test_addresses_beyond_ascii_say_so(script: Script) -> None:
    assert deliver(script.server_address[1], b"x\n", "amis@b\u00fccher.example").returncode == 0
    assert script.heard[1:3] == ["MAIL FROM:<anna@members.example> SIZE=3 BODY=8BITMIME SMTPUTF8", "RCPT TO:<amis@b\u00fccher.example>"]


TWO = ("amis@lists.example", "bureau@lists.example")
REFUSALS = {
    "no such list": ({"RCPT TO:<bureau": "550 5.1.1 No such list here"}, 67, b"bureau@lists.example: 550 5.1.1"), "malformed": ({"RCPT": "553 5.1.3 malformed"}, 67, b"553"),
    "switched off": ({"RCPT TO:<bureau": "550 5.2.1 This list is switched off"}, 69, b"switched off"), "off for now": ({"RCPT TO:<bureau": "450 4.2.1 off"}, 75, b"450"),
    "too big at MAIL": ({"MAIL": "552 5.3.4 Message too big"}, 69, b"too big"), "too big after the data": ({f"after {one}": "552 5.3.4 Message too big" for one in TWO}, 69, b"too big"),
    "busy": ({"connect": "421 4.3.2 Too many connections"}, 75, b"421"), "trouble at RCPT": ({"RCPT": "451 4.3.0 trouble"}, 75, b"451"), "trouble at DATA": ({"DATA": "451 4.3.1 room"}, 75, b"451"),
    "trouble after the data": ({f"after {one}": "451 4.3.0 trouble" for one in TWO}, 75, b"451"), "one of two after the data": ({f"after {TWO[1]}": "550 5.1.1 gone"}, 75, b"not taken for everybody"),
    "no hello": ({"LHLO": "500 what", "HELO": "500 what"}, 75, b"500"), "QUIT goes wrong": ({"QUIT": "451 4.3.0 trouble"}, 0, b""),
}  # fmt: skip


@pytest.mark.parametrize(("script", "status", "words"), REFUSALS.values(), ids=REFUSALS, indirect=["script"])
def test_refusals_have_the_statuses_mail_systems_read(script: Script, status: int, words: bytes) -> None:
    done = deliver(script.server_address[1], b"x\n", *TWO)
    assert (done.returncode, done.stdout) == (status, b"")
    assert words in done.stderr and b"Traceback" not in done.stderr
    if any(line.startswith("RCPT") for line in script.answers):
        assert "DATA" not in script.heard and script.heard[-1] == "QUIT"


def test_a_message_above_the_announced_size_is_not_sent(script: Script) -> None:
    assert deliver(script.server_address[1], b"x" * 10_001, "amis@lists.example").returncode == 69
    assert not script.messages


def test_nobody_listens() -> None:
    done = deliver(free_port(), b"x\n", "amis@lists.example")
    assert done.returncode == 75 and b"cannot be used now" in done.stderr


@pytest.mark.parametrize("words", [["--recipient", "a b"], ["--recipient", "a\nRCPT TO:<b@c.example>"], []])
def test_wrong_use_is_said_on_stderr(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "colporteur", "deliver", *words], input=b"x", cwd=REPOSITORY, capture_output=True, timeout=120)
    assert done.returncode == 2 and b"Usage:" in done.stderr and not done.stdout


def test_it_needs_no_django() -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "colporteur", "deliver", "--help"], cwd=REPOSITORY, capture_output=True, timeout=120)
    assert done.returncode == 0
    assert b"django" not in done.stderr and b"psycopg" not in done.stderr
