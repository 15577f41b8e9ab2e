"""OpenHost's path: from a new group to one that takes internal senders only and is moderated, by the commands a panel would run,
with the parts as real processes."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest

from colporteur.store.mailings import Copy, Mailing
from colporteur.store.posts import Post
from tests.servers.ports import wait_until
from tests.story.scenes import Installation, message

pytestmark = pytest.mark.django_db(transaction=True)
GROUP, OWNER, BOSS, ANNA, CLIENT = "ventes@client.example", "paul@client.example", "claire@client.example", "anna@client.example", "client@ailleurs.example"


def hand_in(installation: Installation, sender: str, subject: str, *, proven: bool = True) -> None:
    """A message as the organisation's own server passes it on: it says whether the sender signed in."""
    said = "auth=pass smtp.auth=" + sender if proven else "auth=none; dkim=none; spf=softfail smtp.mailfrom=evil.example"
    raw = message(sender, to=GROUP, subject=subject)
    with smtplib.LMTP("127.0.0.1", installation.lmtp_port) as lmtp:
        lmtp.sendmail(sender, [GROUP], f"Authentication-Results: mx.client.example; {said}\r\n".encode() + raw)


def state(subject: str) -> str:
    """What became of a message, once it is judged."""
    wait_until(lambda: Post.objects.filter(subject=subject).exclude(state="received").exists(), 120, f"{subject} was not judged")
    return Post.objects.get(subject=subject).state


def readers(subject: str) -> set[str]:
    """Who got it, once all copies are out."""
    wait_until(lambda: Mailing.objects.filter(kind="post", subject=subject, state="done").exists(), 120, f"{subject} did not leave")
    return set(Copy.objects.filter(mailing__kind="post", mailing__subject=subject, state=2).values_list("address__email", flat=True))


def test_from_a_new_group_to_an_internal_only_moderated_one(installation: Installation, tmp_path: Path) -> None:
    ask = lambda *words, stdin=b"": json.loads(installation.cli(*words, "--json", stdin=stdin))  # noqa: E731
    ask("domain", "add", "client.example")
    ask("transport", "add", "outbox", f"folder://{tmp_path / 'outbox'}")
    ask("policy", "set", "site", "trusted_servers=mx.client.example")
    ask("list", "create", GROUP, "--template", "distribution", "--owner", OWNER)
    ask("member", "add", GROUP, ANNA, "marc@client.example", CLIENT)
    shown = {row["key"]: row["value"] for row in ask("list", "show", GROUP)["settings"]}
    assert (shown["senders"], shown["joining"], shown["footer"], shown["reply_to"], shown["reports_to"]) == ("internal", "closed", "", "sender", "sender")
    installation.start("receive", "worker")

    hand_in(installation, ANNA, "Inside")
    assert state("Inside") == "accepted" and readers("Inside") == {ANNA, "marc@client.example", CLIENT}
    hand_in(installation, CLIENT, "Outside")
    assert state("Outside") == "rejected"
    hand_in(installation, ANNA, "Forged", proven=False)
    assert state("Forged") == "held"

    ask("list", "create", "direction@client.example", "--template", "distribution", "--owner", OWNER)
    ask("member", "add", "direction@client.example", BOSS)
    ask("list", "set", GROUP, "posting=nobody")
    ask("role", "add", GROUP, BOSS, "--kind", "moderator")
    ask("role", "add", GROUP, "direction@client.example", "--kind", "free")
    hand_in(installation, ANNA, "Please")
    assert state("Please") == "held"
    held = Post.objects.get(subject="Please")
    wait_until(lambda: Mailing.objects.filter(letter="held", list__address=GROUP, state="done").count() == 2, 120, "the moderator was not asked")
    asked = Copy.objects.filter(mailing__letter="held").order_by("mailing_id").values_list("address__email", flat=True)
    assert list(asked) == [OWNER, BOSS], "the owner was asked while there was no moderator"
    ask("post", "release", str(held.pk))
    assert readers("Please") == {ANNA, "marc@client.example", CLIENT}
    hand_in(installation, BOSS, "From above")
    assert state("From above") == "accepted"

    said = installation.cli("post", "explain", GROUP, stdin=message(CLIENT, to=GROUP))
    assert "writes from outside the organisation" in said
