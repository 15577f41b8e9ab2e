"""A passkey made and used in a real Chromium with an authenticator of its own (WebDriver extension of WebAuthn, section 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from colporteur.store.credentials import Credential
from tests.servers import browser
from tests.web.conftest import World, signed_in


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as started:
        yield started


@pytest.fixture
def page(transactional_db: None, village: World, chromium: Browser, live_server: LiveServer, settings: object) -> Iterator[Page]:
    """A page of the owner's, on a device with a fingerprint reader."""
    settings.BASE_URL = live_server.url  # type: ignore[attr-defined]
    context = chromium.new_context(base_url=live_server.url, locale="en")
    cookie = signed_in(village.owner).cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    device = context.new_cdp_session(opened)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}})
    yield opened
    browser.leave(chromium)


def test_a_passkey_is_made_and_signs_in_and_works_no_more_when_removed(page: Page, village: World) -> None:
    page.goto("/account/security")
    page.get_by_label("Name of the device").fill("My phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("signs you in from now on")).to_be_visible()
    made = Credential.objects.get()
    assert made.person == village.owner and made.name == "My phone" and made.used_at is None
    page.context.clear_cookies()
    page.goto("/signin?next=/account/security")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(re.compile(r"\d/account/security$"))
    made.refresh_from_db()
    assert made.used_at is not None
    held, counter = Credential.objects.get(), made.counter
    Credential.objects.update(counter=counter + 100)  # as if a copy had signed elsewhere
    page.context.clear_cookies()
    page.goto("/signin")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("This passkey is not known here")).to_be_visible()
    Credential.objects.filter(pk=held.pk).update(counter=counter)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(re.compile(r"\d/(lists/)?$"))
    page.goto("/account/security")
    page.get_by_role("button", name="Remove My phone").click()
    expect(page.get_by_text("It signs nobody in any more")).to_be_visible()
    assert not Credential.objects.exists()
