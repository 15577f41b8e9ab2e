"""The footer: in every kind of part, right for any value, and nothing else touched."""

from __future__ import annotations

import base64
import email
import email.message
import email.policy
import hashlib
import html
import quopri
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colporteur.mail import headers, text
from colporteur.mail.render import Prepared, PrepareError, Rewriting, prepare

FOOTER = "-- \n{list} <{address}>\n.{name}\n{email} é https://amap.example/x?a=1&b=2\nPartir : {unsubscribe}"
RULES = Rewriting(
    list_address="amap@list.example", list_title="Les Paniers & <du> Saule", list_id="amap.list.example", language="fr", footer=FOOTER,
    unsubscribe_mailto="amap-unsubscribe+{token}@list.example", unsubscribe_url="https://list.example/u/{token}",
)  # fmt: skip
TOKEN = "abcdefgh" * 3
ANNA = ("anna@example.org", "Anna")


def called_by(name: str) -> str:
    """What a copy calls somebody: printable names as they are, others cleaned, the address when nothing is left."""
    fine = name if name.isprintable() and len(name) <= 100 else text.line(name)[:100].strip()
    return fine if fine.strip() else "anna@example.org"


LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00", exclude_categories=("Cs",)), max_size=120)
NAMES = st.text(max_size=130)
WAYS = st.sampled_from(["7bit", "8bit", "binary", "quoted-printable", "base64"])


def plain(name: str = "Anna", address: str = "anna@example.org") -> str:
    return f"-- \nLes Paniers & <du> Saule <amap@list.example>\n.{name}\n{address} é https://amap.example/x?a=1&b=2\nPartir : https://list.example/u/{TOKEN}"


def part(kind: str, content: bytes, charset: str, way: str, extra: str = "") -> bytes:
    """A part (or a whole message without other fields) holding ``content``."""
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(way, bytes)(content)
    label = f"; charset={charset}" if charset else ""
    return f"Content-Type: {kind}{label}{extra}\nContent-Transfer-Encoding: {way}\n\n".encode() + body


def many(kind: str, *parts: bytes) -> bytes:
    return f'Content-Type: {kind}; boundary="b:1"\n\npreamble\n'.encode() + b"".join(b"--b:1\n" + item + b"\n" for item in parts) + b"--b:1--\n"


def message(content: bytes) -> bytes:
    return b"From: Marc <marc@example.org>\nTo: amap@list.example\nSubject: x\nMessage-ID: <1@x>\nMIME-Version: 1.0\n" + content


def copy(raw: bytes, name: str = "Anna", address: str = "anna@example.org", rules: Rewriting = RULES) -> email.message.EmailMessage:
    prepared = prepare(raw, rules)
    sent = prepared.copy_for(address, name, TOKEN)
    check_wire(prepared, sent, address, name)
    return parsed(sent)


def parsed(sent: bytes) -> email.message.EmailMessage:
    found = email.message_from_bytes(sent, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


def check_wire(prepared: Prepared, sent: bytes, address: str, name: str) -> None:
    wire = prepared.wire_for(address, name, TOKEN)
    lines = wire.split(b"\r\n")
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == sent
    assert b"." not in lines, "a line with a dot alone would end the message"
    assert wire.endswith(b"\r\n") and b"\r" not in wire.replace(b"\r\n", b"") and b"\n" not in wire.replace(b"\r\n", b"")


def content(found: email.message.EmailMessage) -> str:
    """Decoded text of one part, line ends as \\n."""
    return found.get_payload(decode=True).decode(found.get_content_charset() or "ascii").replace("\r\n", "\n")


def texts(found: email.message.EmailMessage, kind: str) -> list[str]:
    return [content(item) for item in found.walk() if item.get_content_type() == kind]


@pytest.mark.parametrize("way", ["7bit", "8bit", "quoted-printable", "base64"])
def test_text_in_utf8_gets_it_at_the_end(way):
    found = copy(message(part("text/plain", "Été\n.\nfin\n".encode(), "utf-8", way)))
    assert found.get_content_type() == "text/plain"
    assert content(found).rstrip("\n") == "Été\n.\nfin\n\n" + plain()


def test_ascii_text_becomes_utf8_without_a_changed_byte():
    found = copy(message(b"\nHello\n"))
    assert (content(found), found.get_content_charset(), found["content-transfer-encoding"]) == ("Hello\n\n" + plain() + "\n", "utf-8", "8bit")


def test_latin_text_that_cannot_hold_any_name_gets_it_as_a_part_of_its_own():
    body = "Été\n".encode("latin-1")
    found = copy(message(part("text/plain", body, "iso-8859-1", "8bit")), name="Łukasz 😀")
    first, second = found.iter_parts()
    assert (found.get_content_type(), first.get_payload(decode=True).replace(b"\r\n", b"\n"), first.get_content_charset()) == ("multipart/mixed", body, "iso-8859-1")
    assert content(second) == plain("Łukasz 😀")


def test_latin_text_holds_a_footer_it_can_hold():
    rules = Rewriting(list_address="a@b.example", footer="Le café de {list}")
    found = copy(message(part("text/plain", "Été".encode("latin-1"), "iso-8859-1", "quoted-printable")), rules=rules)
    assert (found.get_content_type(), content(found)) == ("text/plain", "Été\n\nLe café de a@b.example\n")


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "iso-2022-jp", "x-unknown", "idna"])
def test_charsets_that_are_no_extension_of_ascii_are_left_alone(charset):
    codec = "utf-16" if charset == "utf-16" else "ascii"
    raw = part("text/plain", "Hello".encode(codec), charset, "base64")
    found = copy(message(raw))
    first, second = found.iter_parts()
    assert first.get_payload(decode=True) == "Hello".encode(codec) and content(second) == plain()


