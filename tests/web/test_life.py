"""Deleting, restoring, moving, copying, closing lists by the web, and what somebody without the right cannot."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from colporteur.flow import intake, lists
from colporteur.store.lists import List
from tests.web.conftest import World, signed_in


def test_deleting_says_what_goes_and_an_administrator_brings_it_back(world: World) -> None:
    owner, admin = signed_in(world.owner), signed_in(world.organiser)
    asked = owner.get(reverse("list-delete", args=[world.list.pk])).content.decode()
    assert "143 memberships" in asked and "30 days" in asked
    owner.post(reverse("list-delete", args=[world.list.pk]))
    assert owner.get(reverse("list", args=[world.list.pk])).status_code == 404
    assert world.list.address.partition("@")[0] in admin.get(reverse("lists-deleted")).content.decode()
    assert admin.post(reverse("list-restore", args=[world.list.pk])).status_code == 302
    assert owner.get(reverse("list", args=[world.list.pk])).status_code == 200
    assert "No deleted list" in admin.get(reverse("lists-deleted")).content.decode()


def test_ticked_lists_are_asked_about_and_deleted_together(world: World) -> None:
    second = lists.create("bureau2@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", timezone.now(), by="test")
    browser, where = signed_in(world.owner), reverse("lists-delete")
    ticked = {"who": [world.list.pk, second.pk, world.other.pk, "x"]}  # one of somebody else among them
    asked = browser.post(where, ticked)
    page = asked.content.decode()
    assert asked.status_code == 200 and "143 memberships" in page and "bureau2" in page and "choeur" not in page
    assert List.objects.filter(state="deleted").count() == 0
    browser.post(where, ticked | {"sure": "1"})
    assert set(List.objects.filter(state="deleted").values_list("pk", flat=True)) == {world.list.pk, second.pk}


def test_moving_keeps_the_old_address_and_is_the_administrators(world: World) -> None:
    where = reverse("list-addresses", args=[world.list.pk])
    signed_in(world.owner).post(where, {"address": "paniers@paniersdusaule.example", "keep": "on"})
    assert intake.known("paniers@paniersdusaule.example") == intake.UNKNOWN
    browser = signed_in(world.organiser)
    wrong = browser.post(where, {"address": "postmaster@paniersdusaule.example", "keep": "on"})
    assert "kept for the mail system" in wrong.content.decode()
    browser.post(where, {"address": "paniers@paniersdusaule.example", "keep": "on"})
    assert intake.known("paniers@paniersdusaule.example") == intake.known("amapiens@paniersdusaule.example") == intake.TAKEN
    browser.post(where, {"take": "amapiens@paniersdusaule.example"})
    assert intake.known("amapiens@paniersdusaule.example") == intake.UNKNOWN


def test_a_copy_and_closing(world: World) -> None:
    browser = signed_in(world.organiser)
    browser.post(reverse("list-copy", args=[world.list.pk]), {"address": "copie@paniersdusaule.example", "title": "Copie", "members": "on"})
    assert List.objects.get(address="copie@paniersdusaule.example").memberships.count() == 143
    owner, close = signed_in(world.owner), reverse("list-close", args=[world.list.pk])
    owner.post(close)
    assert intake.known(world.list.address) == intake.CLOSED and "closed" in owner.get(reverse("list", args=[world.list.pk])).content.decode()
    owner.post(close)
    assert intake.known(world.list.address) == intake.TAKEN
