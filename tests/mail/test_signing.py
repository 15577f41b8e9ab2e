"""DKIM signatures of copies, verified by somebody else's code."""

from __future__ import annotations

import base64
import time
from functools import cache
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colporteur.mail.headers import canonical
from colporteur.mail.render import Rewriting, prepare
from colporteur.mail.signing import LIFE, Key, Signer, Unsignable
from colporteur.mail.splice import Prepared, Slot

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOOTER = "-- \n{list}, {name} <{email}>\nSe désabonner : {unsubscribe}"
LIST = Rewriting(
    list_address="amap@list.example", list_title="Les Paniers du Saule", list_id="amap.list.example", prefix="[amap]", post="amap@list.example", footer=FOOTER,
    unsubscribe_mailto="amap-unsubscribe+{token}@list.example", unsubscribe_url="https://list.example/u/{token}",
)  # fmt: skip
TOKEN = "abcdefgh" * 3
NOW = int(time.time())  # dkimpy looks at the clock


@cache
def keys() -> tuple[Key, Key]:
    return Key("list.example", "r", generate_private_key(65537, 2048)), Key("list.example", "e", Ed25519PrivateKey.generate())


@cache
def records() -> dict[bytes, bytes]:
    rsa, edwards = (key.private.public_key() for key in keys())
    return {
        b"r._domainkey.list.example.": b"v=DKIM1; k=rsa; p=" + base64.b64encode(rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        b"e._domainkey.list.example.": b"v=DKIM1; k=ed25519; p=" + base64.b64encode(edwards.public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }


def verified(message: bytes) -> list[bool]:
    """What dkimpy says of the two topmost signatures."""
    return [_verified(message, number) for number in (0, 1)]


def _verified(message: bytes, number: int) -> bool:
    try:
        return dkim.DKIM(message).verify(number, dnsfunc=lambda name, timeout=5: records().get(name))
    except dkim.ValidationError:  # the body's hash
        return False


def signed(prepared: Prepared, name: str = "Anna Martin", email: str = "anna@example.org") -> bytes:
    return Signer(prepared, keys()).sign(email, name, TOKEN, NOW) + prepared.copy_for(email, name, TOKEN)


def messages() -> list[Path]:
    return sorted(path for folder in ("messages", "mboxes", "bounces/msg") for path in (DATA / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("path", messages(), ids=lambda path: str(path.relative_to(DATA)))
def test_every_real_message_verifies_as_a_copy_and_passed_on(path: Path) -> None:
    raw = path.read_bytes()
    assert verified(signed(prepare(raw, LIST), 'Zoë  "la  Verte" \\')) == [True, True]
    try:
        passed_on = signed(prepare(raw, Rewriting(plain=True)))
    except Unsignable:
        return  # untouched bytes may hold a header nobody could sign
    assert verified(passed_on) == [True, True]


WAYS = ("7bit", "quoted-printable", "base64", "html", "both")


def post(way: str, body: bytes, header: bytes = b"") -> bytes:
    """A post whose footer will stand in the text as it is, quoted, in base64, in HTML, or in both parts of an alternative."""
    head = b"From: Marc <marc@example.org>\r\nTo: amap@list.example\r\nSubject:  Les\r\n\t paniers  \r\nMessage-ID: <1@x>\r\nDate: Mon, 1 Jan 2026 00:00:00 +0000\r\n" + header + b"MIME-Version: 1.0\r\n"
    if way == "both":
        text = post("quoted-printable", body).partition(b"MIME-Version: 1.0\r\n")[2]
        html = post("html", body).partition(b"MIME-Version: 1.0\r\n")[2]
        return head + b'Content-Type: multipart/alternative; boundary="=_b"\r\n\r\n--=_b\r\n' + text + b"\r\n--=_b\r\n" + html + b"\r\n--=_b--\r\n"
    kind = b"html" if way == "html" else b"plain"
    coding = b"8bit" if way in ("html", "7bit") else way.encode()
    body = base64.encodebytes(body).replace(b"\n", b"\r\n") if way == "base64" else body
    return head + b"Content-Type: text/" + kind + b"; charset=utf-8\r\nContent-Transfer-Encoding: " + coding + b"\r\n\r\n" + body


NAMES = st.text(st.sampled_from(list("aé .\t=<\"&  \\-")), max_size=40) | st.text(max_size=120)
BODIES = st.lists(st.sampled_from([b"\r\n", b" ", b"\t", b"  ", b"a", b". ", b"=\r\n", b"x" * 1100, b"-- \r\n", "é".encode(), b"..", b"\r\n\r\n", b"=20"]), max_size=30).map(b"".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(WAYS), BODIES, NAMES, st.sampled_from([FOOTER, "{name}", "{name} \n\n", " {name}  {email}\t", "{unsubscribe}{name}", "", "  \n"]))
def test_every_copy_verifies(way: str, body: bytes, name: str, footer: str) -> None:
    rules = Rewriting(**{**{field: getattr(LIST, field) for field in Rewriting.__dataclass_fields__}, "footer": footer})
    prepared = prepare(post(way, body), rules)
    assert verified(signed(prepared, name)) == [True, True]


PIECES = st.lists(st.sampled_from([b"\r\n", b" ", b"\t ", b"a", b"\r\n \r\n", b" a b  c \r\n"]), max_size=6).map(b"".join)
VALUES = st.lists(st.sampled_from([b" ", b"a", b" \r\n ", b"\t", b"  b"]), min_size=1, max_size=4).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(VALUES, PIECES), max_size=5), PIECES)
def test_values_anywhere_in_a_body_are_hashed_as_they_stand(slots: list[tuple[bytes, bytes]], beginning: bytes) -> None:
    pieces: list[bytes | Slot] = [b"From: a@list.example\r\n\r\n", beginning]
    for value, literal in slots:
        pieces += [Slot(lambda email, name, token, value=value: value), literal]
    assert verified(signed(Prepared(pieces, needs_utf8=False))) == [True, True]


@pytest.mark.parametrize(("raw", "wanted"), [
    (b"From: a@list.example\r\nSubject: header only\r\n", True),
    (b"From: a@list.example\r\n\r\n", True),
    (b"From: a@list.example\r\n\r\n\r\n \r\n\t\r\n", True),
    (b"From: a@list.example\r\nSubject:\r\n  folded\r\n \t\r\n  twice\r\n\r\nx", True),
    (b"From: a@list.example\r\nX:y\r\nFROM:b@list.example\r\nsubject:one\r\nSubject: two\r\n\r\nx\r\n", True),
    ("From: Éric <a@list.example>\r\nSubject: déjà\r\n\r\n\u00a0 x \t \r\n".encode(), True),
    (b"Subject: nobody's\r\n\r\nx\r\n", False),
    (b"\r\nFrom: a@list.example\r\n\r\nx\r\n", False),
    (b"From a Mon\r\nFrom: a@list.example\r\n\r\nx\r\n", False),
    (b"From: a@list.example\r\nno field\r\n\r\nx\r\n", False),
    (b"From : a@list.example\r\n\r\nx\r\n", False),
])  # fmt: skip
def test_untouched_bytes_are_signed_where_their_header_is_one(raw: bytes, wanted: bool) -> None:
    prepared = prepare(raw, Rewriting(plain=True))
    if wanted:
        assert verified(signed(prepared)) == [True, True]
    else:
        with pytest.raises(Unsignable):
            signed(prepared)


def copy() -> bytes:
    return signed(prepare(post("7bit", b"Bonjour\r\n"), LIST))


@pytest.mark.parametrize(("before", "after"), [
    (b"Bonjour", b"Bonsoir"), (b"Anna", b"Anne"), (b"/u/abc", b"/u/abd"), (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""), (b"] Les", b"] Mes"),
    (b"From: Marc", b"From: x@evil.example\r\nFrom: Marc"), (b"From: Marc", b"Reply-To: x@evil.example\r\nFrom: Marc"), (b"From: Marc", b"Cc: x@evil.example\r\nFrom: Marc"),
    (b"From: Marc", b"Content-Type: text/html\r\nFrom: Marc"),
])  # fmt: skip
def test_nothing_that_matters_can_be_changed_or_added(before: bytes, after: bytes) -> None:
    whole = copy()
    signatures = whole.rindex(b"\r\n b=")
    changed = whole[:signatures] + whole[signatures:].replace(before, after, 1)
    assert verified(whole) == [True, True] and changed != whole
    assert verified(changed) == [False, False]


def test_what_stands_on_the_way_may_be_added_and_folded_anew() -> None:
    whole = copy().replace(b"List-Id: ", b"List-Id:\r\n\t", 1)
    assert verified(b"Received: by relay.example; Mon, 1 Jan 2026 00:00:00 +0000\r\n" + whole) == [True, True]


def test_one_click_fields_and_times_are_under_the_signature() -> None:
    text = copy().partition(b"\r\nFrom:")[0].decode()
    names = text.replace("\r\n ", "").partition("h=")[2].partition(";")[0].split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(names) and names.count("from") == 2 and names.count("reply-to") == 1
    assert f"t={NOW}; x={NOW + LIFE};" in text and all(len(line) <= 78 for line in text.split("\r\n"))


def test_another_key_does_not_verify() -> None:
    foreign = Key("list.example", "r", generate_private_key(65537, 2048)), Key("list.example", "e", Ed25519PrivateKey.generate())
    prepared = prepare(post("7bit", b"Bonjour\r\n"), LIST)
    message = Signer(prepared, foreign).sign("a@x.example", "Anna", TOKEN, NOW) + prepared.copy_for("a@x.example", "Anna", TOKEN)
    assert verified(message) == [False, False]


def test_the_wire_begins_with_the_signature_and_stays_stuffed() -> None:
    prepared = prepare(post("7bit", b".Bonjour\r\n..\r\n"), LIST)
    first = Signer(prepared, keys()).sign("a@x.example", ".name", TOKEN, NOW)
    wire = prepared.wire_for("a@x.example", ".name", TOKEN, first)
    unstuffed = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in wire.split(b"\r\n"))
    assert wire.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;") and b"\r\n..Bonjour\r\n" in wire
    assert unstuffed == first + prepared.copy_for("a@x.example", ".name", TOKEN) and verified(unstuffed) == [True, True]


def test_a_message_that_is_the_same_for_all_is_signed_once_an_hour() -> None:
    prepared = prepare(canonical(b"From: a@list.example\n\nx\n"), Rewriting(plain=True))
    signer = Signer(prepared, keys())
    first, soon, later = (signer.sign("a@x.example", "A", TOKEN, NOW + seconds) for seconds in (0, 3599, 3600))
    assert first == soon != later and f"t={NOW + 3600};".encode() in later
