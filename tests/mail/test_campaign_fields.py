"""Fields of a newsletter: what writers may say, what they may not, and what comes of hostile templates and values."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from colporteur.domain.campaigns import Lane
from colporteur.domain.words import Invalid
from colporteur.mail.campaigns import fields, sandbox, spip
from colporteur.mail.campaigns.fields import compile
from colporteur.mail.campaigns.sandbox import Meter

READER = {"email": "zoe@x.example", "name": "Zoé Le Goff", "city": "Brest", "level": 3, "member": True, "lists": ["Infos", "Paniers"], "url_unsubscribe": "https://l.example/u/t"}
KEYS = ("city", "level", "member", "note")


def text(source: str, **values: Any) -> str:
    return compile("", "", "", source, KEYS).render({**READER, **values})[2]


def html(source: str, **values: Any) -> str:
    return compile("", "", source, "", KEYS).render({**READER, **values})[1]


def wrong(source: str) -> str:
    with pytest.raises(Invalid) as error:
        text(source, lists=["x"] * 1000)
    return str(error.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Bonjour {{ name }}", "Bonjour Zoé Le Goff"), ("{{ first_name|upper }}", "ZOÉ"), ("{{ note|default('rien') }}", "rien"), ("{{ city|lower|title }}", "Brest"),
        ("{{ lists }}", "Infos, Paniers"), ("{{ lists|join(' / ') }}", "Infos / Paniers"), ("{{ name|truncate(3) }}", "Zoé…"), ("{{ level }}", "3"), ("{{ note }}", ""),
        ("{% if level >= 3 %}a{% else %}b{% endif %}", "a"), ("{% if note > 1 %}a{% else %}b{% endif %}", "b"), ("{% if 'Infos' in lists and member %}a{% endif %}", "a"),
        ("{{ 'Madame' if city == 'Brest' else 'Monsieur' }}", "Madame"), ("{% for one in lists %}{{ loop.index }}{{ one[0] }}{% endfor %}", "1I2P"), ("{{ level * 2 + 1 }}", "7"),
        ("{% set so = name ~ '!' %}{{ so }}", "Zoé Le Goff!"), ("{% if 1 < level < 4 %}a{% endif %}", "a"), ("{% if note is empty %}a{% endif %}", "a"), ("{# nothing #}x", "x"),
        ("@nom@, @@email@@ #ENV{nom} #ENV{note,cher \"ami\"} a@b@c.example #ENV{city}", "Zoé Le Goff, zoe@x.example Zoé Le Goff cher \"ami\" a@b@c.example Brest"),
        ("{{ url_unsubscribe }} https://x.example/?q={{ city }}&n={{ name }}", "https://l.example/u/t https://x.example/?q=Brest&n=Zo%C3%A9%20Le%20Goff"),
    ],
)  # fmt: skip
def test_fields_say_what_is_known_of_the_reader(source: str, said: str) -> None:
    assert text(source) == said


def test_a_name_nobody_knows_reads_as_the_address_unless_something_else_is_said() -> None:
    unknown: dict[str, Any] = {"name": ""}
    assert text("{{ name }} {{ first_name }} {{ name|upper }}", **unknown) == "zoe@x.example zoe@x.example ZOE@X.EXAMPLE"
    assert text("{{ name|default('vous') }}{% if name %}!{% endif %}", **unknown) == "vous"
    assert text("{{ first_name }} {{ name }}", name="LE GOFF, Anne Marie") == "Anne LE GOFF, Anne Marie"


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("<p>{{ city }}</p>", "<p>&lt;b&gt;&#34;&#39;</p>"), ('<a href="https://x.example/?c={{ city }}">', '<a href="https://x.example/?c=%3Cb%3E%22%27">'),
        ('<a href="{{ city }}">', '<a href="#">'), ('<a href="{{ url_unsubscribe }}">', '<a href="https://l.example/u/t">'), ("<a href='mailto:{{ email }}'>", "<a href='mailto:zoe@x.example'>"),
        ('<p style="color:{{ city }}">', '<p style="color:b">'), ('<img alt="{{ city }}">', '<img alt="&lt;b&gt;&#34;&#39;">'), ("{% if level &gt; 2 and city != &quot;x&quot; %}a{% endif %}", "a"),
        ('<a href="https://x.example/{% if member %}{{ city }}{% endif %}">', '<a href="https://x.example/%3Cb%3E%22%27">'), ("{{ '<i>' }}{{ '<i>'|upper }}", "&lt;i&gt;&lt;I&gt;"),
    ],
)  # fmt: skip
def test_in_html_a_value_is_only_ever_text(source: str, reads: str) -> None:
    assert html(source, city="<b>\"'") == reads


def test_an_address_made_of_a_value_leads_nowhere_dangerous() -> None:
    assert [html('<a href="{{ city }}">', city=value) for value in ("javascript:alert(1)", " JaVaScRiPt:x", "data:text/html,x", 'https://ok.example/"><b>')] == ['<a href="#">'] * 3 + ['<a href="https://ok.example/%22%3E%3Cb%3E">']


def test_plain_fields_are_spliced_and_logic_is_said_to_need_more() -> None:
    fast = compile("{{ name }}", "", "<p>{{ city|default('x')|upper }}</p>", "@nom@", KEYS)
    slow = compile("{{ name if name else 'x' }}", "", "{% if city %}{% for one in lists %}{{ one }}{% endfor %}{% endif %}", "{{ level + 1 }}", KEYS)
    assert fast.lane is Lane.FAST and not fast.why and fast.fields == {"name", "city", "email"}
    assert slow.lane is Lane.SLOW and [str(one) for one in slow.why] == ["a condition ({{ … if … else … }})", "a condition ({% if %})", "a loop ({% for %})", "a calculation"]


def test_every_wrong_thing_is_said_at_once() -> None:
    with pytest.raises(Invalid) as error:
        compile("{{ nobody }}", "{{ nor }}", "<p>{{ me }}{{ neither }}</p>", "{% if %}", KEYS)
    said = [str(one) for one in error.value.sentences]
    assert len(said) == 5 and all(f"“{name}”" in " ".join(said) for name in ("nobody", "nor", "me", "neither")) and "there are: email, name" in said[0] and "city" in said[0] and "copy_token" not in said[0]


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ name.__class__ }}", "{{ name['__class__'] }}", "{{ name|attr('__class__') }}", "{{ ().__class__ }}", "{{ self.__init__ }}", "{{ self }}",
    "{{ lists.append('x') }}", "{{ lists.pop }}", "{{ config }}", "{{ request }}", "{{ cycler.__init__.__globals__ }}", "{{ lipsum() }}", "{{ range(10**10) }}", "{{ namespace() }}", "{{ joiner }}",
    "{{ '%s' % name }}", "{{ '{0.__class__}'.format(name) }}", "{{ name|format(1) }}", "{{ name|map('upper') }}", "{{ lists|map(attribute='x') }}", "{{ name|tojson }}", "{{ name|safe }}", "{{ name|xmlattr }}",
    "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% from 'os' import x %}", "{% extends 'x' %}", "{% block x %}{% endblock %}", "{% macro x() %}{% endmacro %}", "{% call x() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}", "{% set x %}{{ name }}{% endset %}", "{% autoescape false %}{% endautoescape %}", "{% with x = 1 %}{% endwith %}", "{% for a, b in lists %}{% endfor %}",
    "{% for a in lists recursive %}{{ loop(lists) }}{% endfor %}", "{% for a in lists %}{{ loop.cycle('a') }}{{ loop.__class__ }}{% endfor %}", "{% for loop in lists %}{% endfor %}", "{% set _meter = 1 %}",
    "{{ _meter }}", "{{ name|_in_style }}", "{{ {'a': 1} }}", "{{ name[:3] }}", "{{ caller() }}", "{{ varargs }}", "{{ loop }}", "{{ level.real }}", "{{ name|default(boolean=true) }}", "{{ name|upper(1) }}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_leaves_the_sandbox(source: str) -> None:
    assert wrong(source)
    with pytest.raises(Invalid):
        compile(source, "", f"<p>{source}</p>", "", KEYS).render({**READER, "lists": ["x"] * 9})


BOMBS = [
    "{{ 10**10**10 }}", "{{ 'x' * 10**9 }}", "{{ [1] * 1000000000 }}", "{{ 9999999 * 9999999 * 9999999 }}", "{{ 1 / 0 }}", "{{ 5 % 0 }}",
    "{% for a in lists %}{% for b in lists %}{% for c in lists %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in lists %}{% for b in lists %}{% set x = name|replace('e', name) %}{% endfor %}{% endfor %}",
    "{% set a = name ~ name %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 60 + "{{ a }}",
    "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a|replace('x', 'xxxxxxxxxx') %}" * 12 + "{{ a }}",
    "{% set a = ['x', 'y'] %}" + "{% set a = [a, a] %}" * 60 + "{{ a|length * 1000000000000000 }}",
    "{% for a in lists %}" + "y" * 4000 + "{% endfor %}",
    "{% if name %}" * 3000 + "{% endif %}" * 3000, "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "{{ " + "-" * 3000 + "1 }}", "{{ name" + "|upper" * 3000 + " }}", "{{ " + " + ".join(["1"] * 3000) + " }}",
    "{{ not " * 3000, "{% if 0 %}" + "{% elif 1 %}" * 3000 + "{% endif %}", "{{" * 200_000, "{%" * 200_000, "{{ name }}" * 30_000, "x" * 1_000_001, "{% for a in lists %}" * 30 + "{% endfor %}" * 30,
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_nothing_runs_away(number: int) -> None:
    assert wrong(BOMBS[number])
    with pytest.raises(Invalid) as once:
        compile("", "", "<p>{{ nope }}</p>", "{{ nope }}")
    assert len(once.value.sentences) == 1, "HTML and text say the same"


def test_the_clock_ends_what_the_steps_did_not() -> None:
    ticks = iter([0.0, sandbox.SECONDS + 1])
    meter = Meter(lambda: next(ticks))
    with pytest.raises(Invalid, match="takes too long"):
        meter.step(1)


def test_a_machine_that_stands_still_fails_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 0.02)
    meter = Meter()
    threading.Event().wait(0.1)
    meter.step(1)


def test_values_are_never_read_as_a_template() -> None:
    hostile = "{{ 7*7 }}{% for x in y %}@nom@#ENV{email}"
    assert text("{{ city }} {{ name }}", city=hostile, name="{{ email }}") == f"{hostile} {{{{ email }}}}"
    assert text("{% if city %}{{ city }}{% endif %}", city=hostile) == hostile


def test_values_are_plain_lines_without_marks_that_deceive() -> None:
    assert text("{{ name }}|", name="a\r\nb\u202ec\x00\ud800") == "a bc\ufffd|"
    assert text("{{ city }}|", city="a\r\nb\u202ec\x00\ud800\u2066") == "a\nbc\ufffd|"
    assert len(text("{{ city }}", city="é" * 50_000)) == 10_000 and len(text("{{ name }}", name="é" * 50_000)) == 300
    assert text("{{ city }}", city={"a": 1}) == "{'a': 1}" and text("{{ lists }}", lists=[["a"], None, True, 2.5]) == ", , 1, 2.5"


def test_spips_fields_are_ours_only_where_they_are_fields() -> None:
    known = {"name", "email"}
    assert spip.translated("@NOM@ @inconnu@ moi@nom@x #ENV*{nom} #ENV{inconnu}", known) == "{{ name }} @inconnu@ moi{{ name }}x {{ name }} {{ inconnu }}"
    assert spip.translated("#ENV{nom,a\"b\\}", known) == '{{ name|default("a\\"b\\\\") }}'


def test_what_is_used_of_a_reader_is_known_before_anybody_is_asked() -> None:
    assert compile("", "", '<a href="https://x/{{copy_token}}">', "{% for one in lists %}{{ one }}{% endfor %}", KEYS).fields == {"lists", fields.COPY_TOKEN}


@pytest.mark.parametrize(("source", "said"), [
    ("{{ }}", "nothing stands between"), ("{{ name", "has to end with }}"), ("{{ name }", "has to end with }}"), ("{{ name|default(“a”) }}", "straight quotation marks"), ("{{ first name }}", "“name” does not belong there"),
    ("{{ name| }}", "a name is missing"), ("{{ name and }}", "another value"), ("{{ [1, 2 }}", "“]” is missing"), ("{{ name) }}", "“)” does not belong"), ("{{ name 12 }}", "number or a text does not belong"),
    ("{% if name = 1 %}{% endif %}", "by =="), ("{% if %}{% endif %}", "something is missing"), ("{% %}", "something is missing"), ("{% if name %}", "“{% if … %}” is not ended by “{% endif %}”"), ("{% endif %}", "belongs to nothing"),
    ("{% for one in lists %}{% endif %}", "“{% endif %}” stands where “{% endfor %}” has to come first"), ("{% fi name %}", "there is no “{% fi %}”"), ("{% for one lists %}{% endfor %}", "a loop is written {% for one in lists %}"),
    ("{% set 3 = 4 %}", "“set” gives one name"), ("{# a", "has to end with #}"), ("{{ name is defined is none }}", "this cannot be read"), ("{{ name %}", "has to end with }}"),
])  # fmt: skip
def test_faults_are_told_in_the_writers_words(source: str, said: str) -> None:
    with pytest.raises(Invalid) as told:
        sandbox.parsed(f"a\n{source}", sandbox.TEXT)
    assert said in str(told.value) and str(told.value).startswith("line 2: ")
    assert all(word not in str(told.value) for word in ("token", "statement", "Jinja", "char "))
