"""The letters before a subject."""

from __future__ import annotations

import email
import email.header
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail import headers, text
from colporteur.mail.subjects import prefixed


def shown(line: bytes) -> str:
    """The subject another program reads."""
    return str(email.header.make_header(email.header.decode_header(re.sub(r"\r\n(?=[ \t])", "", line.decode("ascii")[len("Subject:") :]).strip())))


@pytest.mark.parametrize(
    "reply",
    "Re:|RE:|re :|Re[2]:|Re(3):|Re^4:|AW:|Antw.:|Antw:|SV:|VS:|Vá:|Rép:|Rép :|RÉF:|Réf. :|TR:|Tr :|Fwd:|FW:|WG:|WTR:|RV:|RES:|ENC:|I:|R:|YNT:|ODP:|Doorst:|回复：|转发:|Отв:|ΑΠ:|"
    "[EXTERNAL]|Re: AW: TR : Fwd:|Rép\xa0:|".split("|"),
)
def test_a_reply_in_any_language_gets_no_second_prefix(reply):
    subject = f"{reply} [amap] Paniers"
    line = prefixed(subject.encode(), "[amap]")
    assert shown(line).count("[amap]") == 1
    assert text.line(shown(line)) == text.line(subject)


@pytest.mark.parametrize(
    ("subject", "result"),
    [
        ("Paniers", "[amap] Paniers"),
        ("Re: Paniers", "[amap] Re: Paniers"),
        ("", "[amap]"),
        ("Re: TR: AW: [AMAP]  Re: Paniers", "Re: TR: AW: [AMAP]  Re: Paniers"),
        ("[amap] Re: [amap] AW: [amap] Paniers", "[amap] Re: AW: Paniers"),
        ("Que veut dire [amap] ?", "[amap] Que veut dire [amap] ?"),
        ("[autre] [amap] x", "[autre] [amap] x"),
        ("Re: [autre] x", "[amap] Re: [autre] x"),
        ("=?utf-8?q?R=C3=A9p_=3A_=5Bamap=5D_=C3=A9t=C3=A9?=", "Rép : [amap] été"),
        ("=?utf-8?q?=C3=A9?= =?utf-8?q?t=C3=A9?=", "[amap] été"),
        ("plain =?utf-8?q?=C3=A9?= end", "[amap] plain é end"),
    ],
)
def test_where_the_prefix_goes(subject, result):
    assert text.line(shown(prefixed(subject.encode(), "[amap]"))) == text.line(result)


@pytest.mark.parametrize("subject", ["=?utf-8?q?=C3=A9?= x", "=?x-none?b?4pyT?= rest", "x =?koi8-r?B?8NLJ18XU?="])
def test_encoded_words_keep_their_bytes(subject):
    assert prefixed(subject.encode(), "[amap]") == f"Subject: [amap] {subject}\r\n".encode()
    assert subject.encode() in prefixed(subject.encode(), "[é]")


def test_a_prefix_that_is_not_ascii():
    assert shown(prefixed(b"=?utf-8?q?=C3=A9?=", "[été]")) == "[été] é"
    assert shown(prefixed(b"Re: x", "[été]")) == "[été] Re: x"
    assert shown(prefixed(prefixed(b"Re: x", "[été]")[9:].strip(), "[été]")) == "[été] Re: x"


def test_raw_eight_bit_subjects_are_encoded():
    assert shown(prefixed("été".encode("latin-1"), "[amap]")) == "[amap] été"


SUBJECTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(["Re:", "AW: ", "[amap]", " ", "x", "[", "]", "=?utf-8?q?=5Bamap=5D?=", "é", "a" * 100]), max_size=12).map("".join))


@given(subject=SUBJECTS, prefix=st.sampled_from(["[amap]", "[été]", "Les Paniers :", "amap", "[=?x?=]", "(a+b)*"]))
def test_twice_is_once(subject, prefix):
    line = prefixed(subject.encode("utf-8", "replace"), prefix)
    assert line.isascii() and line.endswith(b"\r\n") and max(map(len, line.split(b"\r\n"))) < 998
    assert not re.search(rb"\r\n(?![ \t]|\Z)", line)
    again = prefixed(headers.unfolded(line, headers.block(line)[0][0]), prefix)
    assert text.header(again[8:]) == text.header(line[8:])
    assert text.line(prefix).casefold().replace(" ", "") in text.header(line[8:]).casefold().replace(" ", "")
