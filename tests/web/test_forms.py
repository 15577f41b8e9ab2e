"""The public form with the attributes a list asks for: on our page, inside another site's, and copied into one."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.policy import parse
from colporteur.flow import attributes, lists
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import List
from tests.web.conftest import World, signed_in

NEW = "nouvelle@courriel.example"


@pytest.fixture
def open_list(village: World) -> List:
    lists.set_policy(village.list, {"joining": "confirm", "form_return": "https://saule.example/merci", "form_sites": "https://saule.example http://autre.example:8080/"}, "test", timezone.now())
    attributes.define(village.list, timezone.now(), by="", label="Ville <b>", key="town", asked=True, required=True)
    attributes.define(village.list, timezone.now(), by="", label="Voix", key="part", kind="choice", choices=["Alto", "Basse"], asked=True)
    attributes.define(village.list, timezone.now(), by="", label="Interne", key="inner")
    return village.list


def where(name: str, list_: List) -> str:
    return reverse(name, args=[list_.host, list_.name])


def browser() -> Client:
    return Client(enforce_csrf_checks=True, headers={"accept-language": "en"})


def test_the_public_page_asks_what_the_list_asks_for(open_list: List) -> None:
    client = Client(headers={"accept-language": "en"})
    page = client.get(where("join-list", open_list)).content.decode()
    assert "attribute-town" in page and "attribute-inner" not in page and "<option" in page
    assert client.post(where("join-list", open_list), {"email": NEW, "attribute-part": "Tenor"}).status_code == 422
    assert client.post(where("join-list", open_list), {"email": NEW, "attribute-town": "Rennes", "attribute-part": "alto", "attribute-inner": "x"}).status_code == 200
    row = JoinRequest.objects.get(address__email=NEW)
    assert (row.values, row.state) == ({"town": "Rennes", "part": "Alto"}, "asked")


def test_another_site_posts_without_a_cookie_and_leads_where_the_list_says(open_list: List) -> None:
    answer = browser().post(where("join-embedded", open_list), {"email": NEW, "attribute-town": "Rennes", "language": "fr", "next": "https://evil.example/"})
    assert (answer.status_code, answer["Location"]) == (302, "https://saule.example/merci")
    assert JoinRequest.objects.get().language == "fr"
    answer = browser().post(where("join-embedded", open_list), {"email": "autre@courriel.example", "attribute-town": "x", "website": "http://spam.example"})
    assert answer.status_code == 302 and JoinRequest.objects.count() == 1  # a program is told the same
    page = browser().post(where("join-embedded", open_list), {"email": "nobody", "framed": "1", "language": "fr"})
    assert page.status_code == 422 and 'lang="fr"' in page.content.decode()


def test_only_sites_the_list_names_may_frame_the_form_and_nothing_else(open_list: List) -> None:
    page = browser().get(where("join-embedded", open_list))
    assert page["Content-Security-Policy"].endswith("frame-ancestors 'self' https://saule.example http://autre.example:8080") and "X-Frame-Options" not in page
    assert browser().get(where("join-list", open_list))["X-Frame-Options"] == "DENY"
    lists.set_policy(open_list, {"form_sites": ""}, "test", timezone.now())
    assert browser().get(where("join-embedded", open_list))["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    for wrong in ("https://a.example; script-src *", "javascript:x", "https://a.example/path", "*"):
        with pytest.raises(ValueError, match="site"):
            parse("form_sites", wrong)
    for wrong in ("javascript:alert(1)", "//evil.example", "https://a.example/\r\nx: y"):
        with pytest.raises(ValueError, match="form_return"):
            parse("form_return", wrong)


def test_an_owner_copies_it_and_what_is_in_it_is_inert(village: World, open_list: List) -> None:
    page = signed_in(village.owner).get(reverse("list-form", args=[open_list.pk]), {"language": "fr"}).content.decode()
    copied = unescape(page.partition('id="copied"')[2].partition(">")[2].partition("</textarea>")[0])
    assert 'action="http://testserver/subscribe/saule.example/amapiens"' in copied and 'name="attribute-town"' in copied and "<option value=\"Basse\">" in copied
    assert "Ville &lt;b&gt;" in copied and "<script" not in copied and "attribute-inner" not in copied
    assert "saule.example/merci" in page and "https://saule.example" in page
