"""Every letter in every language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colporteur import notices
from colporteur.domain import look
from colporteur.notices import LANGUAGES, NOTICES, Head, Texts, WordingError, check, render, shipped

EVERY = [(name, language) for name in NOTICES for language in LANGUAGES]
HOSTILE = "{{ 7*7 }} <script>alert(1)</script> {% for x in y %} & \"' $&"


def filled(name: str, value: str = "Anna & Co") -> dict[str, str]:
    return dict.fromkeys(NOTICES[name], value)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_letter_renders_and_uses_every_kind_of_value(name: str, language: str) -> None:
    texts = render(name, language, filled(name))
    assert texts.subject
    assert "\n" not in texts.subject
    assert "Anna & Co" in texts.text
    assert "Anna &amp; Co" in texts.html
    assert "Anna & Co" not in texts.html
    assert f'<html lang="{language}">' in texts.html
    for part in texts:
        assert "{{" not in part
        assert "{%" not in part


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_letter_renders_with_empty_values(name: str, language: str) -> None:
    assert render(name, language, filled(name, "")).html


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_values_are_never_read_as_a_template_and_never_as_html(name: str, language: str) -> None:
    texts = render(name, language, filled(name, HOSTILE))
    assert "{{ 7*7 }}" in texts.text
    assert "49" not in texts.text
    assert "<script>" not in texts.html


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_shipped_letters_obey_the_rules_for_own_texts(name: str, language: str) -> None:
    check(name, shipped(name, language))


def test_every_folder_is_a_letter_and_every_letter_has_a_folder() -> None:
    folders = {path.name for path in Path(notices.__file__).parent.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == set(NOTICES)


@pytest.mark.parametrize("name", NOTICES)
def test_both_languages_say_the_same_things(name: str) -> None:
    english, french = (set(re.findall(r"{{ (\w+)", " ".join(shipped(name, language)))) for language in LANGUAGES)
    assert english == french


def test_html_loads_nothing_from_outside() -> None:
    for name, language in EVERY:
        html = render(name, language, filled(name)).html
        assert "src=" not in html
        assert "url(" not in html


def test_an_own_text_replaces_the_shipped_one() -> None:
    own = Texts("Bonjour {{ subject }}", "{% if list %}Pour {{ list }}{% endif %}", "")
    texts = render("sent", "fr", {"list": "l@x", "title": "T", "subject": "S"}, own)
    assert texts[:2] == ("Bonjour S", "Pour l@x\n") and "Pour l@x</p>" in texts.html


def test_an_own_text_becomes_html_in_which_nothing_is_markup() -> None:
    own = Texts("S", "A <b>\n{{ title }}\n\nSee https://lists.example/x?a=1&b=2.", "")
    html = render("sent", "en", {"list": "l@x", "title": "<script>&", "subject": "S"}, own).html
    assert "A &lt;b&gt;<br>&lt;script&gt;&amp;</p>" in html
    assert 'See <a href="https://lists.example/x?a=1&amp;b=2">https://lists.example/x?a=1&amp;b=2</a>.</p>' in html


def test_a_letter_that_signs_in_keeps_its_link() -> None:
    with pytest.raises(WordingError, match="of no use without"):
        check("signin", Texts("S", "Good for {{ minutes }} minutes", ""))
    check("signin", Texts("S", "{{ link }}", ""))


@pytest.mark.parametrize(
    "source",
    [
        "{{ list.__class__ }}",
        "{% for x in range(10) %}{% for y in range(10) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ list|upper }}",
        "{{ list() }}",
        "{{ password }}",
        "{% include 'frame' %}",
        "{% set x = 1 %}",
        "{{ list",
        "{{ '%s'|format(list) }}",
        "{{ list[0] }}",
        "{% macro m() %}{% endmacro %}",
    ],
)
def test_what_an_own_text_may_not_do_falls_back_to_the_shipped_letter(source: str) -> None:
    own = Texts("S", source, "")
    with pytest.raises(WordingError):
        check("sent", own)
    fields = {"list": "l@x", "title": "T", "subject": "S"}
    assert render("sent", "en", fields, own) == render("sent", "en", fields)


def test_fields_must_be_exactly_the_letters_own() -> None:
    with pytest.raises(ValueError, match="subject"):
        render("sent", "en", {"list": "l@x", "title": "T"})
    with pytest.raises(ValueError, match="secret"):
        render("sent", "en", {"list": "l@x", "title": "T", "subject": "S", "secret": "x"})


def test_the_organisations_look_stands_over_the_html_and_nowhere_else() -> None:
    fields = {"list": "l@x", "title": "Amis", "subject": "S"}
    plain, dressed = render("sent", "en", fields), render("sent", "en", fields, head=Head("L'Oranger <b>", "aa3300", "logo-1@x", 90, 28))
    assert dressed[:2] == plain[:2]
    assert '<img src="cid:logo-1@x" width="90" height="28" alt=""' in dressed.html and "L&#39;Oranger &lt;b&gt;</div>" in dressed.html
    assert look.light("aa3300").cover in dressed.html and look.dark("aa3300").cover in dressed.html
    assert "<img" not in plain.html and "cid:" not in plain.html


def test_a_list_called_as_its_organisation_says_so_once() -> None:
    fields = {"list": "l@x", "title": "Amis", "subject": "S"}
    assert render("sent", "en", fields, head=Head("Amis")).html.count("Amis</div>") == 1
