"""My lists with an account and without; one's own addresses."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.flow import mine, people
from colporteur.mail.parse import readable
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.web.conftest import World, signed_in

ANNA = "anna.rivoire@courriel.example"


def _link(letter: str) -> str:
    found = re.search(r"http://testserver(/\S+)", readable(bytes(Mailing.objects.filter(letter=letter).latest("pk").blob.raw)).text)
    assert found
    return found[1]


@pytest.fixture
def anna(world: World) -> Membership:
    return Membership.objects.get(list=world.list, address__email=ANNA)


def test_my_lists_name_what_i_own_moderate_and_receive(world: World) -> None:
    page = signed_in(world.owner).get("/me").content.decode()
    assert "You own" in page and world.list.address.partition("@")[0] in page
    page = signed_in(world.moderator).get("/me").content.decode()
    assert "You moderate" in page
    assert "You own" not in signed_in(world.member).get("/me").content.decode()


def test_everything_pauses_until_a_day_and_goes_on(world: World, anna: Membership) -> None:
    browser, day = signed_in(world.member), timezone.localdate() + timedelta(days=10)
    browser.post("/me", {"wish": "pause-all", "until": day.isoformat()})
    held = Address.objects.get(email=ANNA).paused_until
    assert held and timezone.localdate(held) == day
    assert "Receive again now" in browser.get("/me").content.decode()
    browser.post("/me", {"wish": "resume-all"})
    assert Address.objects.get(email=ANNA).paused_until is None
    for wrong in ("", "2020-01-01", "9999-12-31", "2026-13-01", "soon"):
        browser.post("/me", {"wish": "pause-all", "until": wrong})
    assert Address.objects.get(email=ANNA).paused_until is None


def test_a_mailed_link_opens_the_lists_of_its_address_without_an_account(world: World, anna: Membership) -> None:
    browser = signed_in(None)
    assert browser.post("/mine", {"email": ANNA.upper()}).status_code == 200
    where = _link("mine")
    page = browser.get(where).content.decode()
    assert "Amapiens" in page and ANNA in page.replace("<wbr>", "") and "_auth_user_id" not in browser.session
    browser.post(where, {"wish": "pause-all", "until": (timezone.localdate() + timedelta(days=3)).isoformat()})
    assert Address.objects.get(email=ANNA).paused_until
    other = Membership.objects.filter(list=world.list, until__isnull=True).exclude(pk=anna.pk)[0]
    assert browser.post(where, {"wish": "leave", "number": other.pk}).status_code == 404
    browser.get(where)
    anna.refresh_from_db()
    assert anna.until is None
    browser.post(where, {"wish": "leave", "number": anna.pk})
    anna.refresh_from_db()
    assert anna.until and anna.left_by == "member"


def test_the_answer_tells_not_who_is_known_and_floods_nobody(world: World) -> None:
    browser = signed_in(None)
    pages = [re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", browser.post("/mine", {"email": email}).content.decode().replace(email, "X")) for email in (ANNA, "personne@nulle.example", ANNA, ANNA, ANNA)]
    assert pages[0] == pages[1]
    assert Mailing.objects.filter(letter="mine").count() == mine.A_DAY


def test_links_of_others_and_old_ones_open_nothing(world: World, anna: Membership) -> None:
    now = timezone.now()
    token = mine.link(anna.address, now - mine.GOOD_FOR).rpartition("/")[2]
    asked = people.address_token(world.member, anna.address, now)
    for wrong in (token, token[:-1] + "A", "x", asked):
        assert signed_in(None).get(reverse("mine-link", args=[wrong])).status_code == 410
        assert signed_in(None).post(reverse("mine-link", args=[wrong]), {"wish": "leave", "number": anna.pk}).status_code == 410
    anna.refresh_from_db()
    assert anna.until is None


def test_an_address_is_added_by_its_letter_for_who_asked(world: World) -> None:
    browser = signed_in(world.member)
    browser.post("/account/addresses", {"wish": "add", "email": "anna@autre.example"})
    where = _link("address")
    assert signed_in(world.stranger).get(where).status_code == 404
    assert browser.get(where).status_code == 200 and Address.objects.get(email="anna@autre.example").person is None
    browser.post(where)
    assert people.find("anna@autre.example") == world.member
    people.add_address(world.member, ANNA, timezone.now())
    browser.post("/account/addresses", {"wish": "first", "email": "anna@autre.example"})
    world.member.refresh_from_db()
    assert world.member.primary_email == "anna@autre.example"
    browser.post("/account/addresses", {"wish": "remove", "email": "anna@autre.example"})
    world.member.refresh_from_db()
    assert world.member.primary_email == ANNA and people.find("anna@autre.example") is None


def test_addresses_of_others_cannot_be_taken_nor_the_last_one_removed(world: World) -> None:
    browser = signed_in(world.member)
    people.add_address(world.member, ANNA, timezone.now())
    browser.post("/account/addresses", {"wish": "add", "email": world.owner.primary_email})
    browser.post(_link("address"))
    assert people.find(world.owner.primary_email) == world.owner
    for wish, email in (("first", world.owner.primary_email), ("remove", world.owner.primary_email), ("remove", ANNA)):
        browser.post("/account/addresses", {"wish": wish, "email": email})
    assert people.find(ANNA) == world.member and people.find(world.owner.primary_email) == world.owner


def test_letters_to_new_addresses_are_bounded(world: World) -> None:
    browser = signed_in(world.member)
    for number in range(14):
        browser.post("/account/addresses", {"wish": "add", "email": f"victime{number}@courriel.example"})
    assert Mailing.objects.filter(letter="address").count() == 10


def test_times_are_shown_in_the_zone_of_the_person(world: World) -> None:
    browser = signed_in(world.member)
    browser.post("/account", {"name": "Anna", "language": "en", "time_zone": "Pacific/Auckland"})
    world.member.refresh_from_db()
    assert world.member.time_zone == "Pacific/Auckland" and str(timezone.get_current_timezone()) != "Pacific/Auckland"
    browser.post("/account", {"name": "Anna", "language": "en", "time_zone": "Nowhere/At all"})
    world.member.refresh_from_db()
    assert world.member.time_zone == "Pacific/Auckland"
