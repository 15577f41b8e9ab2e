"""The page of a domain's signing keys."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.adapters import dns
from colporteur.flow import signing
from colporteur.store.organisations import Domain
from colporteur.store.signing import SigningKey
from tests.web.conftest import World, signed_in


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What the DNS says, by name."""
    found: dict[str, tuple[str, ...]] = {}

    async def texts(names: Any) -> list[tuple[str, tuple[str, ...] | None]]:
        return [(name, found.get(name, ())) for name in names]

    monkeypatch.setattr(dns, "texts", texts)
    return found


def test_from_making_the_keys_to_retiring_one(world: World, zone: dict[str, tuple[str, ...]]) -> None:
    browser, domain = signed_in(world.admin), Domain.objects.get(pk=world.list.domain_id)
    page, do = reverse("domain-signing", args=[domain.pk]), reverse("domain-signing-do", args=[domain.pk])
    assert "leaves unsigned" in browser.get(page).content.decode()
    assert page in browser.get(reverse("domain-policy", args=[domain.pk])).content.decode()
    browser.post(do, {"wish": "make"})
    rsa, edwards = signing.of_domain(domain)[::-1]
    shown = browser.get(page).content.decode()
    assert rsa.name in shown and rsa.record in shown and "&quot; &quot;" in shown and "Waits for its record" in shown and "PRIVATE" not in shown
    zone[rsa.name] = (rsa.record,)
    assert "Not every record" in browser.post(do, {"wish": "check"}, follow=True).content.decode()
    shown = browser.get(page).content.decode()
    assert "Signs the mail" in shown and "is not in the DNS yet" in shown and "is signed (DKIM)" in shown
    assert "was not seen in the DNS" in browser.post(do, {"wish": "use", "key": edwards.selector}, follow=True).content.decode()
    browser.post(do, {"wish": "retire", "key": rsa.selector})
    assert "still under way" in browser.post(do, {"wish": "delete", "key": rsa.selector}, follow=True).content.decode()
    browser.post(do, {"wish": "delete", "key": edwards.selector})
    assert [key.state for key in signing.of_domain(domain)] == ["retired"] and "Earlier keys" in browser.get(page).content.decode()


def test_rotation_and_a_record_that_went_away(world: World, zone: dict[str, tuple[str, ...]]) -> None:
    browser, domain, now = signed_in(world.admin, "fr"), Domain.objects.get(pk=world.list.domain_id), timezone.now()
    do = reverse("domain-signing-do", args=[domain.pk])
    for _ in range(2):
        browser.post(do, {"wish": "ed25519"})
        key = signing.of_domain(domain)[0]
        zone[key.name] = (key.record,)
        browser.post(do, {"wish": "check"})
    assert "Publiée, pas encore employée" in browser.get(reverse("domain-signing", args=[domain.pk])).content.decode()
    browser.post(do, {"wish": "use", "key": key.selector})
    assert list(SigningKey.objects.order_by("id").values_list("state", flat=True)) == ["retired", "used"]
    signing.looked_up(key.pk, [], now)
    assert "mais son enregistrement n’y est pas" in browser.get(reverse("domain-signing", args=[domain.pk])).content.decode()


def test_a_key_nobody_has_and_a_wish_nobody_knows_change_nothing(world: World) -> None:
    browser, domain = signed_in(world.admin), Domain.objects.get(pk=world.list.domain_id)
    do = reverse("domain-signing-do", args=[domain.pk])
    assert "has no key called" in browser.post(do, {"wish": "retire", "key": "none"}, follow=True).content.decode()
    assert browser.post(do, {"wish": "anything"}).status_code == 302 and not SigningKey.objects.exists()
