"""Passwords are read from a URL once and then sealed: whatever fails, no output, log line or row repeats them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import BinaryIO

import pytest
from django.apps import apps
from django.db import connection

from colporteur.store.lists import List
from tests.cli.conftest import Run
from tests.servers.scripted import scripted

SECRET = "Tr0ub4dor%26Zebra"  # %26: an ampersand, so that the quoted form and the plain one differ
SPELLINGS = [spelling for plain in ("Tr0ub4dor&Zebra", SECRET) for spelling in (plain, base64.b64encode(plain.encode()).decode(), base64.b64encode(f"\0me\0{plain}".encode()).decode())]


def smtp(lines: BinaryIO, say: Callable[[bytes], None]) -> None:
    say(b"220 relay.example ready\r\n")
    for line in lines:
        verb = line[:4].upper()
        say(b"250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n" if verb == b"EHLO" else b"535 5.7.8 wrong: " + line.strip() + b"\r\n" if verb == b"AUTH" else b"250 ok\r\n")


def imap(lines: BinaryIO, say: Callable[[bytes], None]) -> None:
    say(b"* OK ready\r\n")
    for line in lines:
        tag, _, rest = line.partition(b" ")
        answer = b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done" if rest.upper().startswith(b"CAPA") else tag + b" NO wrong: " + rest.strip()
        say(answer + b"\r\n")


def pop3(lines: BinaryIO, say: Callable[[bytes], None]) -> None:
    say(b"+OK ready\r\n")
    for line in lines:
        say(b"+OK\r\nUIDL\r\nUSER\r\n.\r\n" if line.upper().startswith(b"CAPA") else b"-ERR wrong: " + line.strip() + b"\r\n" if line.upper().startswith(b"PASS") else b"+OK\r\n")


def rows() -> str:
    """Every row of every table as text."""
    said = []
    with connection.cursor() as cursor:
        for table in {model._meta.db_table for model in apps.get_models()}:
            cursor.execute(f'SELECT each::text FROM "{table}" AS each')
            said += [row for (row,) in cursor.fetchall()]
    return "\n".join(said)


@pytest.mark.parametrize("server", ["refuses and repeats what it was told", "is not there"])
def test_no_password_is_repeated_whatever_fails(run: Run, amapiens: List, caplog: pytest.LogCaptureFixture, server: str) -> None:
    caplog.set_level(logging.DEBUG)
    said = []

    def do(*words: str) -> None:
        result = run(*words)
        said.append(result.output + result.stderr + repr(result.exception))

    with scripted(smtp) as a, scripted(imap) as b, scripted(pop3) as c:
        here = (a, b, c) if server.startswith("refuses") else (1, 1, 1)
        account = f"me:{SECRET}@127.0.0.1"
        do("transport", "add", "relay", f"smtp://{account}:{here[0]}?tls=none&insecure_login=1", "--json")
        do("transport", "add", "relay", f"smtp://{account}:{here[0]}?tls=none", "--json")
        do("transport", "set", "relay", f"smtp://{account}:{here[0]}?tls=none")
        do("transport", "add", "wrong", f"smtp://{account}:99999")
        do("transport", "add", "wrong", f"smtp://{account}:{here[0]}?tls=maybe")
        do("transport", "add", "wrong", f"pigeon://{account}")
        do("transport", "add", "wrong", f"smtp://me:{SECRET}/x@127.0.0.1")
        do("transport", "test", "relay", "--to", "anna@a.example")
        do("transport", "list", "--json")
        for kind, port in (("imap", here[1]), ("pop3", here[2])):
            url = f"{kind}://{account}:{port}" + ("/INBOX" if kind == "imap" else "") + "?tls=none"
            for words in (("add", amapiens.address, url), ("add", amapiens.address, url, "--no-test", "--json"), ("test", amapiens.address, "--json"), ("list", "--json")):
                do("mailbox", *words)
            do("mailbox", "add", amapiens.address, url.replace(str(port), "99999"))
            do("mailbox", "add", amapiens.address, url + "&tls=perhaps")
            do("mailbox", "add", amapiens.address, f"{kind}://me:{SECRET}/x@127.0.0.1")
        do("list", "show", amapiens.address, "--json")
    for where, text in {"what was said": "\n".join(said), "the log": caplog.text, "rows": rows()}.items():
        found = [line[:300] for line in text.splitlines() if any(spelling in line for spelling in SPELLINGS)]
        assert not found, (where, found)
