"""A person's page: the account is switched off and on by an administrator, never by oneself."""

from __future__ import annotations

from colporteur.store.people import Person
from tests.web.conftest import World, signed_in


def test_an_account_that_is_switched_off_signs_in_no_more_and_keeps_its_roles(world: World) -> None:
    admin, owner = signed_in(world.admin, "fr"), signed_in(world.owner)
    assert owner.get("/").status_code == 200
    answer = admin.post(f"/people/{world.owner.pk}/", {"wish": "off"}, follow=True).content.decode()
    assert "ne peut plus se connecter" in answer and "Réactiver le compte" in answer and "amapiens" in answer
    assert owner.get("/").status_code == 302  # its open session ends at once
    assert "/s/" not in admin.post(f"/people/{world.owner.pk}/", {"wish": "link"}).content.decode()
    admin.post(f"/people/{world.owner.pk}/", {"wish": "on"})
    assert Person.objects.get(pk=world.owner.pk).is_active


def test_nobody_switches_off_oneself_or_without_the_right(world: World) -> None:
    page = f"/people/{world.admin.pk}/"
    assert "Switch off" not in signed_in(world.admin).get(page).content.decode()
    signed_in(world.admin).post(page, {"wish": "off"})
    for person in (world.owner, world.moderator, world.member, world.stranger):
        assert signed_in(person).post(page, {"wish": "off"}).status_code == 404
    assert Person.objects.get(pk=world.admin.pk).is_active
