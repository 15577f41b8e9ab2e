"""The page of preferences by the link of any message, without an account."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.digests import DeliveryMode
from colporteur.flow import attributes, lists, memberships, tracking
from colporteur.flow.campaigns import writing
from colporteur.mail.parse import readable
from colporteur.store.arrivals import keep
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.web.conftest import World

ANNA = "anna@courriel.example"


@pytest.fixture
def second(village: World) -> List:
    """Another list of the organisation; Anna, who has no account, is on both."""
    made = lists.create("infos@saule.example", "newsletter", "paul@saule.example", timezone.now(), title="Infos", by="test")
    for list_ in (village.list, made):
        memberships.add(list_, [(ANNA, "Anna")], timezone.now(), by="test")
    return made


def copy_of(list_: List, email: str = ANNA) -> str:
    """The token of a newsletter's copy."""
    campaign = writing.create(list_, timezone.now(), by="test", subject="Lettre")
    mailing = Mailing.objects.create(kind="campaign", campaign=campaign, list=list_, priority=2, audience_at=timezone.now(), created=timezone.now(), blob_id=keep(b"x"))
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=email).pk)


def of(list_: List, email: str = ANNA) -> Membership:
    return Membership.objects.get(list=list_, address__email=email, until__isnull=True)


def browser() -> Client:
    return Client(enforce_csrf_checks=True, headers={"accept-language": "en"})  # it has no cookie, and needs none


def test_every_list_of_the_organisation_is_chosen_on_one_small_page(village: World, second: List) -> None:
    memberships.add(village.other, [(ANNA, "")], timezone.now(), by="test")  # of another organisation
    attributes.define(second, timezone.now(), by="", label="Ville", key="town", asked=True)
    attributes.define(second, timezone.now(), by="", label="Secret", key="inner")
    where = reverse("preferences", args=[copy_of(second)])
    page = browser().get(where)
    text = page.content.decode()
    assert page.status_code == 200 and len(page.content) < 50_000 and page.content.count(b"button primary") == 1
    assert "Infos" in text and "amapiens" in text and "choeur" not in text and "Ville" in text and "Secret" not in text
    day = (timezone.localdate() + timedelta(days=20)).isoformat()
    first, other = of(second), of(village.list)
    sent = {"wish": "save", f"way-{first.pk}": "pause", f"until-{first.pk}": day, f"way-{other.pk}": "none", f"{second.pk}-attribute-town": "Rennes", f"{second.pk}-attribute-inner": "x", "language": "fr"}
    page = browser().post(where, sent)
    assert page.status_code == 200
    first, other = of(second), of(village.list)
    assert first.paused and timezone.localdate(first.pause_until).isoformat() == day and other.delivery == "none"
    address = Address.objects.get(email=ANNA)
    assert attributes.values_of(second, [address.pk]) == {address.pk: {"town": "Rennes"}} and address.person and address.person.language == "fr"
    browser().post(where, {"wish": "save", f"way-{first.pk}": "each", f"way-{other.pk}": "leave"})
    assert not of(second).paused and of(second).pause_until is None
    assert not Membership.objects.filter(list=village.list, address=address, until__isnull=True).exists()
    assert Membership.objects.filter(list=village.other, address=address, until__isnull=True).exists()


def test_getting_changes_nothing_and_wrong_tokens_say_nothing(village: World, second: List) -> None:
    token = copy_of(second)
    browser().get(reverse("preferences", args=[token]), {"wish": "leave-all"})
    assert of(second) and of(village.list)
    assert browser().get(reverse("preferences", args=[token[:-1] + ("a" if token[-1] != "a" else "b")])).status_code == 404
    assert browser().post(reverse("preferences", args=["x" * 40]), {"wish": "leave-all"}).status_code == 404


def test_leaving_everything_and_what_is_wrong_is_said(village: World, second: List) -> None:
    where, first = reverse("preferences", args=[copy_of(second)]), of(second)
    for wrong in ({f"way-{first.pk}": "pause"}, {f"way-{first.pk}": "pause", f"until-{first.pk}": "1999-01-01"}, {f"way-{first.pk}": "daily-fax"}, {"wish": "move", "new": "nobody"}):
        page = browser().post(where, {"wish": "save", **wrong})
        assert page.status_code == 422 and 'role="alert"' in page.content.decode()
    browser().post(where, {"wish": "leave-all"})
    assert not Membership.objects.filter(address__email=ANNA, until__isnull=True).exists()
    assert "You receive nothing from Saule" in browser().get(where).content.decode()


def test_being_known_by_name_is_agreed_to_and_taken_back(village: World, second: List) -> None:
    where = reverse("preferences", args=[copy_of(second)])
    assert "asked-tracking" not in browser().get(where).content.decode()
    lists.set_policy(second, {"tracking": "people"}, "test", timezone.now())
    assert "asked-tracking" in browser().get(where).content.decode()
    address = Address.objects.get(email=ANNA)
    browser().post(where, {"wish": "save", "asked-tracking": "1", "tracking": "1"})
    assert tracking.agrees(address, second.organisation)
    browser().post(where, {"wish": "save", "asked-tracking": "1"})
    assert not tracking.agrees(address, second.organisation)


def test_a_new_address_is_asked_by_letter_and_takes_the_place_of_the_old_one(village: World, second: List) -> None:
    where = reverse("preferences", args=[copy_of(second)])
    memberships.set_delivery(village.list, [ANNA], DeliveryMode.NONE, timezone.now(), by="test")
    attributes.define(second, timezone.now(), by="", label="Ville", key="town")
    attributes.write(second, Address.objects.get(email=ANNA), {"town": "Rennes"}, timezone.now(), by="x", own=True)
    browser().post(where, {"wish": "move", "new": "Anna.Neuve@courriel.example"})
    letter = readable(bytes(Mailing.objects.filter(letter="moving").latest("pk").blob.raw)).text
    found = re.search(r"http://testserver(/p/move/\S+)", letter)
    assert found and "Receive the lists of Saule here?" in browser().get(found[1]).content.decode() and of(second)
    assert "anna.neuve@" in browser().post(found[1]).content.decode().replace("<wbr>", "")
    new = Address.objects.get(email="anna.neuve@courriel.example")
    assert of(village.list, new.email).delivery == "none" and attributes.values_of(second, [new.pk]) == {new.pk: {"town": "Rennes"}}
    assert not Membership.objects.filter(address__email=ANNA, until__isnull=True).exists() and Mailing.objects.filter(letter="moved").exists()
    memberships.add(second, [(ANNA, "")], timezone.now(), by="import")  # no import brings the old one back
    assert not Membership.objects.filter(address__email=ANNA, until__isnull=True).exists()
    assert "on none of the lists" in browser().post(found[1]).content.decode()
    assert browser().get("/p/move/wrong").status_code == 410
