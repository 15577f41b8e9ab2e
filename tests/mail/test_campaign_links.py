"""Links of a newsletter: which are counted, and what stands in their place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from colporteur.mail.campaigns.links import Link, links_of, links_of_text, tracked, tracked_text

PAGE = """<html><body><!-- <a href="https://comment.example/"> --><p title="<a href='https://title.example'>">
<a class="x" href="https://one.example/a?b=1&amp;c=2">One <b>two</b></a>
<A HREF='http://two.example'><img src="https://img.example/p.png" alt="A picture"></A>
<a href="https://one.example/a?b=1&amp;c=2">again</a> <area href="https://three.example/x">
<a href="mailto:anna@members.example">write</a><a href="#below">below</a><a href="javascript:alert(1)">no</a><a name="x">none</a>
<a href="{{ url_unsubscribe }}">leave</a><a href="https://shop.example/?who={{ email }}">yours</a><a href="https://shop.example/%7B%7Bemail%7D%7D">yours</a>
<a href="https://shop.example/@nom@">yours</a><a data-href="https://data.example/" href="tel:+33100000000">call</a></body></html>"""


def test_only_addresses_that_are_the_same_for_everybody_are_counted() -> None:
    found = links_of(PAGE)
    assert found == [Link("https://one.example/a?b=1&c=2", "One two"), Link("http://two.example", "A picture"), Link("https://three.example/x", "")]


def test_every_place_of_an_address_is_replaced_and_nothing_else() -> None:
    addresses = {"https://one.example/a?b=1&c=2": "https://lists.example/l/key{{reader_mark}}"}
    done = tracked(PAGE, addresses, "https://lists.example/o/key")
    assert done.count('href="https://lists.example/l/key{{reader_mark}}"') == 2 and "one.example" not in done
    assert done.endswith('style="display:block;border:0"></body></html>') and done.count("<img") == 2
    assert done.replace('href="https://lists.example/l/key{{reader_mark}}"', 'href="https://one.example/a?b=1&amp;c=2"').replace('<img src="https://lists.example/o/key" width="1" height="1" alt="" style="display:block;border:0">', "") == PAGE


def test_addresses_in_text_keep_the_signs_of_their_sentence() -> None:
    text = "See https://one.example/a, or (https://two.example/x_(y)). Leave: {{ url_unsubscribe }} https://x.example/{{ email }}"
    assert [one.url for one in links_of_text(text)] == ["https://one.example/a", "https://two.example/x_(y)"]
    done = tracked_text(text, {"https://one.example/a": "https://l.example/1", "https://two.example/x_(y)": "https://l.example/2"})
    assert done == "See https://l.example/1, or (https://l.example/2). Leave: {{ url_unsubscribe }} https://x.example/{{ email }}"


@given(st.text(alphabet="<>a href=\"'https://x.é{}&;#\n", max_size=300))
def test_whatever_is_written_stays_when_nothing_is_counted(source: str) -> None:
    assert tracked(source, {}) == source
    assert all(one.url.startswith(("http", "HTTP")) for one in links_of(source))
