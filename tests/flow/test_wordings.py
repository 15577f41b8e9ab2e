"""Own texts: what is rewritten where, what is inherited, and what is refused."""

from __future__ import annotations

import pytest

from colporteur import notices
from colporteur.flow import letters, moderation, planning, wordings
from colporteur.notices import NOTICES
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from tests.flow.posts import NOW, arrives, html, text
from tests.flow.posts import letters as written
from tests.story.scenes import a_list, message

pytestmark = pytest.mark.django_db


@pytest.fixture
def amis() -> List:
    """A list on a domain."""
    return a_list("amis@lists.example", members=["anna@members.example"], title="Amis", language="fr")


def sent(list_: List, language: str = "fr") -> str:
    """Subject of the letter to its author that a message left, as it goes out now."""
    to = Address.objects.get(email="anna@members.example")
    letters.send("sent", to, NOW, list_=list_, language=language, fields={"list": list_.address, "title": list_.title, "subject": "{{ title }} <b>"})
    return str(written("sent")[-1][2]["Subject"])


def test_the_nearest_text_of_the_language_is_sent(amis: List) -> None:
    standard = sent(amis)
    for place, name in ((None, "site"), (amis.organisation, "organisation"), (amis.domain, "domain"), (amis, "list")):
        assert wordings.rewrite(place, "sent", "fr", f"{name}: {{{{ subject }}}}", "Bonjour\n", NOW, by="test").pk
        assert sent(amis) == f"{name}: {{{{ title }}}} <b>", "a value is never read as a template"
        found = wordings.current(amis, "sent", "fr")
        assert (found.own, found.shipped) == (name == "list", False)
    assert sent(amis, "en") != sent(amis)
    for place in (amis, amis.domain, amis.organisation, None):
        assert wordings.reset(place, "sent", "fr", NOW, by="test")
        assert not wordings.reset(place, "sent", "fr", NOW, by="test")
    assert sent(amis) == standard and wordings.current(amis, "sent", "fr").shipped
    assert JournalEntry.objects.filter(event="wording.changed").count() == JournalEntry.objects.filter(event="wording.reset").count() == 4


def test_an_own_text_has_html_of_its_own(amis: List) -> None:
    wordings.rewrite(amis, "sent", "fr", "S", "Un <i>mot</i>\n\nVoir http://testserver/x", NOW, by="test")
    sent(amis)
    letter = written("sent")[-1][2]
    assert "Un &lt;i&gt;mot&lt;/i&gt;</p>" in html(letter) and '<a href="http://testserver/x">' in html(letter) and "Un <i>mot</i>" in text(letter)


@pytest.mark.parametrize(
    ("letter", "language", "subject", "body", "says"),
    [
        ("sent", "fr", "S", "{{ password }}", "no field"), ("sent", "fr", "S", "{% for a in list %}x{% endfor %}", "only fields and conditions"), ("sent", "fr", "S", "{{ list.__class__ }}", "only fields"),
        ("sent", "fr", "", "x", "needs a subject"), ("sent", "fr", "S", " ", "needs a subject"), ("sent", "fr", "S", "x" * 30_000, "longer than"), ("sent", "fr", "S", "{{ list", "line 1"),
        ("nothing", "fr", "S", "x", "no letter"), ("sent", "xx", "S", "x", "written in"), ("signin", "fr", "S", "{{ link }}", "no letter signin here"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_reason(amis: List, letter: str, language: str, subject: str, body: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wordings.rewrite(amis, letter, language, subject, body, NOW, by="test")
    assert not wordings.rewritten(amis)


def test_the_link_of_a_letter_that_signs_in_stays(amis: List) -> None:
    with pytest.raises(ValueError, match="of no use without"):
        wordings.rewrite(None, "signin", "fr", "S", "Bonjour", NOW, by="test")


@pytest.mark.parametrize("language", notices.LANGUAGES)
def test_every_letter_has_a_preview_with_a_value_for_every_field(amis: List, language: str) -> None:
    arrives(amis, message(subject="Un vrai sujet"))
    for letter in NOTICES:
        place = None if letter in notices.OF_SITE else amis
        values = wordings.sample(place, letter, language, NOW)
        assert set(values) == set(NOTICES[letter])
        shown = wordings.preview(place, letter, language, wordings.current(place, letter, language).texts, NOW)
        assert shown.subject and shown.text.strip()
    assert wordings.sample(amis, "sent", language, NOW)["list"] == "amis@lists.example"


def planned_footer(list_: List, subject: str) -> str:
    arrives(list_, message(subject=subject))
    moderation.judge_due(NOW)
    planning.plan_due(NOW)
    return str(Mailing.objects.filter(kind="post").latest("id").rewriting["footer"])


def test_a_footer_in_the_lists_language_gives_way_to_a_nearer_setting(amis: List) -> None:
    wordings.rewrite(None, wordings.FOOTER, "fr", "", "Liste {list}", NOW, by="test")
    wordings.rewrite(None, wordings.FOOTER, "en", "", "List {list}", NOW, by="test")
    assert planned_footer(amis, "one").strip() == "Liste {list}"
    amis.policy = amis.policy | {"footer": "du réglage"}
    amis.save()
    assert planned_footer(amis, "two") == "du réglage"
    wordings.rewrite(amis, wordings.FOOTER, "fr", "", "de la liste", NOW, by="test")
    assert planned_footer(amis, "three").strip() == "de la liste"
    assert "Anna Rivoire" in wordings.preview(amis, wordings.FOOTER, "fr", notices.Texts("", "Pour {name}", ""), NOW).text
