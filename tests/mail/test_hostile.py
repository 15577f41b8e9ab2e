"""Messages made to hurt: no exception, and bounded work, whatever the bytes are."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colporteur.mail import headers, parse, reports, structure
from colporteur.mail.compose import first_lines
from colporteur.mail.defects import DEFECTS
from colporteur.mail.render import Rewriting, prepare

RULES = Rewriting(
    list_address="amap@list.example", list_title="Amap", list_id="amap.list.example", prefix="[amap]", from_list=True, footer="{list} é {name} {email}\n{unsubscribe}",
    unsubscribe_mailto="amap-unsubscribe+{token}@list.example", reply_to=("amap@list.example",),
)  # fmt: skip

ENDLESS = 60
"""Seconds of CPU: what grows with the square of a message takes far longer on any machine."""


def everything(raw: bytes) -> parse.Skim:
    """Every reader and writer of this floor on one message."""
    found = parse.skim(raw)
    shown = parse.readable(raw)
    for words in (found.subject, found.message_id, shown.text, shown.html, *(value for values in found.fields.values() for value in values)):
        words.encode()  # no lone surrogates
        assert "\x00" not in words
    for index in range(min(3, len(found.attachments))):
        assert parse.attachment(raw, index) is not None
    assert parse.attachment(raw, len(found.attachments)) is None
    assert set(found.defects) <= DEFECTS.keys()
    reports.automatic(found, "")
    assert len(reports.summary(raw)) <= 500
    assert len(headers.content_key(raw)) == 32
    assert headers.message_id(raw) == found.message_id
    headers.trace_tokens(raw)
    first_lines(raw)
    for rules in (RULES, Rewriting(plain=True)):
        prepared = prepare(raw, rules)
        sent, wire = (make("anna@example.org", ".Anna\r\n.\r\nX: y", "abc") for make in (prepared.copy_for, prepared.wire_for))
        lines = wire.split(b"\r\n")
        assert b"." not in lines and b"\n" not in wire.replace(b"\r\n", b"") and b"\r" not in wire.replace(b"\r\n", b"")
        assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == sent
    return found


def nested(levels: int) -> bytes:
    out = [b"From: a@b.example\n"]
    for level in range(levels):
        out.append(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level))
    return b"".join(out) + b"\ntext\n" + b"".join(b"--b%d--\n" % level for level in reversed(range(levels)))


BOMBS = {
    "nothing": b"",
    "no header": b"\nonly text\n",
    "no header and no text": b"\n",
    "300 nested": nested(300),
    "5000 nested": nested(5000),
    "endless borders": b'From: a@b.example\nContent-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n" * 400_000,
    "endless parts with headers": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\nContent-Type: text/plain\n\nx\n" * 100_000,
    "endless false borders": b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--a\n" * 500_000,
    "same border inside": b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n' * 3000,
    "10,000 addresses": b"From: a@b.example\nTo: " + b", ".join(b'"Name %d" <n%d@example.org>' % (i, i) for i in range(10_000)) + b"\n\nx\n",
    "10,000 addresses in fields": b"".join(b"Cc: n%d@example.org\n" % i for i in range(10_000)) + b"\nx\n",
    "open brackets": b"From: " + b"(" * 200_000 + b"\nSubject: x\n\nx\n",
    "open groups": b"From: " + b"a:" * 100_000 + b"\n\nx\n",
    "open quotes": b"From: " + b'"' * 100_001 + b"\n\nx\n",
    "backslashes": b'From: "' + b"\\" * 100_001 + b"\n\nx\n",
    "angles": b"From: " + b"<" * 100_000 + b"\n\nx\n",
    "comments": b"From: " + b"()" * 100_000 + b"\n\nx\n",
    "at signs": b'From: "' + b"a@" * 100_000 + b'" <a@b.example>\n\nx\n',
    "4,000 parameters": b"Content-Type: text/plain; " + b"; ".join(b"p%d*%d*=%%41" % (i, i) for i in range(4000)) + b"\n\nx\n",
    "one parameter in 4,000 pieces": b"Content-Type: application/x; " + b"; ".join(b"name*%d=a" % i for i in range(4000)) + b"\n\nx\n",
    "semicolons": b"Content-Type: text/plain" + b";" * 200_000 + b"\n\nx\n",
    "encoded words": b"Subject: " + b"=?utf-8?q?=41?= " * 20_000 + b"\n\nx\n",
    "half encoded words": b"Subject: " + b"=?utf-8?q?" * 20_000 + b"\n\nx\n",
    "encoded idna": b"Subject: =?idna?q?" + b"a" * 60_000 + b"?=\n\nx\n",
    "one long field": b"Subject: " + b"x" * 1_000_000 + b"\n\nx\n",
    "many folds": b"Subject: a" + b"\n b" * 300_000 + b"\n\nx\n",
    "many fields": b"X: y\n" * 300_000 + b"\nx\n",
    "white space field": b"Subject:" + b" " * 500_000 + b"\n\nx\n",
    "names without colon": b"a" * 500_000 + b"\n\nx\n",
    "bare CR": b"From: a@b.example\rSubject: x\r\rtext\r.\rmore\r" * 3,
    "many bare CR": b"Subject: x\n\n" + b"\r" * 1_000_000 + b"\n",
    "mixed line ends": b"From: a@b.example\r\nSubject: x\n\r\ntext\n.\r\n\r.\n\r\n.\r",
    "smuggling": b"From: a@b.example\n\ntext\n.\nMAIL FROM:<x@y>\r.\r\n.\r\nx",
    "NUL": b"From: a\x00@b.example\nSubject: a\x00b\n\nte\x00xt\x00\n",
    "8-bit header": b"From: \xe9t\xe9 <a@b.example>\nSubject: \xff\xfe \xc3\xa9\nX-\xe9: a\nTo: \xc3\xa9@b.example\nContent-Type: text/plain; name=\"\xe9\"\n\nx\n",
    "unknown charset": b"Subject: =?x-none?b?4pyT?=\nContent-Type: text/plain; charset=x-none\n\n\xe2\x9c\x93\n",
    "charset with NUL": b"Content-Type: text/html; charset=\"a\x00b\"\n\n<p>\xff\n",
    "unicode charset": "Content-Type: text/plain; charset=é\n\né\n".encode(),
    "broken base64": b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n====A=B=C\x00\xff" + b"=A" * 50_000,
    "one base64 letter": b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nA\n",
    "broken quoted-printable": b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=\n=Z\n=4" + b"=\n" * 100_000 + b"=",
    "deep HTML": b"Content-Type: text/html\n\n" + b"<div>" * 100_000,
    "deep bold": b"Content-Type: text/html\n\n" + b"<b><p>" * 40_000,
    "open tags": b"Content-Type: text/html\n\n" + b"<" * 200_000,
    "long attribute": b'Content-Type: text/html\n\n<a href="' + b"x" * 200_000,
    "many attributes": b"Content-Type: text/html\n\n<a " + b"style='color:red' x=y " * 9000 + b">",
    "ends of body": b"Content-Type: text/html\n\n" + b"</body>" * 100_000,
    "ends of body quoted": b"Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n" + b"<=\n/=\nb=\n" * 50_000,
    "reply marks": b"Subject: " + b"Re: " * 20_000 + b"\n\nx\n",
    "tags": b"Subject: " + b"[" * 30_000 + b"\n\nx\n",
    "Wrote": b"Subject: x\n\n" + b"On " * 100_000 + b"\n",
    "delivery report": b"Content-Type: message/delivery-status\n\n" + b"Status: 5\n\n" * 50_000,
    "colon border": b'Content-Type: multipart/mixed; boundary="a:b"\n\n--a:b\n--a:b\nX: y\n--a:b--\n',
    "multipart of nothing": b"Content-Type: multipart/mixed; boundary=b\n\n--b--\n",
    "border of spaces": b'Content-Type: multipart/mixed; boundary="  "\n\n--\n\n--  \n\n----\n',
    "encoded container": b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_nothing(name):
    began = time.process_time()
    everything(BOMBS[name])
    assert time.process_time() - began < ENDLESS


def test_bombs_take_little_memory():
    """The large ones one after the other in a process of its own, measured by the system."""
    source = "import re, sys; sys.path.insert(0, sys.argv[1]); import test_hostile as t\n[t.everything(raw) for name, raw in t.BOMBS.items() if name.startswith(('endless', 'many', '10,000 addresses', '5000', 'deep'))]\nprint(re.search('VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"  # ru_maxrss would begin with what pytest had
    done = subprocess.run([sys.executable, "-c", source, str(Path(__file__).parent)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 256 * 1024 * 1024


def test_depth_and_parts_have_limits():
    found = structure.scan(nested(300))
    assert max(part.depth for part in found.root.walk()) == structure.MAX_DEPTH and "too-deep" in found.defects
    found = structure.scan(BOMBS["endless parts with headers"])
    assert len(list(found.root.walk())) == structure.MAX_PARTS and "too-many-parts" in found.defects


def test_headers_have_limits():
    assert "headers-too-long" in parse.skim(BOMBS["many fields"]).defects
    found = parse.skim(BOMBS["10,000 addresses"])
    assert len(found.to) == 2000 and found.to[1999].email == "n1999@example.org" and "too-many-addresses" in found.defects
    assert len(prepare(BOMBS["many fields"], RULES).copy_for("a@b.example", "", "x")) < 300_000


def test_a_message_of_25_megabytes_is_no_burden():
    raw = b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\n"
    raw += (b"QUJD" * 19 + b"\n") * 330_000 + b"--b--\n"
    began = time.process_time()
    found = parse.skim(raw)
    assert prepare(raw, RULES).wire_for("a@b.example", "", "x").count(b"QUJD") == 330_000 * 19
    assert time.process_time() - began < ENDLESS
    assert found.attachments[0].size == 330_000 * 57


@pytest.mark.parametrize("unit", [b"\r", b"\n", b"\r\r\n", b"QQ==\r\n"])
def test_fifty_megabytes_of_the_worst_kind_take_neither_minutes_nor_memory(unit):
    """What intake and judging read of it, before and after the 250; memory beside the message and its canonical form."""
    source = (
        "import re, sys, time; from colporteur.mail import headers, parse\n"
        "raw = b'Subject: x\\r\\nContent-Type: text/plain\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n' + bytes.fromhex(sys.argv[1]) * (50_000_000 // (len(sys.argv[1]) // 2))\n"
        "began = time.process_time(); headers.content_key(raw); parse.skim(raw); parse.readable(raw)\n"
        "print(time.process_time() - began, re.search('VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    seconds, kilobytes = subprocess.run([sys.executable, "-c", source, unit.hex()], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout.split()
    assert float(seconds) < ENDLESS and int(kilobytes) * 1024 < 50_000_000 + 256 * 1024 * 1024


HEADERISH = st.lists(
    st.sampled_from(
        [b"From: ", b"To: ", b"Subject: ", b"Content-Type: ", b"Content-Transfer-Encoding: ", b"multipart/mixed", b"text/html", b"; boundary=", b"b", b'"', b"\r\n", b"\n", b"\r", b"\r\n\r\n",
         b"--b", b"--b--", b" ", b"=?utf-8?b?", b"?=", b"base64", b"quoted-printable", b"<", b">", b"@", b",", b":", b";", b"(", b")", b"\\", b"a", b".", b"=", b"\x00", b"\xe9", b"charset=", b"utf-16",
         b"name*0*=", b"-----BEGIN PGP MESSAGE-----", b"</body>", b"multipart/signed", b"message/delivery-status"]
    ),
    max_size=60,
).map(b"".join)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(raw=st.one_of(st.binary(max_size=300), HEADERISH))
def test_any_bytes_at_all(raw):
    everything(raw)


@settings(max_examples=200, deadline=None)
@given(raw=HEADERISH)
def test_the_parts_lie_inside_each_other_in_order(raw):
    found = structure.scan(raw)
    for part in found.root.walk():
        assert part.start <= part.body <= part.end <= len(found.data)
        position = part.body
        for child in part.children:
            assert position <= child.start and child.end <= part.end
            position = child.end


@given(raw=st.binary(max_size=200))
def test_the_canonical_form_is_stable_and_has_no_bare_line_ends(raw):
    data = headers.canonical(raw)
    assert headers.canonical(data) == data
    assert not {b"\r", b"\n"} & set(data.replace(b"\r\n", b"").split())
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")
