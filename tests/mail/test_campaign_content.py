"""What somebody wrote becomes two parts: harmless, framed, inlined, with fields where they stood."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from colporteur.domain.campaigns import Editor
from colporteur.domain.words import Invalid
from colporteur.mail.campaigns import styles
from colporteur.mail.campaigns.content import Draft, Made, made
from colporteur.mail.campaigns.fields import Written
from colporteur.mail.campaigns.fields import compile as compiled
from colporteur.mail.campaigns.frames import FRAMES, Look

LOOK = Look("Amis du fleuve", "fr", "a03020", "https://us.example/look/1/aa.png", (180, 56), "Association Les Amis\n1 rue du Port, Nantes")
OWN = "https://us.example/f/"


def of(source: str, editor: Editor = Editor.HTML, template: str = "", **more: str) -> Made:
    return made(Draft(editor, source, template, more.get("subject", "Sujet"), more.get("preheader", ""), more.get("text")), LOOK, own=OWN, sizes={f"{OWN}abc": (1200, 600)})


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<a href='javascript:alert(1)'>x</a>", "<a href=' jAvAsCrIpT:alert(1)'>x</a>", "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>", "<iframe src='https://evil.example'></iframe>", "<form action='https://evil.example'><input name=a></form>", "<object data='https://evil.example'></object>",
    "<style>@import 'https://evil.example'</style>", "<style>@import url(https://evil.example);</style>", "<style>p{background:url(https://evil.example)}</style><p>x", "<style>@font-face{font-family:x;src:url(https://evil.example)}</style>",
    "<style>@media screen{p{background:url(https://evil.example)}}</style><p>x", "<style></style><script>alert(1)</script></style>", "<style>p{color:red}</style <script>alert(1)</script>", "<link rel=stylesheet href='https://evil.example'>",
    "<base href='https://evil.example'>", "<meta http-equiv=refresh content='0;url=https://evil.example'>", "<div style='background:url(https://evil.example)'>x</div>", "<div style='color:red;background-image:u\\72l(https://evil.example)'>x</div>",
    "<td background='https://evil.example'>x", "<img src='http://evil.example/pixel.png'>", "<img src='//evil.example/a'>", "<img srcset='https://evil.example/a 1x'>", "<img src='data:image/svg+xml;base64,PHN2Zz4='>", "<video poster='https://evil.example'></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<a href='//evil.example/x'>x</a>", "<div style='position:fixed;top:0;left:0;width:100%'>x</div>", "<style>p{position:fixed}</style><p>x",
    "<!--[if mso]><script>alert(1)</script><![endif]-->", "<!--[if mso]><table onmouseover=\"alert(1)\"><![endif]-->", "<!--[if mso]><td style=\"background:url(https://evil.example)\"><![endif]-->", "<!--><script>alert(1)</script>-->", "<!--[if gte mso 9]><xml>alert(1)</xml><![endif]-->",
    "<p title='{#'>#}<a title=' onmouseover=alert(1) '>x</a>", f"<p title='{{#{'x' * 600}'>#}}<a title=' onmouseover=alert(1) '>x</a>", "<p title='{%'>%}<img alt=' onerror=alert(1) src=x '>", "<a href='{{ site }}'>x</a>", "<a href='{{ url_web|default(\"javascript:alert(1)\") }}'>x</a>",
    "<a href='{% if a %}javascript:alert(1){% endif %}'>x</a>", "<style>p{color:{{ evil.example }}}</style>", "<p style='color:{{ a }}'>x</p>", "<base target=alert(1)>", "<plaintext><script>alert(1)</script>", "<template><script>alert(1)</script></template>", "<textarea><script>alert(1)</script></textarea>",
]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize("template", ["", "bulletin"])
def test_nothing_runs_loads_or_covers(source: str, template: str) -> None:
    html = of(source, template=template).html
    html = Environment(autoescape=True).from_string(html).render(a="x", site="javascript:alert(1)")  # as a browser gets it
    tags = re.sub(r"<!--.*?-->", lambda remark: remark[0] if "[if" in remark[0] else "", html)
    inside = "".join(re.findall(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|<style>.*?</style>", tags, re.DOTALL))
    quoted = re.sub(r"\s(?:title|alt)=\"[^\"]*\"", "", inside)
    assert not re.search(r"(?i)javascript:|\son\w+\s*=|<script|<svg|<form|<input|<iframe|<object|<link|<base|<video|position|@import|@font-face|url\(|evil\.example|http-equiv|srcset", quoted), quoted


def test_what_mail_needs_stays() -> None:
    html = of(
        '<style>.a{color:red} a:hover{color:blue} @media (max-width:600px){ .a{width:100%!important} }</style><body style="margin:0;background-color:#eee"><!--[if mso]><table width="600"><tr><td><![endif]-->'
        '<table width="600" bgcolor="#ffffff" cellpadding="0" role="presentation"><tr><td class="a" align="center" valign="top" style="padding:4px;mso-line-height-rule:exactly"><img src="https://x.example/a.png" width="50" alt="A">'
        f'<img src="{OWN}abc" alt="B"><img src="cid:k@newsletter" alt="C"><a href="https://x.example/?a=1&amp;b={{{{ email }}}}">L</a><a href="mailto:a@x.example">M</a></td></tr></table><!--[if mso]></td></tr></table><![endif]--></body>'
    ).html
    for kept in ('<!--[if mso]><table width="600"><tr><td><![endif]-->', 'bgcolor="#ffffff"', "color: red", "@media (max-width:600px){ .a{width:100%!important}}", 'src="https://x.example/a.png"', f'src="{OWN}abc"', 'src="cid:k@newsletter"',
                 'href="https://x.example/?a=1&amp;b={{ email }}"', 'href="mailto:a@x.example"', "mso-line-height-rule", "background-color:#eee"):  # fmt: skip
        assert kept in html, kept


FIELDS = ["{{ name }}", "{{ name|default(\"vous\") }}", "{{ first_name | upper }}", "{% if lang == \"fr\" %}{{ name }}{% else %}x{% endif %}", "{% for l in lists %}{{ l }}{% endfor %}", "@email@", "@@email@@", "#ENV{name}", "{{ 'a' if 1 < 2 else \"b\" }}"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("editor", "around"), [
    (Editor.MARKDOWN, "Bonjour {}, **{}** et\n\n- {}\n\n# {}\n"), (Editor.MARKDOWN, "[x](https://a.example/?q={})"), (Editor.HTML, "<p title='x'>a {} b</p>"), (Editor.HTML, '<a href="https://a.example/{}">x</a>'),
    (Editor.HTML, "<table><tr><td>{}</td></tr></table>"), (Editor.TEXT, "Bonjour {}\n\nFin {}"), (Editor.MJML, '<mjml><mj-body><mj-section><mj-column><mj-text>{} <b>{}</b></mj-text><mj-button href="https://a.example/?{}">x</mj-button></mj-column></mj-section></mj-body></mjml>'),
], ids=["markdown", "markdown-link", "html", "html-link", "html-table", "text", "mjml"])  # fmt: skip
def test_fields_survive_untouched(field: str, editor: Editor, around: str) -> None:
    found = of(around.replace("{}", field), editor, "letter")
    times = around.count("{}")
    assert not found.problems and found.html.count(field) == times and field in found.text
    compiled("s", "", found.html, found.text)


def test_conditions_around_rows_and_sections_stay_where_they_stand() -> None:
    html = of("<table>{% for l in lists %}<tr><td>{{ l }}</td></tr>{% endfor %}</table>").html
    assert "<table><tbody>{% for l in lists %}<tr><td>{{ l }}</td></tr>{% endfor %}</tbody></table>" in html
    mjml = of("<mjml><mj-body>{% if name %}<mj-section><mj-column><mj-text>A</mj-text></mj-column></mj-section>{% endif %}</mj-body></mjml>", Editor.MJML).html
    assert mjml.index("{% if name %}") < mjml.index(">A<") < mjml.index("{% endif %}")
    markdown = of("{% if name %}\n## Titre\n{% endif %}\nfin", Editor.MARKDOWN).html
    assert "<p>{%" not in markdown and "<h2>Titre</h2>" in markdown
    link = '<a href="{% if lang == "fr" %}https://a.example{% else %}{{ url_web }}{% endif %}">x</a>'
    assert link in of(link).html


@pytest.mark.parametrize(("source", "editor", "words"), [
    ("<p style='color:{{ c }}'>x</p>", Editor.HTML, "inside a style"), ("<p {% if a %}class='a'{% endif %}>x</p>", Editor.HTML, "cannot hold them"), ("<!-- {{ a }} -->", Editor.HTML, "cannot hold them"), ("<img src='http://a.example/b.png'>", Editor.HTML, "picture was left out"),
    ("<a href='{{ site }}'>x</a>", Editor.HTML, "link was left out"), ("<div>" * 400, Editor.HTML, "nests deeper"), ("x" * 600_000, Editor.MARKDOWN, "too large"), ("<mjml><mj-body>\n<mj-section>\n<mj-text></mj-section>", Editor.MJML, "line 3: <mj-text> is not ended"),
    ("<mjml>\n<mj-foo/></mjml>", Editor.MJML, "line 2: MJML has no element mj-foo"), ('<mjml><mj-body>\n\n<mj-include path="/etc/passwd"/></mj-body></mjml>', Editor.MJML, "line 3: mj-include"), ("hello", Editor.MJML, "cannot be read"),
    ("<mjml><mj-body>" + "<mj-wrapper>" * 400, Editor.MJML, "nests deeper"),
])  # fmt: skip
def test_what_cannot_be_made_is_said(source: str, editor: Editor, words: str) -> None:
    assert any(words in problem.sentence for problem in of(source, editor).problems)


def test_mjml_asks_nobody_for_fonts_and_keeps_what_outlook_needs() -> None:
    found = of("<mjml><mj-head><mj-preview>Avant</mj-preview></mj-head><mj-body><mj-section><mj-column><mj-text>Bonjour</mj-text></mj-column></mj-section></mj-body></mjml>", Editor.MJML)
    assert "googleapis" not in found.html and "<!--[if mso | IE]><table" in found.html and "mj-column-per-100" in found.html and "Avant" not in found.text and found.text == "Bonjour\n"


def test_markdown_shows_tags_and_knows_tables_buttons_and_the_size_of_pictures() -> None:
    html = of(f"![Le fleuve]({OWN}abc)\n\n<b>x</b> https://a.example/b?c=1&d=2 `https://c.example`\n\n**[Venir](https://a.example/v)**\n\n| a | b |\n|---|---|\n| 1 | 2 |", Editor.MARKDOWN, "announcement").html
    assert "&lt;b&gt;x&lt;/b&gt;" in html and 'href="https://a.example/b?c=1&amp;d=2"' in html and ">https://c.example</code>" in html and 'width="528"' in html
    assert html.index('class="cp-hero"') < html.index("abc") < html.index("cp-centred") and re.search(r'class="cp-button"[^>]*>\s*<tbody><tr><td[^>]*><a href="https://a.example/v"', html) and 'class="cp-table"' in html


@pytest.mark.parametrize("template", FRAMES)
@pytest.mark.parametrize("language", ["fr", "en", "de"])
def test_every_frame_says_who_sends_and_how_to_leave(template: str, language: str) -> None:
    draft = Draft(Editor.MARKDOWN, "Bonjour", template, "Sujet & {{ name }}", "Avant & {{ name }}")
    found = made(draft, Look("Amis du fleuve", language, identity=LOOK.identity), own=OWN)
    assert not found.problems and f'<html lang="{language}"' in found.html and "<title>Sujet &amp; {{ name }}</title>" in found.html and "Avant &amp; {{ name }}" in found.html
    for part in (found.html, found.text):
        for field in ("{{ url_unsubscribe }}", "{{ url_preferences }}", "{{ url_web }}", "{{ email }}", "1 rue du Port"):
            assert (field in part) is bool(template)
    if template:
        assert ("Se désabonner" in found.html) is (language == "fr") and "prefers-color-scheme:dark" in found.html and len(found.html) < 12_000
    compiled("s", "", found.html, found.text)


def test_html_with_colours_of_its_own_is_not_turned_dark() -> None:
    assert "prefers-color-scheme" not in of("<p style='color:#000'>x</p>", template="letter").html
    assert "prefers-color-scheme" in of("<p>x</p>", template="letter").html


def test_the_text_part_is_made_to_be_read() -> None:
    text = of(
        "<h1>Mars</h1><p>Un <b>deux</b> <a href='https://a.example/x'>ici</a> <a href='https://b.example/'>https://b.example</a>.</p><ul><li>a</li><li>b<ol start=3><li>c</li></ol></li></ul><blockquote><p>dit</p></blockquote>"
        "<div style='display:none'>caché</div><img src='https://a.example/i.png' alt='Une image'><table><tr><td>1</td><td>2</td></tr></table><pre>x\n  y</pre>"
    ).text
    assert text == "Mars\n====\n\nUn deux ici <https://a.example/x> https://b.example.\n\n- a\n- b\n  3. c\n\n> dit\n\n[Une image]\n\n1  2\n\nx\n  y\n"


def test_an_own_text_is_taken_as_it_is_and_gets_a_foot_only_where_it_has_no_way_out() -> None:
    assert of("<p>x</p>", template="letter", text="Mon texte").text.startswith("Mon texte\n\n-- \nVous recevez ce message parce que {{ email }}")
    assert of("<p>x</p>", template="letter", text="Sortir : {{ url_unsubscribe }}").text == "Sortir : {{ url_unsubscribe }}\n"
    assert of("Bonjour\n\n  deux", Editor.TEXT).text == "Bonjour\n\n  deux\n"


@pytest.mark.parametrize(("css", "rules", "special"), [
    ("p{color:red;position:fixed}", "p{color:red}", ""), ("/* } */p{color:red}", "p{color:red}", ""), ("p{color:expression(1)}", "", ""), ("p{color:red}@media print{p{color:blue}}a{color:green}", "p{color:red}a{color:green}", "@media print{ p{color:blue}}"),
    ("@charset 'x';p{color:red}", "p{color:red}", ""), ("@supports (a:b){p{color:red}}b{color:red}", "b{color:red}", ""), ("</style><script>{color:red}", "", ""), ("p{font-family:'a;b}c'}q{color:red}", "", ""), ("p{color:red", "p{color:red}", ""), ("@media x{{{{{", "", ""),
    ("@media (max-width:1px){#a{color:red}}", "", "@media (max-width:1px){ #a{color:red}}"), ("p{font:700 16px/1.4 'Noto Sans',serif !important}", "p{font:700 16px/1.4 'Noto Sans',serif !important}", ""),
])  # fmt: skip
def test_stylesheets(css: str, rules: str, special: str) -> None:
    made_ = styles.sheet(css)
    assert (made_.rules if "a;b" not in css else "", made_.special) == (rules, special) and not re.search(r"[<\\]|url|script", made_.rules + made_.special)


_PIECES = st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "<p>", "</p>", "<table>", "<tr>", "<td>", "<a href='", "'>", "<style>", "</style>", "<!--", "-->", "<!--[if mso]>", "<![endif]-->", " name ", "é", "\"", "'", "<", ">", "&", "@name@", "#ENV{x}", "\n", "\n\n", "- ", "|", "**", "](", "["])


@settings(max_examples=60, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join), st.sampled_from(list(Editor)), st.sampled_from(list(FRAMES)))
def test_nothing_raises_and_no_field_is_born_of_two_pieces(source: str, editor: Editor, template: str) -> None:
    found = of(source, editor, template)
    outside = re.sub(r"\{\{(?:[^{}\"']|\"[^\"]*\"|'[^']*')+\}\}|\{%(?:[^%\"'{}]|\"[^\"]*\"|'[^']*'|%(?!\}))+%\}|\{#(?:[^#]|#(?!\}))*#\}", "", found.html)
    assert not re.search(r"\{\{|\{%|\{#", outside)


MJML = "<mjml><mj-body><mj-section><mj-column>\n<mj-text>Bonjour</mj-text>\n<mj-text>{}</mj-text>\n</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(("source", "editor", "said"), [
    ("a\n\n{{ }}\n", Editor.MARKDOWN, "line 3: nothing stands"), ("<table>\n<tr><td>{% if name %}\nx</td></tr></table>", Editor.HTML, "line 2: “{% if … %}”"), (MJML.format("{{ name() }}"), Editor.MJML, "line 3: nothing can be called"),
    ("a\nb {{ name c\n\nd", Editor.HTML, "line 2: what begins with {{"), ("<p>a</p>\n<p>{% if lang &lt; %}x{% endif %}</p>", Editor.HTML, "line 2: it breaks off"), ("a\n{{ name) }}", Editor.TEXT, "line 2: “)”"),
    ("<p>{% if name %}a</p>{% endif %}<table><tr>{% for l in lists %}<td>{{ l }}</td></tr>{% endfor %}</table>", Editor.HTML, ""),
])  # fmt: skip
def test_faults_are_told_by_the_lines_of_their_author(source: str, editor: Editor, said: str) -> None:
    found = of(source, editor, "letter")
    try:
        compiled("s", "", found.html, found.text, written=Written(source, source))
    except Invalid as error:
        assert [one for one in error.sentences if said in one] == list(error.sentences) and len(error.sentences) == 1 and said
    else:
        assert not said


def test_of_a_text_part_of_its_own_and_a_subject_the_place_is_told() -> None:
    with pytest.raises(Invalid) as error:
        compiled("{{ }}", "{{ nobody }}", "<p>x</p>", "a\n{{ }}", written=Written("x", "a\n{{ }}"))
    assert [str(one).partition(":")[0] for one in error.value.sentences] == ["in the subject", "in the text part", "in the first line"] and "line 2" in error.value.sentences[1]


def test_headings_of_the_text_part_are_underlined_as_long_as_they_are() -> None:
    text = of("<h1>Bonjour {{ first_name }}</h1><p>a</p><h2>Le marché 🥕 de Noël</h2><p>b</p><blockquote><h2>Dit</h2></blockquote><h2><a href='https://a.example/'>Plus</a></h2><h1>" + "Mot " * 25 + "</h1><p>c</p>").text
    assert text == (
        "Bonjour {{ first_name }}\n\na\n\nLe marché 🥕 de Noël\n--------------------\n\nb\n\n> Dit\n> ---\n\nPlus <https://a.example/>\n\n" + " ".join(["Mot"] * 19) + "\n" + " ".join(["Mot"] * 6) + "\n" + "=" * 75 + "\n\nc\n"
    )


@pytest.mark.parametrize(("source", "said"), [
    ("<p>a</p><script>b()</script>", "scripts were"), ("<p onclick='b()'>a</p>", "scripts were"), ("<form><input name=a></form>", "forms were"), ("<iframe src='https://a.example'></iframe>", "embedded pages"), ("<video></video>", "sound and video"),
    ("<svg></svg>", "drawings (svg)"), ("<link rel=stylesheet href='https://a.example'>", "stylesheets of other sites"), ("<my-part>a</my-part>", "do not know were left out, what stands in them stays: my-part"),
    ("<p style='position:fixed;color:red'>a</p>", "left out, as mail programs do not heed them or they would load or cover something: position"), ("<style>@import 'a';p{background:url(b)}@font-face{src:c}</style>", "@import, background: url(b), @font-face"),
    ("<style>@media screen{p{position:fixed}}</style>", "something: position"),
])  # fmt: skip
def test_what_is_taken_out_is_named(source: str, said: str) -> None:
    assert [one for one in of(source).problems if said in one.sentence and not one.grave]


@pytest.mark.parametrize(("source", "editor"), [
    ("<html><head><title>a</title><meta charset=utf-8><style>p{color:red;-webkit-hyphens:auto}</style></head><body style='margin:0;mso-hide:all;'><center title='on a=1 onclick=2'>a</center><o:p></o:p><!-- <script></script> --></body></html>", Editor.HTML),
    ("<script>shown as text</script>", Editor.MARKDOWN), (MJML.format("b"), Editor.MJML),
])  # fmt: skip
def test_of_what_nobody_misses_nothing_is_said(source: str, editor: Editor) -> None:
    assert not of(source, editor).problems
