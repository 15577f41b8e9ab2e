"""Joining by the web: the letters' links ask before they act, owners decide by link and by their queue."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.flow import errands, joining, lists
from colporteur.store.joining import JoinRequest
from colporteur.store.leaving import LeaveRequest
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import asked, letters, text
from tests.story.scenes import message
from tests.web.conftest import World, signed_in

MARC = "marc.legoff@courriel.example"


@pytest.fixture(autouse=True)
def reached_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mailbox or not, links are of use."""
    monkeypatch.setattr("colporteur.flow.letters.public", lambda list_: True)


def link(letter: str, after: str = "") -> str:
    """The path of the last letter's link."""
    found = re.search(rf"http://testserver(/[jc]/\S+{re.escape(after)})", text(letters(letter)[-1][2]))
    assert found
    return found[1]


def wants_to_join(world: World, way: str) -> None:
    lists.set_policy(world.list, {"joining": way}, world.owner, timezone.now())
    world.list.refresh_from_db()
    address, _made = Address.objects.get_or_create(email=MARC)
    joining.ask(world.list, address, timezone.now(), joining.Asking("Marc <b>Le Goff</b>"))


def member(world: World, email: str = MARC) -> bool:
    return Membership.objects.filter(list=world.list, address__email=email, until__isnull=True).exists()


def test_the_link_asks_and_the_button_joins(world: World) -> None:
    wants_to_join(world, "confirm")
    browser, path = signed_in(None), link("joining")
    for _scanner in range(3):
        assert "Join the list" in browser.get(path).content.decode()
    assert not member(world)
    assert "is a member now" in browser.post(path).content.decode() and member(world)
    assert "is a member now" in browser.get(path).content.decode()
    assert browser.get("/j/" + "a" * 24).status_code == browser.get("/c/" + "a" * 24).status_code == 404


def test_an_owner_decides_by_the_link_and_the_second_is_told_who_did(world: World) -> None:
    wants_to_join(world, "approval")
    browser = signed_in(None)
    assert "The owners of" in browser.post(link("joining")).content.decode()
    path = link("admit", "?do=refuse")
    page = browser.get(path).content.decode()
    assert "Marc &lt;b&gt;Le Goff&lt;/b&gt;" in page and "Admit" in page and JoinRequest.objects.get().state == "waiting"
    assert "is not admitted" in browser.post(path, {"decision": "refuse", "reason": "Complet."}).content.decode()
    late = browser.post(path, {"decision": "accept"})
    assert late.status_code == 409 and "refused" in late.content.decode() and not member(world)
    assert "was not admitted" in browser.get(link("joining")).content.decode()


def test_the_queue_of_the_owners(world: World) -> None:
    wants_to_join(world, "approval")
    signed_in(None).post(link("joining"))
    owner, row = signed_in(world.owner), JoinRequest.objects.get()
    joining.invite(world.list, "zoe@courriel.example", timezone.now(), by=world.owner)
    assert f'href="{reverse("joining", args=[world.list.pk])}">Requests <span class="counter">1</span>' in owner.get(reverse("members", args=[world.list.pk])).content.decode()
    page = owner.get(reverse("joining", args=[world.list.pk])).content.decode()
    assert "Le Goff" in page and "zoe" in page
    said = owner.post(reverse("joining-decide", args=[world.list.pk, row.pk]), {"decision": "accept"}, follow=True).content.decode()
    assert "is a member of" in said and member(world)
    assert signed_in(world.stranger).post(reverse("joining-decide", args=[world.other.pk, row.pk]), {"decision": "accept"}).status_code == 404


def test_owners_invite_by_lines_and_again(world: World) -> None:
    owner, where = signed_in(world.owner), reverse("joining-invite", args=[world.list.pk])
    assert "mend line 2" in owner.post(where, {"lines": "zoe@courriel.example\nrubbish"}, follow=True).content.decode() and not letters("invited")
    said = owner.post(where, {"lines": f"zoe@courriel.example Zoé\n{world.member.primary_email}"}, follow=True).content.decode()
    assert "1 person is invited. 1 was there already." in said and "Write again" in said
    owner.post(where, {"lines": "zoe@courriel.example"})
    assert [to for _name, to, _letter in letters("invited")] == ["zoe@courriel.example"], "one letter a day"
    signed_in(None).post(link("invited"))
    assert member(world, "zoe@courriel.example")


def test_commands_are_confirmed_by_their_page(world: World) -> None:
    asked(world.list, "request", message(world.member.primary_email, subject="", body="set nomail\r\n"), now=timezone.now())
    errands.do_due(timezone.now())
    browser, path = signed_in(None), link("commands")
    found = Membership.objects.filter(list=world.list, address__person=world.member)
    assert "receive no message" in browser.get(path).content.decode() and found.get().delivery == "each"
    assert "Done" in browser.post(path).content.decode() and found.get().delivery == "none"


def test_an_owner_decides_who_leaves_by_the_link_and_in_the_queue(world: World) -> None:
    lists.set_policy(world.list, {"leaving": "approval"}, "test", timezone.now())
    mine = Membership.objects.get(list=world.list, address__email="anna.rivoire@courriel.example", until__isnull=True)
    browser, owner = signed_in(world.member), signed_in(world.owner)
    assert "Ask to leave" in browser.get("/me").content.decode() and not letters("parting")
    browser.post(reverse("my-membership", args=[mine.pk]), {"wish": "leave"})
    assert "an owner will decide" in browser.get("/me").content.decode() and member(world, mine.address.email)
    assert "anna.rivoire" in (page := owner.get(reverse("joining", args=[world.list.pk])).content.decode()) and "Let go" in page
    path = link("parting", "?do=accept")
    assert "Let go" in signed_in(None).get(path).content.decode() and member(world, mine.address.email)
    owner.post(reverse("leaving-decide", args=[world.list.pk, LeaveRequest.objects.get().pk]), {"decision": "accept"})
    assert not member(world, mine.address.email) and letters("left")[-1][1] == mine.address.email
    late = signed_in(None).post(path, {"decision": "refuse"})
    assert late.status_code == 409 and "before" in late.content.decode()


def test_a_page_says_why_a_newsletter_cannot_be_closed(world: World) -> None:
    lists.set_policy(world.list, {"urgency": "patient"}, "test", timezone.now())
    answer = signed_in(world.owner).post(reverse("list-settings", args=[world.list.pk]), {"leaving": "closed"}, follow=True)
    assert "members of a newsletter can always leave" in answer.content.decode()
