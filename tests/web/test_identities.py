"""Signing in with another site: only what it signed and verified is believed, and nobody is connected without saying so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from colporteur.flow import identities, people
from colporteur.mail.parse import readable
from colporteur.store.identities import Identity, IdentityProvider
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import Mailing
from colporteur.store.people import Person
from tests.servers.oidc import Provider
from tests.web.conftest import World, signed_in

ANNA = {"sub": "248289761001", "email": "anna.rivoire@courriel.example", "email_verified": True, "name": "Anna Rivoire"}
NEW = {"sub": "7", "email": "Nouvelle@Courriel.example", "email_verified": True, "name": "Une nouvelle"}


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with Provider() as started:
        yield started


@pytest.fixture
def there(server: Provider, village: World) -> Provider:
    """A provider that knows us."""
    made = identities.add("Le Saule", server.issuer + "/", server.client_id, server.secret, timezone.now(), by="test")
    server.redirect = "http://testserver" + reverse("signin-back", args=[made.pk])
    server.who, server.spoil, server.forge, server.quiet = dict(ANNA), {}, False, False
    return server


def comes_back(browser: Client, follow: bool = False) -> object:
    """From the button to the provider and back."""
    number = IdentityProvider.objects.get().pk
    away = browser.get(reverse("signin-with", args=[number]) + "?next=/mine-lists")
    returned = httpx.get(away["Location"])
    return browser.get(returned.headers["Location"].removeprefix("http://testserver"), follow=follow)


def signed_in_as(browser: Client) -> Person | None:
    return Person.objects.filter(pk=browser.session.get("_auth_user_id", 0)).first()


def test_a_known_address_is_connected_by_letter_and_then_signs_in(village: World, there: Provider) -> None:
    village.member.addresses.update(verified_at=timezone.now())
    browser = signed_in(None)
    assert "Look in your mailbox" in comes_back(browser).content.decode() and signed_in_as(browser) is None  # type: ignore[attr-defined]
    link = re.search(r"http://testserver(/signin/connect/\S+)", readable(bytes(Mailing.objects.get(letter="connect").blob.raw)).text)
    assert link and browser.get(link[1]).status_code == 200 and not Identity.objects.exists()  # GET never acts
    browser.post(link[1])
    assert signed_in_as(browser) == village.member
    assert signed_in(None).post(link[1]).status_code == 410
    assert JournalEntry.objects.get(event="signin.added").values["way"] == "Le Saule"
    other = signed_in(None)
    there.who["email"] = "elsewhere@courriel.example"  # the account counts, not the address, once it is connected
    assert comes_back(other)["Location"] == "/mine-lists" and signed_in_as(other) == village.member  # type: ignore[index]
    assert {"code_challenge_method": "S256", "scope": "openid email profile"}.items() <= there.asked[-1].items()


def test_somebody_signed_in_connects_by_a_button_and_takes_it_away(village: World, there: Provider) -> None:
    there.who["email_verified"] = False
    browser = signed_in(village.owner)
    page = comes_back(browser, follow=True)
    assert "Connect Le Saule?" in page.content.decode() and not Identity.objects.exists()  # type: ignore[attr-defined]
    browser.post(reverse("my-identity"))
    assert Identity.objects.get().person == village.owner
    second = signed_in(village.member)
    comes_back(second, follow=True)
    assert "belongs to another person" in second.post(reverse("my-identity"), follow=True).content.decode()
    second.post(reverse("my-way-remove"), {"wish": "identity", "number": Identity.objects.get().pk})
    assert Identity.objects.exists()
    browser.post(reverse("my-way-remove"), {"wish": "identity", "number": Identity.objects.get().pk})
    assert not Identity.objects.exists()


@pytest.mark.parametrize("quiet", [False, True])
def test_new_accounts_are_made_where_that_is_switched_on(village: World, there: Provider, quiet: bool) -> None:
    there.who, there.quiet = dict(NEW), quiet
    browser = signed_in(None)
    assert comes_back(browser).status_code == 403 and people.find("nouvelle@courriel.example") is None  # type: ignore[attr-defined]
    identities.change(IdentityProvider.objects.get(), timezone.now(), by="test", new_accounts=True)
    comes_back(browser)
    made = people.find("nouvelle@courriel.example")
    assert made and signed_in_as(browser) == made and made.name == "Une nouvelle" and made.addresses.get().verified_at and not made.is_admin


def test_an_address_it_did_not_verify_counts_for_nothing(village: World, there: Provider) -> None:
    identities.change(IdentityProvider.objects.get(), timezone.now(), by="test", new_accounts=True)
    for claims in ({**ANNA, "email_verified": False}, {**NEW, "email_verified": "no"}, {"sub": "8"}, {**NEW, "email": "no address"}):
        there.who = claims
        browser = signed_in(None)
        assert comes_back(browser).status_code == 403 and signed_in_as(browser) is None  # type: ignore[attr-defined]
    assert not Mailing.objects.filter(letter="connect").exists() and not Identity.objects.exists()


@pytest.mark.parametrize("spoil", [{"iss": "https://elsewhere.example"}, {"aud": "another"}, {"aud": ["colporteur", "another"]}, {"exp": 1_700_000_000}, {"nonce": "another"}, {"sub": None}, "forge"])
def test_a_token_that_cannot_be_believed_signs_nobody_in(village: World, there: Provider, spoil: object) -> None:
    identities.connect(IdentityProvider.objects.get(), ANNA["sub"], "", village.member, timezone.now())  # type: ignore[arg-type]
    there.forge, there.spoil = spoil == "forge", spoil if isinstance(spoil, dict) else {}
    browser = signed_in(None)
    assert comes_back(browser).status_code == 502 and signed_in_as(browser) is None  # type: ignore[attr-defined]


def test_an_answer_counts_once_and_in_the_browser_that_asked(village: World, there: Provider) -> None:
    identities.connect(IdentityProvider.objects.get(), ANNA["sub"], "", village.member, timezone.now())  # type: ignore[arg-type]
    browser, thief = signed_in(None), signed_in(None)
    away = browser.get(reverse("signin-with", args=[IdentityProvider.objects.get().pk]))
    answer = httpx.get(away["Location"]).headers["Location"].removeprefix("http://testserver")
    thief.get(reverse("signin-with", args=[IdentityProvider.objects.get().pk]))
    assert thief.get(answer).status_code == 502 and signed_in_as(thief) is None
    assert browser.get(answer).status_code == 302 and signed_in_as(browser) == village.member
    assert browser.get(answer).status_code == 502
    assert urlsplit(away["Location"]).netloc == urlsplit(there.issuer).netloc


def test_somebody_switched_off_stays_outside(village: World, there: Provider) -> None:
    identities.connect(IdentityProvider.objects.get(), ANNA["sub"], "", village.member, timezone.now())  # type: ignore[arg-type]
    people.switch(village.member, False, by="test")
    assert "switched off" in comes_back(signed_in(None)).content.decode()  # type: ignore[attr-defined]


def test_an_administrator_sets_it_up_and_the_secret_is_never_shown(village: World, server: Provider) -> None:
    browser = signed_in(village.admin)
    form = {"name": "Le Saule", "issuer": server.issuer, "client_id": "colporteur", "secret": "très-secret"}
    page = browser.post(reverse("identity-add"), form, follow=True).content.decode()
    made = IdentityProvider.objects.get()
    assert "answers" in page and "secret" not in made.secret and identities.secret_of(made) == "très-secret" and "très-secret" not in page
    browser.post(reverse("identity", args=[made.pk]), {"name": "Saule", "client_id": "other", "secret": "", "enabled": "on", "new_accounts": "on"})
    made.refresh_from_db()
    assert (made.name, made.client_id, made.new_accounts, identities.secret_of(made)) == ("Saule", "other", True, "très-secret")
    assert "Sign in with Saule" in signed_in(None).get("/signin").content.decode()
    wrong = browser.post(reverse("identity-add"), {**form, "name": "B", "issuer": "http://elsewhere.example"}).content.decode()
    assert "the issuer is an address like" in wrong
    assert "cannot be used" in browser.post(reverse("identity-add"), {**form, "name": "C", "issuer": server.issuer + "/none"}, follow=True).content.decode()
    browser.post(reverse("identity", args=[made.pk]), {"wish": "remove"})
    assert not IdentityProvider.objects.filter(name="Saule").exists()
