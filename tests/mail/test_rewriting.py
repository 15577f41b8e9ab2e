"""The header of a list's copy."""

from __future__ import annotations

import email
import email.policy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail import parse
from colporteur.mail.render import Rewriting, prepare

FULL = Rewriting(
    list_address="amap@list.example", list_title="Les Paniers, é", list_id="<amap.list.example>", prefix="[amap]", owner="amap-owner@list.example", help="amap-request@list.example",
    post="amap@list.example", unsubscribe_mailto="amap-unsubscribe+{token}@list.example", unsubscribe_url="https://list.example/u/{token}", archived_at="https://list.example/a/1",
)  # fmt: skip
RAW = (
    b"Return-Path: <x@y.example>\nReceived: from a\n\tby b\nDelivered-To: amap@list.example\nDKIM-Signature: v=1; b=abc\nFrom: =?utf-8?q?=C3=89lodie?= <e@example.org>\n"
    b"To: amap@list.example\nCc: c@example.org\nBcc: secret@example.org\nSubject: Re: x\nDate: Mon, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@x>\nReferences: <0@x>\n <00@x>\n"
    b"List-Id: <other>\nList-Unsubscribe: <mailto:other@x>\nPrecedence: bulk\nErrors-To: x@y\nDisposition-Notification-To: e@example.org\nX-Colporteur-Trace: old\nX-Mine: kept\n"
    b"Approved: secret\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: 8bit\n\nH\xc3\xa9llo\n"
)


