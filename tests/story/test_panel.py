"""Plesk's path: lists under a domain, their administrator notified, the service switched off and on, several deleted; by the
commands a panel would run, with the parts as real processes."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest

from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from tests.servers.ports import wait_until
from tests.story.scenes import Installation, message

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS = "anna@members.example\nmarc@members.example\nzoe@members.example\n"


def hand_in(installation: Installation, to: str, subject: str) -> tuple[int, str]:
    """Reply of the LMTP listener: to RCPT TO, or to the message when it takes that (what it knew a moment ago it does not ask again)."""
    with smtplib.LMTP("127.0.0.1", installation.lmtp_port) as lmtp:
        lmtp.ehlo("panel.example")
        lmtp.mail("anna@members.example")
        code, text = lmtp.rcpt(to)
        if code == 250:
            code, text = lmtp.data(message("anna@members.example", to=to, subject=subject))
        return code, text.decode()


def test_a_panels_path(installation: Installation, tmp_path: Path) -> None:
    ask = lambda *words, stdin=b"": json.loads(installation.cli(*words, "--json", stdin=stdin))  # noqa: E731
    ask("domain", "add", "client.example")
    ask("transport", "add", "outbox", f"folder://{tmp_path / 'outbox'}")
    for name in ("nouvelles", "team"):
        ask("list", "create", f"{name}@client.example", "--template", "discussion", "--owner", "owner@client.example", "--notify")
        assert ask("member", "add", f"{name}@client.example", "--file", "-", stdin=MEMBERS.encode())["added"] == 3
    installation.start("receive", "worker")
    outbox = tmp_path / "outbox"
    told = lambda: [file for file in outbox.glob("*.eml") if b"/s/" in file.read_bytes()] if outbox.exists() else []  # noqa: E731
    wait_until(lambda: len(told()) == 2, 60, "the administrator was not notified")

    assert hand_in(installation, "nouvelles@client.example", "Before")[0] == 250
    wait_until(lambda: Mailing.objects.filter(subject="Before", state="done").exists(), 60, "the first message did not leave")

    ask("domain", "disable", "client.example")
    code, text = hand_in(installation, "team@client.example", "Meanwhile")
    assert code == 550 and "list service of client.example is switched off" in text
    assert {row["members"] for row in ask("list", "list")} == {3}
    ask("domain", "enable", "client.example")
    assert hand_in(installation, "team@client.example", "After")[0] == 250
    wait_until(lambda: Mailing.objects.filter(subject="After", state="done").exists(), 60, "nothing leaves after the service is on again")

    ask("list", "disable", "team@client.example")
    assert hand_in(installation, "team@client.example", "Off")[0] == 550
    ask("list", "delete", "nouvelles@client.example", "team@client.example")
    assert ask("list", "list") == [] and hand_in(installation, "nouvelles@client.example", "Gone")[0] == 550
    assert ask("list", "restore", "team@client.example")["state"] == "off"
    assert List.objects.get(address="nouvelles@client.example").state == "deleted"
