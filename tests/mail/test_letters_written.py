"""Our own letters, and the first lines of replies to them."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail.compose import Letter, Picture, compose, first_lines

LETTER = Letter(
    sender_name="Les Paniers, é", sender="amap-owner@list.example", to_name="Anna", to="anna@example.org", subject="Un message attend", text="Bonjour,\n\nÉté.\n.\nFrom here\n",
    html="<p>Été</p>", message_id="<1@list.example>", date=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC), language="fr",
)  # fmt: skip


def read(letter: Letter) -> email.message.EmailMessage:
    raw = compose(letter)
    assert raw.endswith(b"\r\n") and b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


def words(found: email.message.EmailMessage, kind: str) -> str:
    part = found.get_body((kind,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def test_a_letter_reads_back_as_written():
    found = read(LETTER)
    assert (found["from"], found["to"], found["subject"]) == ('"Les Paniers, é" <amap-owner@list.example>', "Anna <anna@example.org>", "Un message attend")
    assert b"\r\nDate: Tue, 3 Feb 2026 04:05:06 +0000\r\nMessage-ID: <1@list.example>\r\n" in compose(LETTER)
    assert (found["auto-submitted"], found["x-auto-response-suppress"], found["content-language"]) == ("auto-generated", "All", "fr")
    assert found.get_content_type() == "multipart/alternative" and words(found, "plain") == LETTER.text and words(found, "html") == "<p>Été</p>"
    assert not found.defects


def test_text_alone_is_one_part():
    found = read(replace(LETTER, html="", text="Hello\n", auto_submitted="", reply_to="r@x.example", in_reply_to="0@x", headers=(("X-Mine", "é"),)))
    assert (found.get_content_type(), found.get_content(), found["auto-submitted"]) == ("text/plain", "Hello\r\n", None)
    assert (found["reply-to"], found["in-reply-to"], found["references"], found["x-mine"]) == ("r@x.example", "<0@x>", "<0@x>", "é")


def test_a_picture_goes_with_the_html_and_the_text_stays_as_it_is():
    found = read(replace(LETTER, picture=Picture("logo-1@list.example", b"\x89PNG\r\n" + bytes(range(256)))))
    assert [part.get_content_type() for part in found.walk()] == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    assert words(found, "plain") == LETTER.text and words(found, "html") == "<p>Été</p>"
    *_others, related, _page, picture = found.walk()
    assert related.get_param("type") == "text/html" and picture.get_content() == b"\x89PNG\r\n" + bytes(range(256))
    assert (picture["content-id"], picture.get_content_disposition(), list(found.iter_attachments())) == ("<logo-1@list.example>", "inline", [])


def test_a_letter_without_html_has_no_picture():
    assert read(replace(LETTER, html="", picture=Picture("logo-1@list.example", b"x"))).get_content_type() == "text/plain"


@pytest.mark.parametrize("original", [b"Subject: x\r\n\r\nHello\r\n", b"Subject: \xe9\n\n\xe9\n", b""])
def test_the_original_is_attached_as_it_is(original):
    found = read(replace(LETTER, original=original))
    assert [part.get_content_type() for part in found.walk()][:5] == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "message/rfc822"]
    raw = compose(replace(LETTER, original=original))
    assert original.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") in raw


@pytest.mark.parametrize("original", [b"Subject: x\n\n" + b"y" * 2000, b"a\x00b"])
def test_an_original_smtp_cannot_carry_goes_as_a_file(original):
    found = read(replace(LETTER, original=original))
    attached = list(found.iter_attachments())[-1]
    assert attached.get_content() == original and attached.get_filename() == "message.eml"


def test_field_names_are_checked():
    with pytest.raises(ValueError, match="not the name"):
        compose(replace(LETTER, headers=(("X-Evil: 1\r\nBcc", "x"),)))


@given(values=st.fixed_dictionaries({name: st.text(max_size=100) for name in ("sender_name", "sender", "to_name", "to", "subject", "message_id", "language", "reply_to", "in_reply_to")}), text=st.text(max_size=300), extra=st.text(max_size=50))
def test_no_value_begins_a_field_and_the_text_survives(values, text, extra):
    letter = replace(LETTER, **values, text=text, headers=(("X-Extra", extra),))
    raw = compose(letter)
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    known = {b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"in-reply-to", b"references", b"auto-submitted", b"x-auto-response-suppress", b"content-language", b"x-extra", b"mime-version", b"content-type"}
    assert {line.partition(b":")[0].lower() for line in head if line[:1] not in (b" ", b"\t")} <= known
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    found = email.message_from_bytes(raw)
    part = next(item for item in found.walk() if item.get_content_type() == "text/plain")
    shown = part.get_payload(decode=True).decode(part.get_content_charset())
    assert shown.replace("\r\n", "\n") == text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("distribuer\n", ["distribuer"]),
        ("\n  Reject  \ntoo long\n\n-- \nMarc\nOn Mon, 1 Jan 2026, List wrote:\n> text\n", ["Reject", "too long", "--", "Marc"]),
        ("Le lun. 1 janv. 2026 à 10:00, Liste <l@x> a écrit :\n> distribuer\n", []),
        ("rejeter\n-----Message d'origine-----\nDe : x\ndistribuer\n", ["rejeter"]),
        ("> distribuer\nrejeter\n", ["rejeter"]),
        ("distribute\nOn Mon, 1 Jan 2026 at 10:00, A rather long name of a list\n<list@x.example> wrote:\n> x\n", ["distribute"]),
        ("Am 1.1.2026 um 10:00 schrieb Liste:\n> x\n", []),
    ],
)
def test_the_first_lines_of_a_reply(body, lines):
    assert first_lines(b"Subject: Re: x\nContent-Type: text/plain; charset=utf-8\n\n" + body.encode()) == lines
    assert first_lines(b"Content-Type: text/html; charset=utf-8\n\n<div>" + body.replace(">", "&gt;").replace("<l@x&gt;", "").replace("\n", "<br>").encode() + b"</div>")[: len(lines)] == lines
