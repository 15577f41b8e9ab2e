"""The page of lists inside a list."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from colporteur.flow import lists, nesting
from colporteur.store.memberships import Membership
from tests.web.conftest import World, signed_in


def test_an_owner_puts_a_list_inside_and_leaves_somebody_out(world: World) -> None:
    inner = lists.create("comite-restreint@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", timezone.now(), by="test")
    browser, where = signed_in(world.owner), reverse("list-inside", args=[world.list.pk])
    browser.post(where, {"inner": inner.address, "covers": "no"})
    (edge,) = nesting.edges(world.list)
    assert edge.list == inner and not edge.covers
    browser.post(where, {"email": "Marc@x.example"})
    page = browser.get(where).content.decode()
    assert "marc@x.example" in page.replace("<wbr>", "") and "asked again" in page
    browser.post(where, {"take": inner.address})
    browser.post(where, {"readmit": "marc@x.example"})
    assert nesting.edges(world.list) == [] and nesting.excluded(world.list) == []


def test_a_circle_and_somebody_elses_list_are_refused_in_words(world: World) -> None:
    browser, where = signed_in(world.owner), reverse("list-inside", args=[world.list.pk])
    answer = browser.post(where, {"inner": world.list.address, "covers": "yes"})
    assert answer.status_code == 422 and "circle" in answer.content.decode()
    foreign = lists.create("direction-fermee@paniersdusaule.example", "discussion", "helene@paniersdusaule.example", timezone.now(), by="test")
    answer = browser.post(where, {"inner": foreign.address, "covers": "yes"})
    assert answer.status_code == 422 and "there is no list" in answer.content.decode() and nesting.edges(world.list) == []


def test_members_see_which_other_lists_a_list_brings_them(world: World) -> None:
    outer = lists.create("toutes@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", timezone.now(), by="test")
    nesting.put_inside(outer, world.list, timezone.now(), by="test")
    assert "toutes &gt; amapiens" in signed_in(world.member).get("/me").content.decode()
    member = Membership.objects.get(list=world.list, address__email=world.member.primary_email)
    assert "toutes &gt; amapiens" in signed_in(world.owner).get(reverse("member", args=[world.list.pk, member.pk])).content.decode()
