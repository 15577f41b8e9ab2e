"""One's own data downloaded, and the account deleted."""

from __future__ import annotations

from colporteur.flow import people
from colporteur.store.memberships import Membership
from colporteur.store.people import Person
from tests.web.conftest import World, signed_in

ANNA = "anna.rivoire@courriel.example"


def test_everything_is_downloaded_as_json(world: World) -> None:
    answer = signed_in(world.member).get("/account/export")
    assert "attachment" in answer["Content-Disposition"] and answer.json()["addresses"][0]["email"] == ANNA
    assert "marc.legoff@courriel.example" not in answer.content.decode()


def test_the_account_is_deleted_when_sure(world: World) -> None:
    browser = signed_in(world.member)
    assert ANNA in browser.get("/account/erase").content.decode().replace("<wbr>", "")
    browser.post("/account/erase")
    assert Person.objects.filter(pk=world.member.pk).exists()
    browser.post("/account/erase", {"sure": "1"})
    assert people.find(ANNA) is None and "_auth_user_id" not in browser.session
    assert not Membership.objects.filter(address__email=ANNA).exists()


def test_an_owner_is_told_what_to_hand_over(world: World) -> None:
    browser = signed_in(world.stranger)
    assert "choeur@ailleurs.example" in browser.get("/account/erase").content.decode()
    browser.post("/account/erase", {"sure": "1"})
    assert Person.objects.filter(pk=world.stranger.pk).exists()
