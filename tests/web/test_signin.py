"""Signing in by mailed link and by password; nobody learns who is known."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.flow import people
from colporteur.mail.parse import readable
from colporteur.store.mailings import Mailing
from colporteur.store.people import SignInAttempt, SignInLink
from tests.web.conftest import World, signed_in


def _letter() -> str:
    return readable(bytes(Mailing.objects.get(letter="signin").blob.raw)).text


def test_a_link_is_mailed_asks_and_signs_in_once(world: World) -> None:
    browser = signed_in(None)
    browser.post("/signin", {"email": world.moderator.primary_email.upper()})
    found = re.search(r"http://testserver(/s/\S+)", _letter())
    assert found
    asked = browser.get(found[1])
    assert asked.status_code == 200 and "_auth_user_id" not in browser.session  # GET never acts
    assert str(world.moderator) in asked.content.decode()
    assert browser.post(found[1])["Location"] == "/"
    assert browser.session["_auth_user_id"] == str(world.moderator.pk)
    assert signed_in(None).post(found[1]).status_code == 410


def test_known_and_unknown_addresses_are_answered_alike(world: World) -> None:
    browser = signed_in(None)
    known, unknown = (browser.post("/signin", {"email": email}).content.decode().replace(email, "X") for email in (world.owner.primary_email, "personne@nulle.example"))
    strip = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    assert strip.sub("", known) == strip.sub("", unknown)
    assert Mailing.objects.filter(letter="signin").count() == 1


def test_a_mailbox_is_not_flooded_with_links(world: World) -> None:
    browser = signed_in(None)
    for _time in range(8):
        assert browser.post("/signin", {"email": world.owner.primary_email}).status_code == 200
    assert Mailing.objects.filter(letter="signin").count() == 5


def test_an_expired_link_says_what_to_do(world: World) -> None:
    url = people.sign_in_link(world.owner.primary_email, timezone.now()).removeprefix("http://testserver")
    SignInLink.objects.update(expires=timezone.now() - timedelta(minutes=1))
    for answer in (signed_in(None).get(url), signed_in(None).post(url)):
        assert answer.status_code == 410 and "/signin" in answer.content.decode()


@pytest.mark.parametrize("verified", [True, False])
def test_password_with_a_verified_address(world: World, verified: bool) -> None:
    world.owner.addresses.update(verified_at=timezone.now() if verified else None)
    signed_in(world.owner).post("/account/password", {"new": "une phrase facile à retenir"})
    browser = signed_in(None)
    browser.post("/signin/password", {"email": world.owner.primary_email, "password": "une phrase facile à retenir"})
    assert ("_auth_user_id" in browser.session) is verified
    wrong = signed_in(None).post("/signin/password", {"email": world.owner.primary_email, "password": "autre"})
    assert wrong.status_code == 200 and "do not go together" in wrong.content.decode()


def test_the_present_password_is_asked_before_a_new_one(world: World) -> None:
    world.owner.set_password("la première phrase")
    world.owner.save()
    browser = signed_in(world.owner)
    assert browser.post("/account/password", {"old": "fausse", "new": "la deuxième phrase"}).status_code == 200
    assert browser.post("/account/password", {"old": "la première phrase", "new": "courte"}).status_code == 200
    assert browser.post("/account/password", {"old": "la première phrase", "new": "la deuxième phrase"}).status_code == 302
    world.owner.refresh_from_db()
    assert world.owner.check_password("la deuxième phrase")


def test_onward_leads_to_our_own_pages_only(world: World) -> None:
    world.owner.addresses.update(verified_at=timezone.now())
    world.owner.set_password("une phrase facile à retenir")
    world.owner.save()
    for wish, where in (("/sending/", "/sending/"), ("https://mal.example/", "/"), ("//mal.example", "/"), ("/\\mal.example", "/")):
        answer = signed_in(None).post("/signin/password", {"email": world.owner.primary_email, "password": "une phrase facile à retenir", "next": wish})
        assert answer["Location"] == where


def test_somebody_switched_off_is_out_at_once(world: World) -> None:
    browser = signed_in(world.owner)
    type(world.owner).objects.filter(pk=world.owner.pk).update(is_active=False)
    assert browser.get("/")["Location"].startswith("/signin")


def test_language_of_the_browser_then_of_the_person(world: World) -> None:
    assert 'lang="fr"' in signed_in(None, "fr").get("/signin").content.decode()
    browser = signed_in(world.owner, "en")
    assert '<html lang="en"' in browser.get("/").content.decode()
    browser.post("/language", {"language": "fr", "next": "/lists/"})
    assert '<html lang="fr"' in browser.get("/").content.decode()
    world.owner.refresh_from_db()
    assert world.owner.language == "fr"


def test_after_too_many_passwords_known_and_unknown_wait_alike(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right, now = "une phrase facile à retenir", timezone.now()
    world.owner.addresses.update(verified_at=now)
    world.owner.set_password(right)
    world.owner.save()
    strip = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    pages = []
    for email in (world.owner.primary_email, "personne@nulle.example"):
        browser = signed_in(None)
        for _time in range(10):
            assert browser.post("/signin/password", {"email": email, "password": "autre"}).status_code == 200
        waits = browser.post("/signin/password", {"email": email, "password": right})
        assert waits.status_code == 429 and "_auth_user_id" not in browser.session
        pages.append(strip.sub("", waits.content.decode().replace(email, "X")))
    assert pages[0] == pages[1] and "Too many attempts" in pages[0]
    monkeypatch.setattr("colporteur.web.signin.views.timezone.now", lambda: now + timedelta(minutes=16))
    browser = signed_in(None)
    assert browser.post("/signin/password", {"email": world.owner.primary_email, "password": right}).status_code == 302


@pytest.mark.parametrize(("trusted", "seen"), [(True, "198.51.100.1"), (False, "192.0.2.7")])
def test_only_a_trusted_proxy_says_where_somebody_comes_from(world: World, monkeypatch: pytest.MonkeyPatch, trusted: bool, seen: str) -> None:
    monkeypatch.setattr("django.conf.settings.TRUSTED_PROXY", trusted)
    signed_in(None).post("/signin/password", {"email": "a@nulle.example", "password": "x"}, REMOTE_ADDR="192.0.2.7", headers={"x-forwarded-for": "203.0.113.9, 198.51.100.1"})
    assert set(SignInAttempt.objects.values_list("of", flat=True)) == {"address:a@nulle.example", f"client:{seen}"}
