"""Reading: who wrote, names and subjects in any charset, parts, attachments, text for a screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail import headers, parse, structure
from colporteur.mail.defects import AMBIGUOUS, DEFECTS


def skim(*fields: str, body: str = "x") -> parse.Skim:
    return parse.skim(("\n".join(fields) + "\n\n" + body).encode("utf-8"))


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("marc@example.org", "", "marc@example.org"),
        ("Marc <Marc@Example.ORG>", "Marc", "marc@example.org"),
        ('"Dupont, Marc" <marc@example.org>', "Dupont, Marc", "marc@example.org"),
        ("marc@example.org (Marc)", "Marc", "marc@example.org"),
        ("=?utf-8?q?=C3=89lodie?= <e@example.org>", "Élodie", "e@example.org"),
        ("=?iso-8859-1?Q?=C9lodie?= =?iso-8859-1?Q?_Durand?= <e@example.org>", "Élodie Durand", "e@example.org"),
        ('"=?utf-8?b?w4lsb2RpZQ==?=" <e@example.org>', "Élodie", "e@example.org"),
        ("Élodie <e@example.org>", "Élodie", "e@example.org"),
        ("J. R. (Bob) Dobbs <bob@example.org>", "J. R. Dobbs", "bob@example.org"),
        ('"marc@example.org" <marc@example.org>', "marc@example.org", "marc@example.org"),
        ("<@relay.example,@other.example:marc@example.org>", "", "marc@example.org"),
        ("Marc < marc@example.org >", "Marc", "marc@example.org"),
        ("o'hara+x@example.org", "", "o'hara+x@example.org"),
        ("Marc <marc@bücher.example>", "Marc", "marc@xn--bcher-kva.example"),
        ('Marc "le \\"boulanger\\"" <m@example.org>', 'Marc le "boulanger"', "m@example.org"),
    ],
)
def test_one_author_is_read(value, name, address):
    found = skim(f"From: {value}")
    assert found.sender == parse.Mailbox(name, address), found.defects
    assert found.authors == (found.sender,)


@pytest.mark.parametrize(
    ("fields", "defect"),
    [
        (["Subject: x"], "no-from"),
        (["From: a@example.org", "From: b@example.org"], "several-from"),
        (["From: a@example.org", "from : a@example.org"], "several-from"),
        (["From: a@example.org, b@example.org"], "from-several"),
        (["From: us: a@example.org;"], "from-group"),
        (["From: undisclosed:;"], "from-unreadable"),
        (["From: "], "from-unreadable"),
        (["From: nobody"], "from-unreadable"),
        (["From: Marc marc@example.org"], "from-unreadable"),
        (["From: <a@example.org> <b@example.org>"], "from-unreadable"),
        (["From: a@example.org <b@example.org>"], "from-name"),
        (['From: "boss@bank.example" <a@example.org>'], "from-name"),
        (["From: =?utf-8?q?boss=40bank.example?= <a@example.org>"], "from-name"),
        (["From: a@example.org (boss@bank.example)"], "from-name"),
        (["From: <a@example.org> trailing"], "from-unreadable"),
        (['From: "open <a@example.org>'], "from-unreadable"),
        (["From: (open <a@example.org>"], "from-unreadable"),
        (["From: Marc <a@example.org"], "from-unreadable"),
        (["From: a\x00@example.org"], "from-control"),
        (["From: a@example.org\r X: y"], "from-unreadable"),
        (['From: "quoted local"@example.org'], "from-unreadable"),
        (["From: =?utf-8?q?a?=@example.org"], "from-unreadable"),
        (["From: a@example.org)"], "from-unreadable"),
    ],
)
def test_an_author_that_could_be_read_in_two_ways_is_nobody(fields, defect):
    found = skim(*fields)
    assert found.sender is None and defect in found.defects


def test_ambiguous_defects_have_sentences():
    assert set(DEFECTS) >= AMBIGUOUS


def test_addressees_and_fields():
    found = skim(
        "To: list@example.org, Anna <anna@example.org>",
        "To: Équipe: b@example.org, c@example.org;",
        "CC: =?utf-8?q?M=C3=A9lanie?= <m@example.org>",
        "Reply-To: r@example.org",
        "Subject: =?utf-8?b?w4l0w6k=?=\n =?utf-8?q?_et_hiver?=",
        "Message-ID:\n <1@x>",
        "Date: Mon, 1 Jan 2026 00:00:00 +0000",
        "X-Two: a",
        "x-two: =?utf-8?q?=C3=A9?=",
    )
    assert [box.email for box in found.to] == ["list@example.org", "anna@example.org", "b@example.org", "c@example.org"]
    assert found.cc == (parse.Mailbox("Mélanie", "m@example.org"),)
    assert (found.reply_to[0].email, found.subject, found.message_id) == ("r@example.org", "Été et hiver", "<1@x>")
    assert found.fields["x-two"] == ("a", "é") and found.date.startswith("Mon")


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),  # a character cut in two
        (b"=?UTF-8*fr?Q?=C3=A9?=", "é"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?x-none?q?=E9?=", "é"),
        (b"=?utf-8?b?w6k?=", "é"),
        (b"\xe9t\xe9", "été"),
        ("été".encode(), "été"),
        (b"=?utf-8?q?a=00b=0D=0Ac?=", "ab c"),
        ("a\u202egnp.exe".encode(), "agnp.exe"),
        (b"=?utf-8?q?half", "=?utf-8?q?half"),
    ],
)
def test_subjects_are_decoded_as_their_writers_meant(value, subject):
    assert parse.skim(b"Subject: " + value + b"\n\n").subject == subject


def test_attachments_have_names_and_decoded_sizes():
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nHello\n'
        b"--b\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\nQUJDRA==\n"
        b"--b\nContent-Type: image/png\nContent-Disposition: attachment; filename*0*=utf-8''%C3%A9t; filename*1=e.png\nContent-Transfer-Encoding: quoted-printable\n\n=41B\n"
        b"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"../../etc/=?utf-8?q?p=C3=A9?=\"\n\nx\n"
        b"--b\nContent-Type: message/rfc822\n\nSubject: Inside / out\n\ny\n--b--\n"
    )
    found = parse.skim(raw)
    assert found.attachments == (
        parse.Attachment("a.pdf", "application/pdf", 4),
        parse.Attachment("éte.png", "image/png", 2),
        parse.Attachment("pé", "text/plain", 1),
        parse.Attachment("Inside - out.eml", "message/rfc822", len("Subject: Inside / out\r\n\r\ny")),
    )
    assert [parse.attachment(raw, index)[1] for index in range(3)] == [b"ABCD", b"AB", b"x"]
    assert parse.attachment(raw, 4) is None and parse.attachment(raw, -1) is None
    assert parse.readable(raw).text == "Hello" and parse.readable(raw).attachments == found.attachments


@pytest.mark.parametrize(
    ("fields", "defect"),
    [
        ('Content-Type: multipart/mixed; boundary="a"\nContent-Type: text/plain', "repeated-content-type"),
        ('Content-Type: multipart/mixed; boundary="a"; boundary="b"', "repeated-parameter"),
        ('Content-Type: multipart/mixed; boundary="a"; boundary*="b"', "repeated-parameter"),
        ("Content-Type: multipart/mixed", "boundary-missing"),
        ('Content-Type: multipart/mixed; boundary="a"\nContent-Transfer-Encoding: base64', "encoded-multipart"),
        ("Content-Type: nonsense", "content-type-unreadable"),
        ("Content-Transfer-Encoding: rot13", "encoding-unknown"),
        ("Content-Type: text/plain; charset=x-none", "charset-unknown"),
    ],
)
def test_structures_others_may_read_otherwise_are_marked(fields, defect):
    assert defect in parse.skim(f"From: a@b.example\n{fields}\n\n--a\n\nx\n--a--\n".encode()).defects


def test_a_border_with_a_colon_is_no_header_field():
    found = structure.scan(b'Content-Type: multipart/mixed; boundary="a:b"\n\n--a:b\n--a:b\nContent-Type: text/html\n\n<p>x\n--a:b--\n')
    assert [part.content_type for part in found.root.children] == ["text/plain", "text/html"]
    assert found.content(found.root.children[1]) == b"<p>x"


def test_html_alone_is_read_as_text_and_made_harmless():
    raw = b'Content-Type: text/html; charset=iso-8859-1\n\n<p>\xc9t\xe9<br>fin</p><script>alert(1)</script><img src="https://spy.example/x.png" alt="chat">'
    found = parse.readable(raw)
    assert found.text == "Été\nfin"
    assert "script" not in found.html and "spy" not in found.html and 'alt="chat"' in found.html


def test_readable_text_is_limited():
    raw = b"Content-Type: text/plain; charset=utf-8\n\n" + "é".encode() * 300_000
    assert len(parse.readable(raw).text) == 200_000 and len(parse.readable(raw, 10).text) == 10


KEY = b"From: a@b.example\r\nSubject: long\r\n subject\r\n\r\ntext\r\n"


@pytest.mark.parametrize(
    "other",
    [
        KEY.replace(b"\r\n", b"\n"),
        b"Received: from x\r\n\tby y\r\nReturn-Path: <a@b>\r\nDelivered-To: x\r\nARC-Seal: x\r\nX-Spam-Score: 5\r\nDKIM-Signature: x\r\n" + KEY,
        KEY.replace(b"\r\n subject", b" subject"),
        KEY + b"\r\n\r\n",
        b"From x@y Mon Jan  1 00:00:00 2026\r\n" + KEY,
    ],
)
def test_one_message_by_two_ways_has_one_key(other):
    assert headers.content_key(other) == headers.content_key(KEY)


@pytest.mark.parametrize("other", [KEY.replace(b"text", b"Text"), KEY.replace(b"long", b"short"), KEY.replace(b"text", b"te\r\nxt"), KEY.replace(b"From", b"Cc: x\r\nFrom")])
def test_another_message_has_another_key(other):
    assert headers.content_key(other) != headers.content_key(KEY)


def test_identifiers_and_traces():
    raw = b"Message-ID: <1@x>\nMessage-ID: <2@x>\nX-Colporteur-Trace: ABC23\nx-colporteur-trace: not one\n\nMessage-ID: <3@x>\n"
    assert headers.message_id(raw) == "<1@x>" and headers.trace_tokens(raw) == ("abc23",)
    assert headers.message_id(b"\nno header") == "" and headers.trace_tokens(b"") == ()


@given(name=st.text(max_size=120), address=st.sampled_from(["a@b.example", "x.y+z@example.org"]))
def test_what_our_writer_writes_our_reader_and_others_read(name, address):
    import email
    import email.policy
    from email.utils import parseaddr

    line = headers.field("From", headers.mailbox(name, address))
    assert line.isascii() and line.count(b"\r\n") == line.count(b"\n") and max(map(len, line.split(b"\r\n"))) <= 998
    found = parse.skim(line + b"\r\n")
    assert len(found.authors) == 1 and found.authors[0].email == address
    assert found.authors[0].name == headers.text.line(name)[:200].strip()
    other = email.message_from_bytes(line + b"\r\n", policy=email.policy.compat32)
    assert parseaddr(" ".join(str(other["from"]).split()))[1] == address
