"""Own texts by the web: fields, preview with real data, saving, and back to the standard."""

from __future__ import annotations

import re

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from colporteur.store.wordings import Wording
from tests.web.conftest import World, signed_in


def test_an_owner_rewrites_previews_and_goes_back(world: World) -> None:
    owner, where = signed_in(world.owner), reverse("list-wording", args=[world.list.pk, "waiting", "fr"])
    index = reverse("list-wordings", args=[world.list.pk])
    assert index in owner.get(reverse("list-settings", args=[world.list.pk])).content.decode() and where in owner.get(index).content.decode()
    page = owner.get(where).content.decode()
    assert "{{ subject }}" in page and world.list.address in page and "the standard text" in page
    typed = {"subject": "Votre message attend", "text": "Patience pour {{ title }} <script>"}
    preview = owner.post(where, typed | {"wish": "preview"}).content.decode()
    assert f"Patience pour {world.list.title} &lt;script&gt;" in preview and not Wording.objects.exists()
    saved = owner.post(where, typed | {"wish": "save"}, follow=True).content.decode()
    assert "rewritten here" in saved and Wording.objects.get().list == world.list
    assert re.search(r"fr\s*· rewritten", owner.get(index).content.decode())
    back = owner.post(where, {"wish": "reset"}, follow=True).content.decode()
    assert "the standard text" in back and not Wording.objects.exists()


def test_what_is_wrong_is_said_and_the_typed_text_stays(world: World) -> None:
    answer = signed_in(world.owner).post(reverse("list-wording", args=[world.list.pk, "waiting", "fr"]), {"wish": "save", "subject": "S", "text": "Mon {{ secret }}"})
    assert answer.status_code == 422 and "no field" in answer.content.decode() and "Mon {{ secret }}" in answer.content.decode()
    assert not Wording.objects.exists()


def test_every_place_and_letter_opens_and_what_is_not_there_does_not(world: World) -> None:
    admin = signed_in(world.admin, "fr")
    for base, place in (("site", []), ("organisation", [world.list.organisation_id]), ("domain", [world.list.domain_id]), ("list", [world.list.pk])):
        index = admin.get(reverse(f"{base}-wordings", args=place)).content.decode()
        pages = set(re.findall(r'href="(/[^"]+/wordings/[a-z]+/(?:en|fr))"', index))
        assert len(pages) > 40
        assert all(admin.get(page).status_code == 200 for page in pages)
        assert admin.get(reverse(f"{base}-wording", args=[*place, "nothing", "fr"])).status_code == 404
    assert admin.get(reverse("list-wording", args=[world.list.pk, "signin", "fr"])).status_code == 404
    assert signed_in(world.stranger).post(reverse("list-wording", args=[world.list.pk, "waiting", "fr"]), {"wish": "save", "subject": "S", "text": "x"}).status_code == 404
    assert not Wording.objects.exists()


def test_all_letters_are_listed_with_the_newest_message_asked_for_once(world: World) -> None:
    owner, index = signed_in(world.owner, "fr"), reverse("list-wordings", args=[world.list.pk])
    with CaptureQueriesContext(connection) as asked:
        page = owner.get(index).content.decode()
    assert sum('FROM "post"' in query["sql"] for query in asked) <= 2, "once for the page, once for the frame around it"
    assert world.list.title in page and "{{" not in page
