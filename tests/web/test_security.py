"""Accounts anybody makes, second steps, two accounts made one: through the screens."""

from __future__ import annotations

import re
import time

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from colporteur.domain import totp
from colporteur.flow import credentials, merging, people, roles
from colporteur.mail.parse import readable
from colporteur.store.credentials import Credential
from colporteur.store.lists import RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from colporteur.store.rights import Right, lists_for
from tests.web.conftest import World, signed_in


def link_in(letter: str, beginning: str) -> str:
    """The path of the link in the latest letter of that kind."""
    found = re.search(rf"http://testserver({beginning}\S+)", readable(bytes(Mailing.objects.filter(letter=letter).latest("id").blob.raw)).text)
    assert found
    return found[1]


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def with_app(person: Person) -> str:
    """Give a person an app whose codes of now are still good."""
    now, secret = timezone.now(), credentials.new_secret()
    credentials.add_app(person, secret, totp.code(secret, int(now.timestamp()) // totp.STEP), now)
    Credential.objects.update(counter=0)
    return secret


def code(secret: str) -> str:
    return totp.code(secret, int(time.time()) // totp.STEP)


def test_anybody_makes_an_account_which_gives_no_right(village: World) -> None:
    browser = signed_in(None)
    browser.post("/signin", {"email": "Inconnue@Nulle.example"})
    link = link_in("signup", "/signup/")
    assert browser.get(link).status_code == 200 and people.find("inconnue@nulle.example") is None  # GET never acts
    browser.post(link, {"name": "Une inconnue"})
    made = people.find("inconnue@nulle.example")
    assert made and is_in(browser) and made.addresses.get().verified_at and not made.is_admin
    assert not any(lists_for(made, right).exists() for right in Right)
    assert signed_in(None).post(link).status_code == 410


def test_accounts_can_be_closed_and_letters_are_bounded(village: World, settings: object) -> None:
    for _time in range(5):
        signed_in(None).post("/signin", {"email": "personne@nulle.example"})
    assert Mailing.objects.filter(letter="signup").count() == 3
    settings.SIGNUP = False  # type: ignore[attr-defined]
    signed_in(None).post("/signin", {"email": "autre@nulle.example"})
    assert Mailing.objects.filter(letter="signup").count() == 3


def test_the_app_is_set_up_with_its_picture_and_recovery_codes_are_shown_once(village: World) -> None:
    browser = signed_in(village.owner)
    page = browser.get(reverse("my-app")).content.decode()
    secret = browser.session["app_secret"]
    assert "data:image/svg" in page and secret[:4] in page
    assert "not the code" in browser.post(reverse("my-app"), {"code": "x"}).content.decode() and not Credential.objects.exists()
    codes = re.findall(r"<code>(\w{5}-\w{5})</code>", browser.post(reverse("my-app"), {"code": code(secret)}).content.decode())
    assert len(codes) == credentials.CODES and "10 codes left" in browser.get(reverse("my-security")).content.decode()
    assert codes[0] not in browser.get(reverse("my-security")).content.decode()


def test_link_and_password_ask_for_the_second_step(village: World) -> None:
    village.owner.addresses.update(verified_at=timezone.now())
    village.owner.set_password("une phrase facile")
    village.owner.save()
    secret = with_app(village.owner)
    link = people.sign_in_link(village.owner.primary_email, timezone.now()).removeprefix("http://testserver")
    for way, form in ((link + "?next=/account", {}), ("/signin/password?next=/account", {"email": village.owner.primary_email, "password": "une phrase facile"})):
        Credential.objects.update(counter=0)
        browser = signed_in(None)
        assert browser.post(way, form)["Location"] == reverse("signin-second") and not is_in(browser)
        assert browser.get("/account").status_code == 302
        assert "This code is wrong" in browser.post("/signin/second", {"code": "123"}).content.decode() and not is_in(browser)
        assert browser.post("/signin/second", {"code": code(secret)})["Location"] == "/account" and is_in(browser)
    assert signed_in(None).post("/signin/second", {"code": code(secret)})["Location"] == "/signin"  # without a first step


def test_what_decides_who_gets_in_asks_to_sign_in_again_after_a_while(village: World) -> None:
    browser = signed_in(village.owner)
    session = browser.session
    session["signed_in_at"] = int(time.time()) - 7200
    session.save()
    assert browser.get("/account").status_code == 200
    assert browser.get(reverse("my-app"))["Location"].startswith("/signin?next=") and not is_in(browser)


def test_signing_out_everywhere_keeps_this_device_only(village: World) -> None:
    here, there = signed_in(village.owner), signed_in(village.owner)
    link = people.sign_in_link(village.owner.primary_email, timezone.now()).removeprefix("http://testserver")
    here.post(reverse("my-sessions-end"))
    assert here.get("/account").status_code == 200 and there.get("/account").status_code == 302
    assert signed_in(None).post(link).status_code == 410


def test_administrators_need_two_steps_where_the_option_says_so(village: World, settings: object) -> None:
    settings.ADMIN_TWO_STEPS = True  # type: ignore[attr-defined]
    assert signed_in(village.owner).get("/lists/").status_code == 200
    for person in (village.admin, village.organiser):
        browser = signed_in(person)
        assert browser.get("/lists/")["Location"] == reverse("my-security")
        assert "Two steps are needed" in browser.get(reverse("my-security")).content.decode()
        browser.get(reverse("my-app"))
        browser.post(reverse("my-app"), {"code": code(browser.session["app_secret"])})
        assert browser.get("/lists/").status_code == 200
        Credential.objects.update(counter=0)
        assert signed_in(person).get("/lists/")["Location"] == reverse("signin-second")


def test_an_administrator_takes_second_steps_away(village: World) -> None:
    with_app(village.owner)
    browser, page = signed_in(village.owner), reverse("person", args=[village.owner.pk])
    assert "Take app and passkeys away" in signed_in(village.admin).get(page).content.decode()
    signed_in(village.admin).post(page, {"wish": "reset"})
    assert not Credential.objects.exists() and browser.get("/account").status_code == 302


def test_two_accounts_become_one_by_a_letter_to_each(village: World) -> None:
    now = timezone.now()
    for person in (village.member, village.owner):
        person.addresses.update(verified_at=now)
    roles.give(village.list, village.member.primary_email, RoleKind.MODERATOR, now, by="test")
    email, browser = village.member.primary_email, signed_in(village.owner)
    browser.post(reverse("my-addresses"), {"wish": "add", "email": email})
    first = link_in("address", "/account/addresses/")
    assert "an account of its own" in browser.get(first).content.decode()
    browser.post(first)
    assert Person.objects.filter(pk=village.member.pk).exists()  # one letter is not enough
    second = link_in("merge", "/account/merge/")
    assert signed_in(village.stranger).get(second).status_code == 404
    assert "What comes along" in browser.get(second).content.decode() and Person.objects.filter(pk=village.member.pk).exists()
    browser.post(second)
    assert not Person.objects.filter(pk=village.member.pk).exists() and people.find(email) == village.owner
    assert browser.get(second).status_code == 404
    assert set(village.owner.roles.filter(list=village.list).values_list("kind", flat=True)) == {"owner", "moderator"}


def test_a_mailbox_does_not_open_what_a_second_step_guards(village: World) -> None:
    now = timezone.now()
    village.owner.addresses.update(verified_at=now)
    with_app(village.member)
    address = village.member.addresses.get()
    browser = signed_in(village.owner)
    page = browser.post(reverse("my-address", args=[people.address_token(village.owner, address, now)]), follow=True).content.decode()
    assert "remove them first" in page and not Mailing.objects.filter(letter="merge").exists()
    browser.post(reverse("my-merge", args=[merging.token(village.owner, address, now)]))
    assert Person.objects.filter(pk=village.member.pk).exists()


def test_an_administrator_merges_what_is_the_same_person(village: World) -> None:
    browser, page = signed_in(village.admin), reverse("person-merge", args=[village.owner.pk])
    looked = browser.get(page, {"email": village.member.primary_email}).content.decode()
    assert "What comes along" in looked and Person.objects.filter(pk=village.member.pk).exists()
    assert "nobody here" in browser.get(page, {"email": "x@nulle.example"}).content.decode()
    assert "your own account" in browser.post(page, {"email": village.admin.primary_email}).content.decode()
    browser.post(page, {"email": village.member.primary_email})
    assert not Person.objects.filter(pk=village.member.pk).exists()


@pytest.mark.parametrize("where", ["signin-passkey", "my-passkeys"])
def test_a_made_up_passkey_is_no_passkey(village: World, where: str) -> None:
    browser = signed_in(village.owner if where == "my-passkeys" else None)
    browser.post(reverse(f"{where}-options"))
    for answer in ("", "{}", "[]", "null", '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": {}}'):
        assert browser.post(reverse(where), {"answer": answer}).status_code == 302
    assert not Credential.objects.exists() and is_in(browser) == (where == "my-passkeys")
