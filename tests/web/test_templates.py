"""Templates by the web: made, changed so that lists follow, deleted when none does; and not by others."""

from __future__ import annotations

from django.urls import reverse

from colporteur.store.lists import List
from colporteur.store.policies import policy
from colporteur.store.templates import OwnTemplate
from tests.web.conftest import World, signed_in


def test_from_a_shipped_template_to_lists_that_follow(world: World) -> None:
    browser = signed_in(world.organiser)
    assert "reaches the whole team at once" in browser.get(reverse("templates")).content.decode()  # every shipped one explains itself
    made = browser.post(reverse("template-add"), {"title": "Distributions", "sentence": "Lieux", "based_on": "working-group", "organisation": world.list.organisation_id})
    own = OwnTemplate.objects.get()
    assert made["Location"] == reverse("template-policy", args=[own.pk]) and own.organisation == world.list.organisation
    browser.post(reverse("list-about", args=[world.list.pk]), {"title": "Amapiens", "template": own.key})
    page = browser.get(reverse("template-policy", args=[own.pk])).content.decode()
    assert "1 list follows this template" in page, page[1500:4000]
    browser.post(reverse("template-policy", args=[own.pk]), {"own_copy": "no"})
    assert not policy(List.objects.select_related("organisation", "domain").get(pk=world.list.pk)).own_copy
    settings = browser.get(reverse("list-settings", args=[world.list.pk])).content.decode()
    assert "Template Distributions" in settings
    browser.post(reverse("template", args=[own.pk]), {"wish": "delete"})
    assert OwnTemplate.objects.exists()  # a list follows it
    browser.post(reverse("list-about", args=[world.list.pk]), {"title": "Amapiens", "template": "discussion"})
    browser.post(reverse("template", args=[own.pk]), {"title": "Lieux", "sentence": ""})
    assert OwnTemplate.objects.get().title == "Lieux"
    browser.post(reverse("template", args=[own.pk]), {"wish": "delete"})
    assert not OwnTemplate.objects.exists()


def test_an_organisations_administrator_makes_templates_for_that_organisation_only(world: World) -> None:
    browser = signed_in(world.organiser)
    values = {"title": "T", "sentence": "", "based_on": "discussion"}
    for organisation in ("", world.other.organisation_id):
        assert browser.post(reverse("template-add"), values | {"organisation": organisation}).status_code in (200, 404)
    assert not OwnTemplate.objects.exists()
    signed_in(world.admin).post(reverse("template-add"), values | {"organisation": ""})
    everybodys = OwnTemplate.objects.get()
    assert everybodys.organisation is None
    assert browser.get(reverse("template-policy", args=[everybodys.pk])).status_code == 404
    assert signed_in(world.admin).get(reverse("template-policy", args=[everybodys.pk])).status_code == 200
