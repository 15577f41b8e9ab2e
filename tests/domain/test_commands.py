"""Commands by mail: what is one, in English and French, and what people write that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import lists, text

from colporteur.domain.commands import MOST, Command, Reception, Verb, parse, read
from colporteur.mail.compose import first_lines

OWN = ("amis", "amis@lists.example")
TOKEN = "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("line", "own", "expected"),
    [
        ("subscribe", OWN, Command(Verb.SUBSCRIBE)),
        ("SUB amis Anna Rivoire", OWN, Command(Verb.SUBSCRIBE, name="Anna Rivoire")),
        ("sub chess Anna", (), Command(Verb.SUBSCRIBE, "chess", name="Anna")),
        ("s'abonner", OWN, Command(Verb.SUBSCRIBE)),
        ("S\N{RIGHT SINGLE QUOTATION MARK}abonner amis", (), Command(Verb.SUBSCRIBE, "amis")),
        ("Désabonner", OWN, Command(Verb.UNSUBSCRIBE)),
        ("me désabonner", OWN, Command(Verb.UNSUBSCRIBE)),
        ("*unsubscribe*", OWN, Command(Verb.UNSUBSCRIBE)),
        ("unsubscribe *", OWN, Command(Verb.UNSUBSCRIBE, "*")),
        ("UNS *", (), Command(Verb.UNSUBSCRIBE, "*")),
        ("SIGnoff amis Anna@B.example", (), Command(Verb.UNSUBSCRIBE, "amis", "anna@b.example")),
        ("quitter.", OWN, Command(Verb.UNSUBSCRIBE)),
        ("WHICH", (), Command(Verb.WHICH)),
        ("mes listes", (), Command(Verb.WHICH)),
        ("listes", (), Command(Verb.LISTS)),
        ("info", OWN, Command(Verb.INFO)),
        ("INFO amis@lists.example", (), Command(Verb.INFO, "amis@lists.example")),
        ("rev amis", OWN, Command(Verb.REVIEW)),
        ("set nomail", OWN, Command(Verb.SET, word=Reception.NOMAIL)),
        ("SET amis DIGESTPLAIN", (), Command(Verb.SET, "amis", word=Reception.DIGEST_PLAIN)),
        ("set * mail", OWN, Command(Verb.SET, "*", word=Reception.MAIL)),
        ("suspendre", OWN, Command(Verb.SUSPEND)),
        ("resume chess", (), Command(Verb.RESUME, "chess")),
        (f"confirm {TOKEN.upper()}", (), Command(Verb.CONFIRM, word=TOKEN)),
        ("QUIET ADD amis anna@b.example Anna Rivoire", (), Command(Verb.ADD, "amis", "anna@b.example", "Anna Rivoire")),
        ("ajouter anna@b.example Anna", OWN, Command(Verb.ADD, "", "anna@b.example", "Anna")),
        ("del amis anna@b.example", OWN, Command(Verb.DEL, "", "anna@b.example")),
        ("inviter amis@lists.example anna@b.example", OWN, Command(Verb.INVITE, "", "anna@b.example")),
        ("REMind", OWN, Command(Verb.REMIND)),
        ("aide", (), Command(Verb.HELP)),
        ("?", OWN, Command(Verb.HELP)),
        ("INDEX amis", (), Command(Verb.UNKNOWN, "amis")),
    ],
)
def test_a_command_is_understood(line: str, own: tuple[str, ...], expected: Command) -> None:
    assert parse(line, own) == expected


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("Lists of questions", OWN), ("Info: the bus is late", OWN), ("subscribe?", OWN), ("Can I subscribe", OWN), ("subscribe", ()), ("unsubscribe", ()),
        ("add Anna", OWN), ("set amis sideways", OWN), ("help me with my computer", OWN), ("confirm soon", OWN), ("", OWN), ("subscribe *", OWN), ("Which of you comes", OWN),
        ("remind me tomorrow", OWN), ("review the text", OWN), ("suspend the meeting", OWN), ("subscribe " + "x" * 300, OWN),
    ],
)  # fmt: skip
def test_what_people_write_is_no_command(line: str, own: tuple[str, ...]) -> None:
    assert parse(line, own) is None


def verbs(subject: str, *lines: str, own: tuple[str, ...] = OWN) -> list[Verb]:
    return [command.verb for command in read(subject, lines, own)]


def test_the_subject_goes_before_the_text_and_may_be_an_answer() -> None:
    assert verbs("Re: [amis] unsubscribe", "which") == [Verb.UNSUBSCRIBE]
    assert verbs("(no subject)", "which", "info") == [Verb.WHICH, Verb.INFO]


def test_reading_ends_at_the_first_line_that_is_no_command() -> None:
    assert verbs("", "Bonjour,", "", "abonner", "Merci beaucoup", "désabonner") == [Verb.SUBSCRIBE]
    assert verbs("", "which", "QUIT", "unsubscribe") == [Verb.WHICH]
    assert verbs("", "which", "--", "info") == [Verb.WHICH]
    assert verbs("", "I read your list.", "unsubscribe") == []


def test_the_same_command_counts_once_and_many_are_cut() -> None:
    assert verbs("", "which", "which") == [Verb.WHICH]
    assert len(read("", [f"info list{number}" for number in range(50)])) == MOST


HEAD = b"From: a@b.example\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (b"text/plain", "unsubscribe\r\n\r\n-- \r\nAnna Rivoire\r\nsubscribe to my blog\r\n", [Verb.UNSUBSCRIBE]),
        (b"text/plain", "Bonjour\r\nset nomail\r\n\r\nLe 21 nov. 2026 à 10:00, Amis <amis@lists.example> a écrit :\r\n> unsubscribe\r\n", [Verb.SET]),
        (b"text/plain", "> unsubscribe\r\n> which\r\n", []),
        (b"text/html", "<html><head><style>p{color:red}</style></head><body><div dir=ltr>d&eacute;sabonner</div><br><div class=gmail_signature>Anna</div></body></html>", [Verb.UNSUBSCRIBE]),
        (b"text/html", "<p>info</p><p>which</p><p>Merci</p>", [Verb.INFO, Verb.WHICH]),
    ],
)
def test_real_bodies(kind: bytes, body: str, expected: list[Verb]) -> None:
    assert verbs("", *first_lines(HEAD % (b"", kind) + body.encode())) == expected


@given(text(), lists(text(), max_size=12))
def test_no_text_breaks_the_reading(subject: str, lines: list[str]) -> None:
    for own in ((), OWN):
        found = read(subject, lines, own)
        assert len(found) <= MOST
        assert all(command.email == command.email.lower() for command in found)
