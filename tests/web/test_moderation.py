"""Waiting messages: read, decided, by account and by link; what people wrote stays inert."""

from __future__ import annotations

import contextlib
import json
from html import unescape

import pytest
from click.testing import CliRunner
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.html import conditional_escape

from colporteur.cli import colporteur as program
from colporteur.cli import installation
from colporteur.domain.posts import Decision
from colporteur.flow import lists
from colporteur.flow.moderation import decide, moderation_token, parts, sentence
from colporteur.mail.defects import DEFECTS
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from colporteur.store.posts import Post
from tests.flow.posts import letters, text
from tests.web.conftest import World, signed_in, write_to

HOSTILE = '<p onclick="steal()">Bonjour</p><script>steal()</script><img src="https://pisteur.example/p.gif"><a href="javascript:steal()">là</a>'


def gettext_in(language: str, sentence: str) -> str:
    with translation.override(language):
        found = translation.gettext(sentence)
    assert found != sentence
    return conditional_escape(found)


def test_a_decision_leads_to_the_next_message(world: World, held: Post) -> None:
    older, browser = held, signed_in(world.moderator)
    newer = write_to(world.list, "coop@troisrives.example", "Coop", "Offre")
    page = browser.get(reverse("waiting-post", args=[newer.pk])).content.decode()
    assert "Message 1 of 2" in page and "Distribute to 143 members" in page and "is not a member of the list" in page
    answer = browser.post(reverse("waiting-post", args=[newer.pk]), {"decision": "reject", "reason": "Pas ici, merci."}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("waiting-post", args=[older.pk])
    newer.refresh_from_db()
    assert (newer.state, newer.decision_reason, newer.decided_by) == ("rejected", "Pas ici, merci.", world.moderator)
    assert "its author is told" in answer.content.decode()
    browser.post(reverse("waiting-post", args=[older.pk]), {"decision": "release"})
    assert Mailing.objects.filter(post=older).exists()


def test_nobody_is_said_to_be_told_who_is_not(world: World, held: Post) -> None:
    lists.set_policy(world.list, {"tell_rejected": "no"}, "test", timezone.now())
    answer = signed_in(world.moderator).post(reverse("waiting-post", args=[held.pk]), {"decision": "reject"}, follow=True)
    assert "its author is not told" in answer.content.decode()
    assert not Mailing.objects.filter(letter="rejected").exists()


def test_why_a_message_waits_is_said_in_the_same_words_everywhere(world: World, held: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "installation", contextlib.nullcontext)  # the database runs already
    (finding,) = [one for one in held.findings.all() if one.action == "hold"]
    with translation.override("en"):
        said, both = sentence(finding), parts(finding)
    page = unescape(signed_in(world.moderator).get(reverse("waiting-post", args=[held.pk])).content.decode())
    assert all(part in page for part in both)
    link = moderation_token(held.pk, Address.objects.get(email="odile.perrin@courriel.example").pk)
    assert all(part in unescape(signed_in(None).get(reverse("moderate", args=[link])).content.decode()) for part in both)
    shown = json.loads(CliRunner().invoke(program, ["post", "show", str(held.pk), "--json"]).output)
    assert said in [one["reason"] for one in shown["findings"]]
    assert [one["text"] for one in shown["journal"] if one["event"] == "post.held"] == [f"Waits for a moderator: {said}"]
    for _letter, to, notice in letters("held"):
        language = "fr" if Address.objects.get(email=to).person.language == "fr" else "en"  # type: ignore[union-attr]
        with translation.override(language):
            assert sentence(finding) in " ".join(text(notice).split()), to


def test_the_late_one_is_told_who_decided(world: World, held: Post) -> None:
    page = signed_in(world.moderator)
    assert page.get(reverse("waiting-post", args=[held.pk])).status_code == 200
    decide(held.pk, Decision.DISCARD, timezone.now(), person=world.owner.pk)
    answer = page.post(reverse("waiting-post", args=[held.pk]), {"decision": "release"}, follow=True)
    assert "rejected without telling by Paul Kerneis" in answer.content.decode()
    assert not Mailing.objects.filter(post=held).exists()


@pytest.fixture
def link(world: World, held: Post) -> str:
    return reverse("moderate", args=[moderation_token(held.pk, Address.objects.get(email="odile.perrin@courriel.example").pk)])


def test_a_link_scanner_changes_nothing_and_the_button_acts(world: World, held: Post, link: str) -> None:
    scanner = signed_in(None)
    for wish in ("", "?do=release", "?do=reject", "?do=discard"):
        assert scanner.get(link + wish).status_code == 200
        scanner.head(link + wish)
    assert "<details open>" in scanner.get(link + "?do=reject").content.decode()
    assert "press the last button" in scanner.get(link + "?do=discard").content.decode()
    held.refresh_from_db()
    assert held.state == "held"
    browser = signed_in(None)
    browser.handler.enforce_csrf_checks = True  # a mail program's window keeps no cookies: the link alone must do
    answer = browser.post(link, {"decision": "release"})
    held.refresh_from_db()
    assert (answer.status_code, held.state, held.decided_by) == (200, "accepted", world.moderator)
    late = signed_in(None).post(link, {"decision": "discard"})
    assert late.status_code == 409 and "Odile Perrin" in late.content.decode()
    assert "Bonjour à toutes" not in signed_in(None).get(link).content.decode()  # the message itself is no longer shown


def test_what_was_written_stays_inert(world: World) -> None:
    post = write_to(world.list, "marc.legoff@courriel.example", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", html=HOSTILE, original=b"Subject: \r\n\r\n")
    browser = signed_in(world.moderator)
    page = browser.get(reverse("waiting-post", args=[post.pk]))
    assert "<script>alert" not in page.content.decode() and "<img src=x" not in page.content.decode()
    assert "'unsafe" not in page["Content-Security-Policy"] and "script-src 'self'" in page["Content-Security-Policy"]
    framed = browser.get(reverse("post-html", args=[post.pk]))
    body = framed.content.decode()
    assert "Bonjour" in body
    for wrong in ("steal", "pisteur.example", "<script", "onclick"):
        assert wrong not in body
    assert framed["Content-Security-Policy"].startswith("sandbox;") and framed["X-Frame-Options"] == "SAMEORIGIN"
    saved = browser.get(reverse("post-attachment", args=[post.pk, 0]))
    assert saved["Content-Type"] == "application/octet-stream" and saved["Content-Disposition"].startswith("attachment;") and saved["X-Content-Type-Options"] == "nosniff"
    assert page["Cache-Control"] == "no-store"


def test_long_quotations_and_long_texts_fold(world: World) -> None:
    text = "Mon avis.\n\n" + "\n".join(f"> ligne {n}" for n in range(30)) + "\n" + "\n".join(f"Ligne {n}." for n in range(60))
    post = write_to(world.list, "marc.legoff@courriel.example", "Marc", "Long", text=text)
    page = signed_in(world.moderator).get(reverse("waiting-post", args=[post.pk])).content.decode()
    assert "30 quoted lines" in page and "more lines" in page and page.index("Ligne 59.") < page.index("Distribute to 143")


def test_quarantine_says_why_and_lets_an_owner_out(world: World, held: Post) -> None:
    Post.objects.filter(pk=held.pk).update(state="quarantined", error="ValueError: exactly this")
    browser = signed_in(world.owner)
    page = browser.get(reverse("post", args=[held.pk])).content.decode()
    assert "ValueError: exactly this" in page and "Try again" in page
    assert "could not be processed" in browser.get("/").content.decode()
    browser.post(reverse("post-quarantine", args=[held.pk]), {"wish": "release"})
    held.refresh_from_db()
    assert held.state == "accepted"


def test_what_is_wrong_with_a_message_is_said_in_the_readers_language(world: World, held: Post) -> None:
    Post.objects.filter(pk=held.pk).update(defects=["several-from", "of-a-later-version"])
    page = signed_in(world.moderator, "fr").get(reverse("waiting-post", args=[held.pk])).content.decode()
    assert "several-from" not in page and gettext_in("fr", DEFECTS["several-from"]) in page and "<li>of-a-later-version</li>" in page
