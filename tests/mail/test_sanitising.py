"""HTML of others on our pages."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail.html import sanitise, to_text


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<a href='javascript:alert(1)'>x</a>", "<a href=' jAvAsCrIpT:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>", "<iframe src='https://evil.example'></iframe>", "<form action='https://evil.example'><input name=a></form>",
        "<style>@import 'https://evil.example'</style>", "<link rel=stylesheet href='https://evil.example'>", "<base href='https://evil.example'>", "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "<div style='background:url(https://evil.example)'>x</div>", "<div style='color:red;background-image:u\\72l(https://evil.example)'>x</div>", "<td background='https://evil.example'>x",
        "<img src='https://evil.example/pixel.png'>", "<img srcset='https://evil.example/a 1x'>", "<video poster='https://evil.example'></video>", "<object data='https://evil.example'></object>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<a href='//evil.example/x'>x</a>", "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<div style='position:fixed;top:0;left:0;width:100%'>x</div>",
    ],
)  # fmt: skip
def test_nothing_runs_loads_or_covers(source):
    made = sanitise(source)
    assert not re.search(r"(?i)alert\(|onerror|onload|script|evil\.example|<form|<input|position|svg", made), made


def test_what_is_harmless_stays():
    made = sanitise('<p style="color:red">Bonjour <b>Anna</b> <a href="https://amap.example/?a=1&b=2" target="_top">ici</a></p><img src="data:image/png;base64,AAAA" alt="x"><table><tr><td colspan="2">1</td></tr></table>')
    assert '<p style="color:red">Bonjour <b>Anna</b>' in made and 'colspan="2"' in made and 'src="data:image/png;base64,AAAA"' in made
    link = re.search("<a [^>]*>", made)[0]
    assert 'href="https://amap.example/?a=1&amp;b=2"' in link and 'rel="noopener noreferrer nofollow"' in link and 'target="_blank"' in link and "_top" not in link


def test_too_deep_is_text_alone():
    made = sanitise("<div>" * 1000 + "<b>a &amp; b</b><script>x</script>" + "</div>" * 1000)
    assert made.startswith("<pre>") and "a &amp; b" in made and "<b>" not in made


def test_text_of_html():
    assert to_text("<html><head><title>t</title><style>p{}</style></head><body><p>Un\n deux</p><ul><li>a</li><li>b &lt;c&gt;</li></ul>fin<br>x") == "Un deux\na\nb <c>\nfin\nx"


@given(st.text(max_size=300))
def test_twice_is_once_and_nothing_raises(source):
    made = sanitise(source)
    assert sanitise(made) == made or "<pre>" in made
    to_text(source)
