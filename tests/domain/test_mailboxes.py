"""How an account is written down, and when a failing one is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from colporteur.domain.mailboxes import Account, checked, message_next_try, next_try, read_url, tell_owners

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://u:p@imap.example/", Account("imap", "imap.example", 993, "u", "p")),
        ("imaps://u%40example.org:p%2Fw%3A@imap.example:1993/Lists%20in?self_signed=1", Account("imap", "imap.example", 1993, "u@example.org", "p/w:", self_signed=True, folder="Lists in")),
        ("imap://u:p@imap.example/INBOX?move=Taken&every=300", Account("imap", "imap.example", 143, "u", "p", tls="starttls", move_to="Taken", every=300)),
        ("imap://u@example.org:p@127.0.0.1:1143/INBOX", Account("imap", "127.0.0.1", 1143, "u@example.org", "p", tls="none")),
        ("imap://u:p@10.0.0.1?tls=none", Account("imap", "10.0.0.1", 143, "u", "p", tls="none")),
        ("pop3s://u:p@pop.example", Account("pop3", "pop.example", 995, "u", "p")),
        ("pop3://u:@localhost", Account("pop3", "localhost", 110, "u", "", tls="none")),
        ("imaps://u:p@[::1]:993/", Account("imap", "::1", 993, "u", "p")),
    ],
)
def test_urls_are_read(url: str, expected: Account) -> None:
    assert read_url(url) == expected


@pytest.mark.parametrize(
    "url", ["", "imap.example", "http://u:p@imap.example/", "imaps://imap.example/", "imaps://u@imap.example/", "imaps://u:p@imap.example:99999/", "imaps://u:pa#ss@imap.example/",
            "imaps://u:p@imap.example/?colour=red", "imaps://u:p@imap.example/?tls=maybe", "imaps://u:p@imap.example/?every=1", "imaps://u%0d%0aA1:p@imap.example/",
            "pop3s://u:p@pop.example/?move=Taken", "imaps://u:p@imap.example/INBOX?move=inbox"],
)  # fmt: skip
def test_what_is_no_account_gets_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ValueError) as told:
        read_url(url)
    assert len(str(told.value)) > 20
    assert "pa#ss" not in str(told.value)


def test_the_password_is_never_shown() -> None:
    assert "geheim" not in repr(Account("imap", "h", 993, "u", "geheim")) + str(Account("imap", "h", 993, "u", "geheim"))


@pytest.mark.parametrize("name", ["host", "user", "password", "folder", "move_to"])
@pytest.mark.parametrize("sign", ["\r", "\n", "\x00", "\x7f"])
def test_no_field_may_end_a_command(name: str, sign: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        checked(replace(Account("imap", "h", 993, "u", "p"), **{name: f"a{sign}b"}))


def test_failures_are_retried_less_often_but_at_least_every_half_hour() -> None:
    assert [(next_try(failures, NOW) - NOW).total_seconds() for failures in (0, 1, 2, 5, 6, 1000)] == [10, 10, 30, 810, 1800, 1800]
    assert [(at - NOW).total_seconds() if (at := message_next_try(attempts, NOW)) else None for attempts in (1, 2, 3, 4, 5)] == [60, 240, 960, 3840, None]
    assert (tell_owners(1, True), tell_owners(4, False), tell_owners(5, False)) == (True, False, True)
