"""``colporteur post``: the same code as the web and the mailed link, from a command line."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from colporteur.flow import lists, memberships, moderation
from colporteur.store.lists import List
from colporteur.store.models import Arrival, Blob, Finding, JournalEntry, Mailing, Post
from tests.cli.conftest import NOW, Run
from tests.flow.posts import arrives

LIST = "amapiens@saule.example"


def message(sender: str, subject: str = "Covoiturage", number: int = 1) -> bytes:
    return f"From: {sender}\r\nTo: {LIST}\r\nSubject: {subject}\r\nMessage-ID: <{number}@courriel.example>\r\nDate: Sat, 21 Nov 2026 09:27:00 +0000\r\n\r\nBonjour.\r\n".encode()


@pytest.fixture
def held(amapiens: List) -> Post:
    now = timezone.now()  # it waits for some days only, and the commands look at the clock
    memberships.add(amapiens, [("anna@courriel.example", "Anna")], now, by="test")
    post = arrives(amapiens, message("Marc Le Goff <marc@courriel.example>"), now)
    moderation.judge_due(now)
    post.refresh_from_db()
    assert post.state == "held"
    return post


def test_posts_are_listed_with_their_findings(run: Run, ask, held: Post) -> None:
    arrives(held.list, message("anna@courriel.example", "Bonjour", 2), timezone.now())
    moderation.judge_due(timezone.now())
    first, second = ask("post", "list", LIST)
    assert (first["subject"], first["state"], second["subject"], second["state"]) == ("Bonjour", "accepted", "Covoiturage", "held")
    assert second["sender"] == "marc@courriel.example" and second["list"] == LIST
    assert [finding["action"] for finding in second["findings"]].count("hold") >= 1 and all(finding["reason"] and finding["rule"] for finding in second["findings"])
    assert [row["id"] for row in ask("post", "list", LIST, "--state", "held")] == [held.pk]
    assert [row["id"] for row in ask("post", "list", LIST, "--after", str(first["id"]))] == [held.pk]
    assert "Covoiturage" in run("post", "list", LIST).stdout


def test_one_post_with_its_journal(run: Run, ask, held: Post) -> None:
    shown = ask("post", "show", held.pk)
    assert (shown["door"], shown["message_id"].strip("<>")) == ("lmtp", "1@courriel.example")
    assert shown["expires"] and [entry["event"] for entry in shown["journal"]] == ["post.held"]
    assert "{" not in run("post", "show", held.pk).stdout
    Post.objects.filter(pk=held.pk).update(defects=["several-from", "of-a-later-version"])
    assert ask("post", "show", held.pk)["defects"] == ["several-from", "of-a-later-version"]
    said = run("post", "show", held.pk).stdout
    assert "There is more than one From field." in said and "of-a-later-version" in said and "several-from" not in said


def test_releasing_makes_a_mailing_once(run: Run, ask, held: Post) -> None:
    assert ask("post", "release", held.pk)["state"] == "accepted"
    assert Mailing.objects.get(kind="post").post == held
    late = run("post", "reject", held.pk)
    assert late.exit_code == 1 and "accepted already, decided by command line" in late.stderr
    assert Mailing.objects.filter(kind="post").count() == 1
    assert JournalEntry.objects.get(event="post.decided").values["by"] == "command line"


@pytest.mark.parametrize(("verb", "state"), [("reject", "rejected"), ("discard", "discarded")])
def test_refusing_and_throwing_away(run: Run, ask, held: Post, verb: str, state: str) -> None:
    words = ("--reason", "Hors sujet") if verb == "reject" else ()
    assert run("post", verb, held.pk, *words).stdout == f"message {held.pk} is {state}\n"
    shown = ask("post", "show", held.pk)
    assert (shown["state"], shown["reason"]) == (state, "Hors sujet" if words else "")
    assert not Mailing.objects.filter(kind="post").exists()


def test_only_a_quarantined_post_is_processed_again(run: Run, held: Post) -> None:
    refused = run("post", "retry", held.pk)
    assert refused.exit_code == 1 and "held, not quarantined" in refused.stderr
    Post.objects.update(state="quarantined", error="broken")
    assert run("post", "retry", held.pk).exit_code == 0
    held.refresh_from_db()
    assert held.state == "received"


@pytest.mark.parametrize("number", ["0", "999999", "x", "-1", "1e3", "٣", "9" * 40])
def test_an_unknown_number_is_told(run: Run, amapiens: List, number: str) -> None:
    for verb in ("show", "release", "discard", "retry"):
        result = run("post", verb, "--", number)
        assert result.exit_code == 1 and "there is no message" in result.stderr


def test_explaining_says_what_would_happen_and_stores_nothing(run: Run, ask, amapiens: List) -> None:
    memberships.add(amapiens, [("anna@courriel.example", "Anna")], NOW, by="test")
    stored = [model.objects.count() for model in (Arrival, Blob, Post, Finding, JournalEntry, Mailing)]
    member = ask("post", "explain", LIST, "--sender", "anna@courriel.example", input=message("anna@courriel.example"))
    assert (member["verdict"], member["sender"], member["audience"]) == ("accept", "anna@courriel.example", 1)
    stranger = ask("post", "explain", LIST, input=message("Marc <marc@courriel.example>"))
    assert set(stranger) == {"verdict", "findings", "sender", "audience"} and stranger["verdict"] == "hold"
    assert all(set(finding) == {"rule", "reason", "action"} for finding in stranger["findings"]) and stranger["findings"]
    lists.set_policy(amapiens, {"stranger": "discard"}, "test", NOW)
    assert ask("post", "explain", LIST, input=message("Marc <marc@courriel.example>"))["verdict"] == "discard"
    assert ask("post", "explain", LIST, "--sender", "<>", input=message("anna@courriel.example"))["verdict"] != "accept"
    assert "discard" in run("post", "explain", LIST, input=message("Marc <marc@courriel.example>")).stdout
    assert [model.objects.count() for model in (Arrival, Blob, Post, Finding, Mailing)] == stored[:4] + stored[5:]


@pytest.mark.parametrize("raw", [b"", b"\x00\xff\x80", b"From: a@b\r\n" * 3000, b"no header at all"])
def test_explaining_survives_what_is_no_message(run: Run, ask, amapiens: List, raw: bytes) -> None:
    assert ask("post", "explain", LIST, input=raw)["verdict"] in ("accept", "hold", "reject", "discard")


def test_a_wrong_sender_or_list_is_told(run: Run, amapiens: List) -> None:
    assert "not an e-mail address" in run("post", "explain", LIST, "--sender", "nobody", input=b"x").stderr
    assert "there is no list" in run("post", "explain", "nothing@saule.example", input=b"x").stderr


def test_hostile_subjects_print_harmlessly_and_stay_whole_in_json(run: Run, ask, held: Post) -> None:
    Post.objects.update(subject="\x1b]0;owned\x07 Été \u202e")
    assert "\x1b" not in run("post", "list", LIST).stdout + run("post", "show", held.pk).stdout
    assert json.loads(run("post", "list", LIST, "--json").stdout)[0]["subject"] == "\x1b]0;owned\x07 Été \u202e"