@pytest.mark.parametrize("way", ["7bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("end", ["</body></html>\n", "</BODY >", "</html>", ""])
def test_html_gets_it_before_the_end_of_the_body(way, end):
    start = "<html><body><p>Hello =3D\n" + "word " * 30 + "</p>"
    found = copy(message(part("text/html", (start + end).encode(), "us-ascii", way)), name='<b>"É&')
    shown = content(found)
    before, _, rest = shown.partition('<div style="margin-top')
    after = rest.rpartition("</div>")[2]
    assert before.rstrip("\n") == start and after.strip() == end.strip()
    words = html.unescape(re.sub("<[^>]*>", "", rest.rpartition("</div>")[0]))
    assert '<b>"É&' in words and "<b>" not in rest and TOKEN in words and "Saule <amap@list.example>" in words
    assert f'<a href="https://list.example/u/{TOKEN}">' in rest.replace("\n", " ") and 'href="https://amap.example/x?a=1&amp;b=2"' in rest


def test_both_parts_of_an_alternative_get_it():
    raw = message(many("multipart/alternative", part("text/plain", b"Hello", "us-ascii", "7bit"), part("text/html", b"<p>Hello</p>", "utf-8", "base64")))
    found = copy(raw)
    (words,), (rich,) = texts(found, "text/plain"), texts(found, "text/html")
    assert words == "Hello\n\n" + plain()
    assert rich.startswith("<p>Hello</p>") and "Anna" in rich


def test_related_html_inside_an_alternative_gets_it():
    related = many("multipart/related", part("text/html", b"<body>x</body>", "utf-8", "7bit"), part("image/png", b"\x89PNG", "", "base64")).replace(b"b:1", b"b:2")
    found = copy(message(many("multipart/alternative", part("text/plain", b"Hello", "utf-8", "7bit"), related)))
    assert plain() in texts(found, "text/plain")[0] and "Anna" in texts(found, "text/html")[0]
    assert [item.get_content_type() for item in found.walk()] == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]


def test_only_the_first_text_of_a_mixed_message_gets_it():
    attached = part("text/plain", b"log", "us-ascii", "7bit").replace(b"Content-Type", b'Content-Disposition: attachment; filename="a.txt"\nContent-Type', 1)
    found = copy(message(many("multipart/mixed", attached, part("text/plain", b"Hello\n", "us-ascii", "7bit"), part("text/plain", b"More", "us-ascii", "7bit"))))
    assert texts(found, "text/plain") == ["log", "Hello\n\n" + plain() + "\n", "More"]


def test_a_message_without_text_gets_it_as_a_part_of_its_own():
    found = copy(message(part("application/pdf", b"%PDF\x00\xff", "", "base64", '; name="é.pdf"')))
    first, second = found.iter_parts()
    assert first.get_payload(decode=True) == b"%PDF\x00\xff" and first.get_content_type() == "application/pdf"
    assert content(second) == plain() and second["content-language"] == "fr"


SIGNED = many("multipart/signed; protocol=x; micalg=pgp-sha256", part("text/plain", b"Hello  \n-- \nMarc\n", "us-ascii", "7bit"), part("application/pgp-signature", b"xxxx", "", "7bit"))


@pytest.mark.parametrize(
    "body",
    [
        SIGNED,
        many("multipart/encrypted; protocol=x", part("application/pgp-encrypted", b"Version: 1", "", "7bit"), part("application/octet-stream", b"xxx", "", "7bit")),
        part("application/pkcs7-mime", b"\x30\x80", "", "base64", "; smime-type=signed-data"),
        part("text/plain", b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\n\nxx\n-----END PGP SIGNATURE-----\n", "utf-8", "7bit"),
        part("text/plain", b"see\n-----BEGIN PGP MESSAGE-----\n\nxx\n-----END PGP MESSAGE-----\n", "utf-8", "base64"),
        many("multipart/mixed", SIGNED.replace(b"b:1", b"b:2"), part("text/plain", b"other list's footer", "us-ascii", "7bit")),
        b"Content-Type: multipart/mixed\n\nno border named\n",
    ],
)
def test_signed_encrypted_and_unreadable_structures_stay_byte_for_byte(body):
    raw = message(body)
    sent = prepare(raw, RULES).copy_for(*ANNA, TOKEN)
    assert sent.partition(b"\r\n\r\n")[2] == raw.partition(b"\n\n")[2].replace(b"\n", b"\r\n")
    assert b"List-Id" in sent and b"Partir" not in sent


def test_only_what_a_charset_really_holds_is_written_in_it():
    rules = Rewriting(list_address="a@b.example", footer="10 €")
    for charset, codec in (("iso-8859-1", "latin-1"), ("us-ascii", "latin-1"), ("gb2312", "gb2312")):
        body = ("é" if codec == "latin-1" else "你").encode(codec)
        found = copy(message(part("text/plain", body, charset, "8bit")), rules=rules)
        assert [item.get_payload(decode=True) for item in found.iter_parts()] == [body, "10 €".encode()]
    found = copy(message(part("text/plain", "é".encode("iso-8859-15"), "iso-8859-15", "8bit")), rules=rules)
    assert content(found) == "é\n\n10 €\n"


@settings(max_examples=150, deadline=None)
@given(body=st.one_of(st.binary(max_size=80), st.lists(st.sampled_from([b"=", b"=\n", b"=41", b"QUJD", b"A", b"\n", b" ", b"\t", b".", b"</body>", b"\xe9", b"==", b"=\r\n"]), max_size=12).map(b"".join)), way=WAYS, kind=st.sampled_from(["text/plain", "text/html"]))
def test_damaged_encodings_keep_what_others_read(body, way, kind):
    raw = message(f"Content-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: {way}\n\n".encode() + body)
    sent = prepare(raw, RULES).copy_for(*ANNA, TOKEN)
    before, found = parsed(headers.canonical(raw)), parsed(sent)
    holder = next(iter(found.iter_parts())) if found.is_multipart() else found
    old, new = (item.get_payload(decode=True).replace(b"\r\n", b"\n") for item in (before, holder))
    assert b"Partir" in b"".join(item.get_payload(decode=True) for item in found.walk() if not item.is_multipart())
    start, _, rest = new.partition(b'<div style="margin-top')
    left = start + rest.rpartition(b"</div>")[2] if kind == "text/html" else new[: len(old)]
    assert b"".join(left.split()) == b"".join(old.split())


def test_a_line_asking_for_a_way_to_leave_is_left_out_where_there_is_none():
    found = copy(message(b"\nHello\n"), rules=Rewriting(list_address="a@b.example", footer="{list}\nPartir : {unsubscribe}\nFin"))
    assert content(found) == "Hello\n\na@b.example\nFin\n"


def test_values_and_titles_are_never_read_as_template():
    rules = Rewriting(list_address="a@b.example", list_title="{email}{token}", footer="{list} {name} {unknown} {token}")
    assert content(copy(message(b"\nHello\n"), name="{email} %s {0}", rules=rules)) == "Hello\n\n{email}{token} {email} %s {0} {unknown} {token}\n"


def test_an_empty_name_is_the_address():
    assert plain("anna@example.org") in content(copy(message(b"\nHello\n"), name=""))


def test_flowed_text_is_space_stuffed():
    raw = message(part("text/plain", b"Hello \nworld\n", "utf-8", "7bit", "; format=flowed"))
    found = copy(raw, rules=Rewriting(list_address="a@b.example", footer="> list\nFrom here\n  on"))
    assert content(found) == "Hello \nworld\n\n > list\n From here\n   on\n"
    assert found.get_param("format") == "flowed"


def test_seven_bit_containers_around_it_say_eight_bit():
    inner = many("multipart/alternative", part("text/plain", b"Hello", "us-ascii", "7bit")).replace(b"b:1", b"b:2").replace(b"\n\n", b"\nContent-Transfer-Encoding: 7bit\n\n", 1)
    found = copy(message(many("multipart/mixed", inner)))
    assert [item["content-transfer-encoding"] for item in found.walk()] == ["8bit", "8bit", "8bit"]


def test_a_long_paragraph_makes_no_long_lines():
    rules = Rewriting(list_address="a@b.example", footer="mot é " * 600 + "{name}")
    for body in (b"\nHello\n", part("text/html", b"<p>x</p>", "utf-8", "7bit")):
        sent = prepare(message(body), rules).copy_for("a@b.example", "É" * 100, TOKEN)
        assert max(map(len, sent.split(b"\r\n"))) <= 998
        words = "".join(content(item) for item in parsed(sent).walk() if not item.is_multipart())
        assert html.unescape(re.sub("<[^>]*>", "", words)).count("mot") == 600


def test_slots_that_get_lost_stop_the_preparation(monkeypatch):
    from colporteur.mail import footer_bytes

    monkeypatch.setattr(footer_bytes, "bare", lambda items, *_: [item.text.encode() for item in items])
    with pytest.raises(PrepareError, match="were planned"):
        prepare(message(b"\nHello\n"), RULES)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=LINES, name=NAMES, way=WAYS, crlf=st.booleans(), template=st.text(max_size=80), ending=st.sampled_from(["", "{name}", ".", "\n.", " ", "{email}{name}", "="]))
def test_any_text_any_name_any_footer_decodes_right(body, name, way, crlf, template, ending):
    footer = "x" + template.replace("{", "(") + ending.replace("{name}", "\n{name}") + "\n.{name}.{email}= "
    raw = message(part("text/plain", body.encode(), "utf-8", way))
    raw = raw.replace(b"\n", b"\r\n") if crlf else raw
    prepared = prepare(raw, Rewriting(list_address="a@b.example", footer=footer))
    sent = prepared.copy_for("anna@example.org", name, TOKEN)
    check_wire(prepared, sent, "anna@example.org", name)
    assert sent.startswith(b"From: Marc <marc@example.org>\r\nTo: amap@list.example\r\nSubject: x\r\n")
    found = parsed(sent)
    original = body.encode().replace(b"\n", b"\r\n")
    holder = next(iter(found.iter_parts())) if found.is_multipart() else found
    shown = holder.get_payload(decode=True)
    canonical = shown.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert canonical.startswith(original), "the original text is not intact"
    called = called_by(name)
    end = (list(found.iter_parts())[-1] if found.is_multipart() else found).get_payload(decode=True).decode()
    assert end.rstrip("\r\n").endswith(f".{called}.anna@example.org="), end[-200:]


@settings(max_examples=150, deadline=None)
@given(words=LINES, name=NAMES, way=WAYS, tail=st.sampled_from(["</body></html>", "", "</body>" + "t" * 100]))
def test_any_html_any_name_keeps_the_document(words, name, way, tail):
    source = f"<html><body><p>{html.escape(words)}</p>{tail}"
    prepared = prepare(message(part("text/html", source.encode(), "utf-8", way)), RULES)
    sent = prepared.copy_for("anna@example.org", name, TOKEN)
    check_wire(prepared, sent, "anna@example.org", name)
    shown = content(parsed(sent))
    before, _, rest = shown.partition('<div style="margin-top')
    inside, _, after = rest.rpartition("</div>")
    assert (before.rstrip("\n") + after.strip("\n ")).replace("\n", "") == source.replace("\n", "").rstrip(" ") or (before + after).split() == source.split()
    called = called_by(name)
    assert called in html.unescape(re.sub("<[^>]*>", "", inside))


def leaf(content: str, way: str, kind: str, charset: str) -> bytes:
    return part(kind, content.encode(charset, "replace"), charset, way)


LEAVES = st.builds(leaf, LINES, WAYS, st.sampled_from(["text/plain", "text/html", "image/png", "text/calendar"]), st.sampled_from(["utf-8", "us-ascii", "iso-8859-1", "utf-16"]))
CONTAINERS = st.sampled_from(["multipart/mixed", "multipart/alternative", "multipart/related", "multipart/signed", "multipart/x-odd"])


def tree(kind: str, children: list[bytes]) -> bytes:
    word = hashlib.sha256(b"".join(children)).hexdigest()[:20]
    return many(kind, *children).replace(b"b:1", b"b:" + word.encode())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.recursive(LEAVES, lambda inner: st.builds(tree, CONTAINERS, st.lists(inner, min_size=1, max_size=3)), max_leaves=8), name=NAMES)
def test_any_tree_of_parts_keeps_its_shape_and_contents(body, name):
    raw = message(body)
    prepared = prepare(raw, RULES)
    sent = prepared.copy_for("anna@example.org", name, TOKEN)
    check_wire(prepared, sent, "anna@example.org", name)
    before, after = parsed(headers.canonical(raw)), parsed(sent)
    old, new = list(before.walk()), list(after.walk())
    if len(new) != len(old):
        assert (new[0].get_content_type(), len(new)) == ("multipart/mixed", len(old) + 2)
        new = new[1:-1]
    for mine, theirs in zip(old, new, strict=True):
        assert mine.get_content_type() == theirs.get_content_type()
        if mine.is_multipart():
            assert mine.preamble == theirs.preamble
            continue
        first, second = (item.get_payload(decode=True).replace(b"\r\n", b"\n") for item in (mine, theirs))
        start, _, rest = second.partition(b'<div style="margin-top')
        assert second.startswith(first) or b"".join((start + rest.rpartition(b"</div>")[2]).split()) == b"".join(first.split())
