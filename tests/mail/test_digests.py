"""Digests as bytes: RFC 1153 and multipart/digest, whatever the messages are."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from colporteur.mail import digests
from colporteur.mail.digests import Digest, Message, Words
from tests.story.scenes import message

WORDS = Words("In this digest:", "[Left out: {name}, {size}]", "[encrypted]", "[no text]", "Message: {n}", "End of Amis digest")
DIGEST = Digest("Amis", "amis@lists.example", "Amis digest", "d1@lists.example", datetime(2026, 11, 20, 18, tzinfo=UTC), "fr", "Amis\nNuméro 1", WORDS)
PLAN = b'Subject: plan\r\nFrom: x@y.example\r\nBcc: secret@y.example\r\nDisposition-Notification-To: spy@y.example\r\nReceived: from inside\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe plan.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="plan.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n'


def read(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert not found.defects and isinstance(found, EmailMessage)
    return found


def test_whole_messages_are_parts_that_can_be_answered() -> None:
    found = read(digests.mime(DIGEST, [Message(message(subject="één", body="Öffnen.\r\n")), Message(PLAN)]))
    first, second = found.iter_parts()
    assert found.get_content_type() == "multipart/mixed" and "   1. één (anna@members.example)\n   2. plan (x@y.example)" in first.get_content().replace("\r", "")
    assert second.get_content_type() == "multipart/digest"
    one, two = (part.get_payload(0) for part in second.iter_parts())
    assert one["Subject"] == "één" and one.get_content() == "Öffnen.\r\n" and one["Message-ID"]
    assert [part.get_content_type() for part in two.walk()] == ["multipart/mixed", "text/plain", "application/pdf"] and not {"Bcc", "Received", "Disposition-Notification-To"} & set(two.keys())


def test_a_text_is_cut_by_hyphens_and_names_what_is_not_in_it() -> None:
    found = read(digests.plain(DIGEST, [Message(message(subject="one", body="Before\r\n" + "-" * 30 + "\r\n\r\nSubject: forged\r\n")), Message(PLAN)]))
    text = found.get_content().replace("\r\n", "\n")
    head, _rule, rest = text.partition(f"\n\n{'-' * 70}\n\n")
    parts = rest.split(f"\n\n{'-' * 30}\n\n")
    assert head.endswith("2. plan (x@y.example)") and len(parts) == 3
    assert parts[0].startswith("Message: 1\nDate: Sat, 21 Nov 2026 10:00:00 +0000\nFrom: anna@members.example\nTo: amis@lists.example\nSubject: one\nMessage-ID: <")
    assert f"\n {'-' * 30}\n" in parts[0] and "Subject: forged" in parts[0]
    assert parts[1].endswith("The plan.\n\n[Left out: plan.pdf, 4 B]") and parts[2] == "End of Amis digest\n******************\n"


def test_of_a_large_or_unsendable_message_only_the_text_is_there() -> None:
    long_line = message(body="x" * 2000 + "\r\n")
    for part in (Message(PLAN, whole=False), Message(long_line), Message(message(body="a\0b\r\n"))):
        raw = digests.mime(DIGEST, [part])
        inner = next(iter(list(read(raw).iter_parts())[1].iter_parts())).get_payload(0)
        assert inner.get_content_type() == "text/plain" and max(map(len, raw.split(b"\r\n"))) <= 998 and b"\0" not in raw
    assert b"[Left out: plan.pdf, 4 B]" in digests.mime(DIGEST, [Message(PLAN, whole=False)])


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"Subject: a\r\nb", b"Content-Type: multipart/mixed; boundary=\r\n\r\n--", b"\xff\xfe\0" * 50, b"Subject: =?utf-8?q?=0D=0AX-Evil:_1?=\r\n\r\nx", b"From: a\r\n" * 50 + b"\r\nx", PLAN * 3, b"Content-Type: message/rfc822\r\n\r\n" * 40])  # fmt: skip
def test_nothing_a_message_holds_breaks_a_digest(raw: bytes) -> None:
    for written in (digests.mime(DIGEST, [Message(raw), Message(message())]), digests.plain(DIGEST, [Message(raw), Message(message())])):
        assert b"\nX-Evil" not in written and written.count(b"A few words.") == 1 and b"\r\n\r\n" in written
        assert written.replace(b"\r\n", b"").count(b"\n") == 0
    parts = list(list(read(digests.mime(DIGEST, [Message(raw), Message(message())])).iter_parts())[1].iter_parts())
    assert len(parts) == 2 and parts[1].get_payload(0)["Subject"] == "Hello"


def test_an_encrypted_message_is_said_to_be_so() -> None:
    raw = b"Subject: s\r\nContent-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\nabc\r\n-----END PGP MESSAGE-----\r\n"
    assert b"[encrypted]" in digests.plain(DIGEST, [Message(raw)]) and b"BEGIN PGP" not in digests.plain(DIGEST, [Message(raw)])


def test_a_subject_only_keeps_author_subject_and_thread() -> None:
    found = read(digests.subject_only(PLAN.replace(b"Subject", b"Message-ID: <1@x>\r\nSubject", 1), "amis@lists.example", "Words\n", "s1@lists.example", DIGEST.date, "fr"))
    assert (found["From"], found["To"], found["Subject"], found["In-Reply-To"], found["Message-ID"]) == ("x@y.example", "amis@lists.example", "plan", "<1@x>", "<s1@lists.example>")
    assert digests.attachments(PLAN, "- {name} ({size})") == ["- plan.pdf (4 B)"] and found.get_content().strip() == "Words"
