"""A newsletter's copies: every value decodes as it would in a straightforward rendering, in both lanes, to the byte."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import markupsafe
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colporteur.domain.campaigns import Lane
from colporteur.mail import text as words
from colporteur.mail.campaigns import fields
from colporteur.mail.campaigns.message import File, Manner, Newsletter, compiled, compose, isolated, prepare
from colporteur.mail.signing import Signer
from tests.mail.test_signing import NOW, keys, verified

TOKEN = "abcdefgh2345abcdefgh2345"
NEWS = Newsletter("L'AMAP", "info@lists.example", "Paniers pour {{ first_name }}", "Bonjour {{ name }},\nvoir {{ url_web }}\n.\nFrom here\n", "<p>Bonjour {{ name }}</p>", "m1@lists.example", datetime(2026, 11, 21, 8, tzinfo=UTC), "fr", "owner@lists.example", "1:2:newsletter:listsexample")
MANNER = Manner(
    list_address="info@lists.example", list_title="Infos", list_id="info.lists.example", post="NO", unsubscribe_mailto="info-unsubscribe+{token}@lists.example", unsubscribe_url="https://lists.example/u/{token}",
    leave_url="https://lists.example/u/{token}", preferences_url="https://lists.example/p/{token}", web_url="https://lists.example/n/{token}", attributes=("city", "level"),
)  # fmt: skip
READER = {"email": "zoe@x.example", "name": "Zoé Le Goff", "city": "Brest", "level": 3, "lists": ["Infos", "Paniers & Cie"], fields.COPY_TOKEN: TOKEN}


def read(copy: bytes) -> EmailMessage:
    assert max(map(len, copy.split(b"\r\n"))) <= 998 and b"\n" not in copy.replace(b"\r\n", b"") and b"\r" not in copy.replace(b"\r\n", b"")
    found = email.message_from_bytes(copy, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def part(copy: bytes, kind: str) -> str:
    found = next(one for one in read(copy).walk() if one.get_content_type() == kind)
    raw = found.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


def unstuffed(wire: bytes) -> bytes:
    assert b"\r\n.\r\n" not in wire and not wire.startswith(b".")
    return wire.replace(b"\r\n..", b"\r\n.")


def test_a_copy_has_what_mail_programs_look_for() -> None:
    prepared = prepare(compose(NEWS), MANNER)
    found = read(prepared.copy_for(READER))
    assert prepared.lane is Lane.FAST and found["To"] == "Zoé Le Goff <zoe@x.example>" and found["Subject"] == "Paniers pour Zoé"
    assert found["List-Unsubscribe"] == f"<mailto:info-unsubscribe+{TOKEN}@lists.example>, <https://lists.example/u/{TOKEN}>" and found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["List-Post"] == "NO" and found["List-Id"] == "Infos <info.lists.example>" and found["Precedence"] == "list" and found["X-Colporteur-Trace"] == TOKEN
    assert found["From"] == "L'AMAP <info@lists.example>" and found["Reply-To"] == "owner@lists.example" and found["Content-Language"] == "fr" and found["Feedback-ID"] == "1:2:newsletter:listsexample"
    assert found["Message-ID"] == "<m1@lists.example>" and not found["Auto-Submitted"] and all(len(found.get_all(name) or []) == 1 for name in ("To", "Subject", "MIME-Version", "Date"))
    assert part(prepared.copy_for(READER), "text/plain").rstrip() == f"Bonjour Zoé Le Goff,\nvoir https://lists.example/n/{TOKEN}\n.\nFrom here"
    assert unstuffed(prepared.wire_for(prepared.values_for(READER), b"X: y\r\n")) == b"X: y\r\n" + prepared.copy_for(READER)


def test_pictures_stand_beside_the_html_and_files_after_both_and_the_message_shows_what_went_out() -> None:
    files = [File("é.png", "image/png", "k@newsletter", b"\x89PNG" * 50), File("plan.pdf", "application/pdf", "", b"%PDF" * 90)]
    raw = compose(replace(NEWS, html='<p>Hi {{ name }}<img src="cid:k@newsletter"></p>', files=files))
    found = read(prepare(raw, MANNER).copy_for(READER))
    assert [one.get_content_type() for one in found.walk()] == ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "application/pdf"]
    picture, plan = (one for one in found.walk() if one.get_filename())
    assert picture["Content-ID"] == "<k@newsletter>" and picture.get_filename() == "é.png" and plan.get_content() == b"%PDF" * 90 and plan.get_content_disposition() == "attachment"
    subject, html, text = compiled(raw, MANNER.attributes).render({**READER, "url_web": "https://w.example"})
    assert subject == "Paniers pour Zoé" and "Hi Zoé Le Goff" in html and text == "Bonjour Zoé Le Goff,\nvoir https://w.example\n.\nFrom here\n"


def test_text_alone_is_one_part() -> None:
    found = read(prepare(compose(replace(NEWS, html="")), MANNER).copy_for(READER))
    assert found.get_content_type() == "text/plain" and found["Content-Transfer-Encoding"] == "quoted-printable" and "Zoé Le Goff" in found.get_content()


ANYTHING = st.text(st.characters(exclude_categories=[]), max_size=200) | st.sampled_from(["<b>&\"'", "a\r\nBcc: x@y.example", ".", "From me", "é" * 90, "\u202eevil", "🥕" * 40, "x" * 10_000, "\ud800", " trailing ", "=3D", ""])
PIECES = st.lists(st.sampled_from(["{{ name }}", "{{ email }}", "{{ city|upper }}", "{{ city|default('là') }}", "{{ level }}", "{{ lists }}", "{{ url_unsubscribe }}", "{{copy_token}}"]) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}#@%\x00\r"), max_size=120), max_size=12)


def straight(source: str, values: dict[str, Any], *, html: bool) -> str:
    """What a reader should read, the long way round."""
    known = fields.held(values, {"name", "email", "city", "level", "lists", fields.COPY_TOKEN}) | {"url_unsubscribe": f"https://lists.example/u/{TOKEN}"}

    def put(found: re.Match[str]) -> str:
        name, _, how = found[1].strip().partition("|")
        value = known["email"] if name == "name" and not known["name"] else known[name]
        value = ", ".join(value) if isinstance(value, list) else str(value)
        value = value.upper() if how == "upper" else "là" if how and not value.strip() else value
        return str(markupsafe.escape(value)) if html else value

    return re.sub(r"\{\{([^}]*)\}\}", put, source)


def as_sent(rendered: str) -> str:
    return rendered.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()


@settings(max_examples=120, deadline=None)
@given(PIECES, st.fixed_dictionaries({"name": ANYTHING, "email": st.just("zoe@x.example"), "city": ANYTHING, "level": st.integers(-9, 9), "lists": st.lists(st.text(max_size=9), max_size=3)}))
def test_any_template_with_any_values_decodes_to_what_it_says_in_both_lanes_alike(pieces: list[str], values: dict[str, Any]) -> None:
    source = "".join(pieces).replace("http", "").replace("mailto", "").replace("<", "").replace("=", " ")
    reader = {**values, fields.COPY_TOKEN: TOKEN}
    raw = compose(replace(NEWS, subject="x", text=source, html=f"<p>{source}</p>"))
    fast = prepare(raw, MANNER)
    copy = fast.copy_for(reader)
    assert fast.lane is Lane.FAST and all(len(line) <= 76 for line in copy.partition(b"\r\n\r\n")[2].split(b"\r\n"))
    html = straight(f"<p>{source}</p>", reader, html=True)
    assert part(copy, "text/html").rstrip("\n") == words.clean(as_sent(html)).rstrip("\n")
    assert part(copy, "text/plain").rstrip("\n") == words.clean(as_sent(straight(source, reader, html=False))).rstrip("\n")
    assert unstuffed(fast.wire_for(fast.values_for(reader))) == copy
    nothing = "{{ '' if level else '' }}"  # says nothing, but needs the sandbox
    slow = prepare(compose(replace(NEWS, subject="x", text=source + nothing, html=f"<p>{source}</p>{nothing}")), MANNER)
    assert slow.lane is Lane.SLOW and without_borders(slow.copy_for(reader)) == without_borders(copy)


def without_borders(copy: bytes) -> bytes:
    """The copy but for the name of its borders, which is a hash of what is stored."""
    return re.sub(rb"=_[0-9a-f]{32}_0", b"", copy)


def test_logic_is_worked_out_for_each_reader_and_reads_the_same() -> None:
    source = "{% if city == 'Brest' %}Kenavo {{ first_name }}{% else %}Adieu{% endif %}: {% for one in lists %}{{ loop.index }}. {{ one }}{% if not loop.last %}; {% endif %}{% endfor %}"
    prepared = prepare(compose(replace(NEWS, subject="{{ 'Salut' if level > 2 else 'Bonjour' }}", text=source, html=f"<p>{source}</p>")), MANNER)
    copy = prepared.copy_for(READER)
    assert prepared.lane is Lane.SLOW and read(copy)["Subject"] == "Salut"
    assert part(copy, "text/plain").rstrip() == "Kenavo Zoé: 1. Infos; 2. Paniers & Cie" and "2. Paniers &amp; Cie</p>" in part(copy, "text/html")
    assert "Adieu: </p>" in part(prepared.copy_for({"email": "a@b.example", fields.COPY_TOKEN: TOKEN}), "text/html")


@pytest.mark.parametrize("name", ["a\r\nBcc: x@y.example\r\n\r\nbody", "\u202egnp.exe", "é" * 10_000, "🥕, \"q\" <x@y>", "\ud800\udc00", "\x00\x1b[0m", "=?utf-8?q?x?="])
def test_no_value_leaves_its_field(name: str) -> None:
    prepared = prepare(compose(NEWS), MANNER)
    found = read(prepared.copy_for({**READER, "name": name}))
    plain = read(prepared.copy_for(READER))
    assert [key for key, _ in found.items()] == [key for key, _ in plain.items()] and found["To"].addresses[0].addr_spec == "zoe@x.example"
    assert found["Subject"] and "\n" not in found["Subject"] and "\u202e" not in found["Subject"] + found["To"]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300))
def test_a_piece_stands_on_lines_of_its_own(piece: str) -> None:
    lines = isolated(piece)
    assert not lines or lines.endswith(b"\r\n")
    found = email.message_from_bytes(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nbefore=\r\n" + lines + b"after").get_payload(decode=True)
    assert isinstance(found, bytes) and found.replace(b"\r\n", b"\n") == f"before{piece}after".encode()
    assert all(len(line) <= 76 and not line.startswith((b".", b"From ")) for line in lines.split(b"\r\n"))


@pytest.mark.parametrize("source", ["Bonjour {{ name }},\n\n{{ city }} {{ name }}\n", "{{ city }}", "{% if city %}{{ city }}{% endif %}\n{{ lists }}", "rien"])
@pytest.mark.parametrize("city", ["Brest", "", " x  y ", "été\n\n.\n" * 40, "\t", "\n\n"])
def test_a_signed_copy_verifies_whatever_its_values_are(source: str, city: str) -> None:
    prepared = prepare(compose(replace(NEWS, text=source, html=f"<p>{source}</p>")), MANNER)
    values = prepared.values_for({**READER, "city": city})
    first = Signer(prepared, keys()).sign_parts(prepared.parts_for(values), NOW)
    assert verified(unstuffed(prepared.wire_for(values, first))) == [True, True]
