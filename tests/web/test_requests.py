"""Asking for a list and deciding about it by the web: as who asks, as an administrator, and by the link of the letter."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.flow import organisations, requests
from colporteur.store.lists import List
from colporteur.store.people import Address
from colporteur.store.requests import ListRequest
from tests.flow.posts import letters, text
from tests.web.conftest import World, signed_in

ASKED = {"name": "chorale", "domain": "paniersdusaule.example", "title": "Chorale", "template": "discussion", "purpose": "Les choristes s’écrivent.", "owner": ""}


@pytest.fixture
def on_request(world: World) -> None:
    organisations.change_domain(world.list.domain, {"creation": "request"}, timezone.now(), by="test")  # type: ignore[arg-type]


def test_from_the_form_to_the_activated_list(world: World, on_request: None) -> None:
    member, admin = signed_in(world.member), signed_in(world.organiser)
    assert "Ask for a list" in member.get("/lists/").content.decode()
    page = member.post(reverse("list-ask"), ASKED, follow=True).content.decode()
    assert "a second one is advised" in page and "waits for an administrator" in page
    made = List.objects.get(address="chorale@paniersdusaule.example")
    assert "members can be added once it is activated" in member.post(reverse("members-add", args=[made.pk]), {"lines": "a@a.example"}).content.decode()
    assert reverse("members", args=[made.pk]) not in page
    asked = ListRequest.objects.get()
    assert "chorale@" in admin.get(reverse("requests")).content.decode() and "Requests" in admin.get("/lists/").content.decode()
    admin.post(reverse("request", args=[asked.pk]), {"decision": "activate"})
    made.refresh_from_db()
    assert made.state == "active" and reverse("members", args=[made.pk]) in member.get(reverse("list-settings", args=[made.pk])).content.decode()


def test_what_is_wrong_is_said_at_the_name_and_the_text_is_kept(world: World, on_request: None) -> None:
    page = signed_in(world.member, "fr").post(reverse("list-ask"), ASKED | {"name": "postmaster"}).content.decode()
    assert "réservé" in page and "Les choristes s’écrivent." in page and not ListRequest.objects.exists()


def test_the_letters_link_asks_before_it_acts_and_says_who_decided_first(world: World, on_request: None) -> None:
    asked = requests.ask(world.member, "chorale@paniersdusaule.example", "discussion", "But", timezone.now())
    [(_letter, to, letter)] = letters("asked")
    path = re.search(r"/r/\S+\?do=refuse", text(letter))[0]  # type: ignore[index]
    browser = signed_in(None)
    for _fetched in range(3):  # link scanners
        assert browser.get(path).status_code == 200
    assert ListRequest.objects.get().state == "open" and to == world.organiser.primary_email
    said = browser.post(path, {"decision": "refuse", "reason": "Pas ici."}).content.decode()
    assert "Thank you" in said and not List.objects.filter(address=asked.address).exists()
    late = browser.post(path, {"decision": "activate"})
    assert late.status_code == 409 and "already decided" in late.content.decode() and "Yann" in late.content.decode()
    assert browser.get(path[:-12] + "x").status_code == 404
    token = requests.token(asked, Address.objects.get(email=world.member.primary_email))
    assert browser.get(reverse("request-link", args=[token])).status_code == 404  # well made, but for nobody who may decide


def test_who_asked_sees_and_takes_back_only_their_own(world: World, on_request: None) -> None:
    asked = requests.ask(world.member, "chorale@paniersdusaule.example", "discussion", "But", timezone.now())
    where = reverse("request", args=[asked.pk])
    member = signed_in(world.member)
    assert "Take the request back" in member.get(where).content.decode()
    member.post(where, {"decision": "activate"})
    assert ListRequest.objects.get().state == "open"  # who asks does not decide
    assert signed_in(world.stranger).post(where, {"decision": "withdraw"}).status_code == 404
    member.post(where, {"decision": "withdraw"})
    assert ListRequest.objects.get().state == "withdrawn" and not List.objects.filter(address=asked.address).exists()


def test_anybody_at_once_where_the_domain_allows_it_and_the_rule_is_explained(world: World) -> None:
    domain = world.list.domain
    member = signed_in(world.member)
    assert member.get(reverse("list-new")).status_code == 404
    signed_in(world.organiser).post(reverse("domain", args=[domain.pk]), {"creation": "anybody", "name_begins": "amap-", "name_reason": "nos listes commencent ainsi", "forbidden_names": "amap-direction"})  # type: ignore[union-attr]
    new = {"address": "chorale@paniersdusaule.example", "template": "discussion", "owner": "anna.rivoire@courriel.example"}
    assert "nos listes commencent ainsi" in member.post(reverse("list-new"), new).content.decode()
    assert "forbidden name" in member.post(reverse("list-new"), new | {"address": "amap-direction@paniersdusaule.example"}).content.decode()
    assert member.post(reverse("list-new"), new | {"address": "amap-chorale@paniersdusaule.example"}).status_code == 302
    assert List.objects.get(address="amap-chorale@paniersdusaule.example").state == "active"
    assert "not a domain" in member.post(reverse("list-new"), new | {"address": "x@ailleurs2.example"}).content.decode()
    assert "only administrators" in member.post(reverse("list-new"), new | {"address": "x@ailleurs.example"}).content.decode()