def sent(raw: bytes, rules: Rewriting) -> email.message.EmailMessage:
    found = email.message_from_bytes(prepare(raw, rules).copy_for("anna@example.org", "Anna", "tok234"), policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


def changed(**values: object) -> Rewriting:
    return Rewriting(**{**{name: getattr(FULL, name) for name in FULL.__dataclass_fields__}, **values})


def test_a_button_that_is_not_enough_is_not_promised():
    found = sent(RAW, changed(one_click=False))
    assert found["list-unsubscribe"].endswith("<https://list.example/u/tok234>") and found["list-unsubscribe-post"] is None


def test_the_list_speaks_for_itself_and_the_author_is_kept():
    found = sent(RAW, FULL)
    assert found["from"] == "Élodie <e@example.org>" and found["subject"] == "[amap] Re: x"
    assert found.get_all("list-id") == ['Les Paniers, é <amap.list.example>'] or found["list-id"].endswith("<amap.list.example>")
    assert found["list-unsubscribe"] == "<mailto:amap-unsubscribe+tok234@list.example>, <https://list.example/u/tok234>"
    assert found["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert (found["list-post"], found["list-owner"], found["list-help"]) == ("<mailto:amap@list.example>", "<mailto:amap-owner@list.example>", "<mailto:amap-request@list.example>")
    assert found["archived-at"] == "<https://list.example/a/1>" and found.get_all("precedence") == ["list"] and found.get_all("x-colporteur-trace") == ["tok234"]
    for name in ("bcc", "return-path", "delivered-to", "errors-to", "disposition-notification-to", "approved", "reply-to", "sender"):
        assert found[name] is None, name
    assert found.get_content() == "Héllo\r\n"


def test_what_is_kept_keeps_its_bytes():
    out = prepare(RAW, FULL).copy_for("a@b.example", "", "t")
    for line in (b"Received: from a\r\n\tby b", b"DKIM-Signature: v=1; b=abc", b"From: =?utf-8?q?=C3=89lodie?= <e@example.org>", b"References: <0@x>\r\n <00@x>", b"Message-ID: <1@x>", b"X-Mine: kept",
                 b"Date: Mon, 1 Jan 2026 00:00:00 +0000", b"Content-Type: text/plain; charset=utf-8; format=flowed"):  # fmt: skip
        assert line + b"\r\n" in out
    assert out.endswith(b"\r\n\r\nH\xc3\xa9llo\r\n")


def test_one_click_needs_https():
    found = sent(RAW, changed(unsubscribe_url=""))
    assert found["list-unsubscribe"] == "<mailto:amap-unsubscribe+tok234@list.example>" and found["list-unsubscribe-post"] is None
    assert sent(RAW, changed(unsubscribe_url="", unsubscribe_mailto=""))["list-unsubscribe"] is None
    assert sent(RAW, changed(unsubscribe_url="http://list.example/u/{token}"))["list-unsubscribe-post"] is None


def test_a_title_is_never_a_slot():
    found = sent(RAW, changed(list_title="{token} x", list_id="{token}a.example"))
    assert found["list-id"] == "x <a.example>"


def test_posting_closed_says_no():
    assert sent(RAW, changed(post="NO"))["list-post"] == "NO"
    assert set(sent(RAW, changed(post="", owner="", help="", trace=False, archived_at="", list_id="")).keys()) & {"List-Post", "List-Owner", "List-Help", "Archived-At", "List-Id", "X-Colporteur-Trace"} == set()


@pytest.mark.parametrize(
    ("reply_to", "own", "expected"),
    [
        ((), "", None),
        ((), "Reply-To: r@example.org\n", "r@example.org"),
        (("amap@list.example",), "Reply-To: r@example.org\n", "amap@list.example"),
        (("amap@list.example", "e@example.org"), "", "amap@list.example, e@example.org"),
    ],
)
def test_replies_go_where_the_policy_says(reply_to, own, expected):
    assert sent(own.encode() + RAW, changed(reply_to=reply_to))["reply-to"] == expected


def test_from_becomes_the_list_and_a_reply_still_reaches_the_author():
    found = sent(RAW, changed(from_list=True))
    assert found["from"] == '"Élodie via Les Paniers, é" <amap@list.example>' and found["reply-to"] == "Élodie <e@example.org>" and found["author"] == "Élodie <e@example.org>"
    found = sent(RAW, changed(from_list=True, reply_to=("amap@list.example",)))
    assert found["reply-to"] == "amap@list.example" and found["cc"] == "c@example.org, Élodie <e@example.org>"
    found = sent(RAW.replace(b"Cc: c@example.org\n", b"Sender: s@example.org\nReply-To: r@example.org\n"), changed(from_list=True))
    assert (found["reply-to"], found["sender"], found["cc"]) == ("r@example.org", None, None)
    found = sent(RAW.replace(b"Cc: c@example.org\n", b""), changed(from_list=True, reply_to=("amap@list.example", "e@example.org")))
    assert found["cc"] is None
    found = sent(RAW.replace(b"Cc: c@example.org\n", b"").replace(b"=?utf-8?q?=C3=89lodie?= ", b""), changed(from_list=True, reply_to=("amap@list.example",)))
    assert found["cc"] == "e@example.org" and found["from"] == '"e via Les Paniers, é" <amap@list.example>'


def test_replies_reach_all_of_several_authors_when_the_list_stands_in_from():
    found = sent(RAW.replace(b"=?utf-8?q?=C3=89lodie?= <e@example.org>", b"Ann <ann@strict.example>, bob@other.example"), changed(from_list=True))
    assert found["from"] == '"Les Paniers, é" <amap@list.example>' and found["reply-to"] == "Ann <ann@strict.example>, bob@other.example"
    assert found["author"] == "Ann <ann@strict.example>, bob@other.example"


def test_a_message_without_sender_or_identifier_gets_them_from_the_list():
    first, second = (prepare(b"Subject: x\n\ny\n", FULL).copy_for(who, "", "t") for who in ("a@b.example", "c@d.example"))
    found = email.message_from_bytes(first, policy=email.policy.default)
    assert found["from"] == '"Les Paniers, é" <amap@list.example>' and found["message-id"].endswith("@list.example>")
    assert first == second


def test_of_a_field_that_may_occur_once_the_first_counts():
    raw = b"From: a@b.example\nFrom: c@d.example\nSubject: one\nSubject: two\nContent-Type: text/plain\nContent-Type: text/html\nMessage-ID: <1@x>\nMessage-ID: <2@x>\n\n<p>\n"
    found = sent(raw, FULL)
    for name, value in {"from": "a@b.example", "subject": "[amap] one", "content-type": "text/plain", "message-id": "<1@x>"}.items():
        assert found.get_all(name) == [value]


def test_eight_bit_names_are_encoded_and_eight_bit_addresses_need_smtputf8():
    raw = "From: Élodie <e@example.org>\nTo: Équipe <a@b.example>, b@c.example\nSubject: été\nX-É: a\n\nx\n".encode()
    prepared = prepare(raw, changed(prefix=""))
    head = prepared.copy_for("a@b.example", "", "t").partition(b"\r\n\r\n")[0]
    assert head.isascii() and not prepared.needs_utf8
    found = email.message_from_bytes(head + b"\r\n\r\n", policy=email.policy.default)
    assert (found["from"], found["subject"], found["to"]) == ("Élodie <e@example.org>", "été", "Équipe <a@b.example>, b@c.example")
    prepared = prepare("From: é@example.org\n\nx\n".encode(), FULL)
    assert prepared.needs_utf8 and "From: é@example.org\r\n".encode() in prepared.copy_for("a@b.example", "", "t")


def test_long_and_odd_fields_are_made_fit_for_smtp():
    raw = b"From : a@b.example\nX-Long: " + b"word " * 400 + b"\nX-Longer: " + b"x" * 3000 + b"\nX-Nul: a\x00b\nReferences: " + b"<1234567890@x> " * 100 + b"\nSubject: s\n\nx\n"
    out = prepare(raw, FULL).copy_for("a@b.example", "", "t")
    head = out.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998 and b"From: a@b.example\r\n" in head and b"X-Nul: ab\r\n" in head and b"\x00" not in head
    found = email.message_from_bytes(out)
    assert " ".join(found["x-long"].split()) == ("word " * 400).strip() and found["references"].split() == ["<1234567890@x>"] * 100


def test_plain_letters_go_out_as_they_are():
    raw = b"From: a@b.example\r\nList-Id: <x>\r\n\r\n.dot\r\n"
    prepared = prepare(raw, Rewriting.from_json({}))
    assert prepared.copy_for("a@b.example", "Anna", "tok") == raw and not prepared.individual
    assert prepared.wire_for("a@b.example", "Anna", "tok") == raw.replace(b".dot", b"..dot")


def test_rewriting_survives_json():
    rules = changed(reply_to=("a@b.example", "c@d.example"), from_list=True)
    assert Rewriting.from_json(json.loads(json.dumps(rules.to_json()))) == rules
    assert Rewriting(plain=True).to_json() == {} and Rewriting.from_json("{}").plain
    assert Rewriting.from_json({"list_address": "a@b.example", "of a later version": 1}).list_address == "a@b.example"


@given(values=st.fixed_dictionaries({name: st.text(max_size=60) for name in ("list_title", "list_address", "list_id", "prefix", "owner", "help", "post", "archived_at", "footer", "language")}), name=st.text(max_size=150), token=st.text(max_size=40))
def test_no_value_begins_a_field(values, name, token):
    plain = {line.partition(b":")[0].lower() for line in prepare(RAW, FULL).copy_for("a@b.example", "", "t").partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1].strip()}
    prepared = prepare(RAW, Rewriting(**values, from_list=True, unsubscribe_mailto="u+{token}@x.example", unsubscribe_url="https://x.example/{token}"))
    out = prepared.copy_for("a@b.example\r\nX-Evil: 1", name + "\r\nX-Evil: 1\r\n\r\n.\r\n", token + "\r\nX-Evil: 1")
    head = out.partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = {line.partition(b":")[0].lower() for line in head if line[:1].strip()}
    assert names <= plain | {b"author", b"reply-to", b"list-help", b"list-post", b"list-owner"}
    assert max(map(len, head)) <= 998
    assert parse.skim(out).fields["x-mine"] == ("kept",)
