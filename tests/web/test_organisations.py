"""An organisation's page: administrators, quotas with their origin, naming rule; what only the site may change."""

from __future__ import annotations

import io
import re

from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from colporteur.flow import administrators, letters, limits, nesting, policies, quotas
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address
from tests.web.conftest import World, signed_in


def test_its_administrator_changes_names_and_offices_but_not_the_quotas(world: World) -> None:
    browser, where = signed_in(world.organiser), reverse("organisation", args=[world.list.organisation_id])
    organisation = Organisation.objects.get(pk=world.list.organisation_id)
    quotas.change(policies.site(), {"lists": "50"}, timezone.now(), by="test")
    page = browser.get(where).content.decode()
    assert "set for the site" in page and "Save the quotas" not in page and "paniersdusaule.example" in page
    browser.post(where, {"part": "quotas", "lists": "100"})
    browser.post(where, {"part": "about", "name": "Les Paniers", "language": "fr", "name_begins": "amap-", "name_reason": "", "forbidden_names": "test*"})
    browser.post(where, {"part": "give", "email": "paul.kerneis@paniersdusaule.example"})
    organisation.refresh_from_db()
    assert (organisation.quotas, organisation.name, organisation.name_begins) == ({}, "Les Paniers", "amap-")
    assert {one.primary_email for one in administrators.of(organisation)} == {"yann.bescond@paniersdusaule.example", "paul.kerneis@paniersdusaule.example"}
    assert "cannot be the beginning" in browser.post(where, {"part": "about", "name": "x", "language": "fr", "name_begins": "é"}).content.decode()
    gone = browser.post(where, {"part": "take", "email": "yann.bescond@paniersdusaule.example"})
    assert gone["Location"] == "/" and browser.get(where).status_code == 404  # the office was one's own


def test_the_sites_administrator_sets_quotas_and_sending_limits(world: World) -> None:
    browser, where = signed_in(world.admin), reverse("organisation", args=[world.list.organisation_id])
    browser.post(where, {"part": "quotas", "lists": "3", "domains": "", "members": "1000", "message_size": "10M", "rates": "200/hour\n2000/day"})
    organisation = Organisation.objects.get(pk=world.list.organisation_id)
    assert organisation.quotas == {"lists": 3, "members": 1000, "message_size": 10 * 1024 * 1024}
    assert [str(limit.rate) for limit in limits.show(limits.of_organisation(organisation))] == ["200/hour", "2000/day"]
    new = {"address": "x@paniersdusaule.example", "template": "discussion", "owner": "a@a.example"}
    assert "may have 3 lists" in browser.post(reverse("list-new"), new).content.decode()
    wrong = browser.post(where, {"part": "quotas", "lists": "beaucoup", "rates": "200/hour"}).content.decode()
    assert "must be a whole number" in wrong and "beaucoup" in wrong
    organisation.refresh_from_db()
    assert organisation.quotas["lists"] == 3


def _png() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (400, 100), "#c8102e").save(out, "PNG")
    return SimpleUploadedFile("logo.png", out.getvalue(), content_type="image/png")


def test_its_look_is_on_pages_of_its_people_and_in_letters(world: World) -> None:
    browser, where = signed_in(world.organiser), reverse("organisation", args=[world.list.organisation_id])
    browser.post(where, {"part": "look", "colour": "#C8102E", "logo": _png()})
    organisation = Organisation.objects.get(pk=world.list.organisation_id)
    page = browser.get(reverse("list", args=[world.list.pk])).content.decode()
    stranger = Client()
    style, picture = (stranger.get(found) for found in re.findall(r'/look/[^"]+', page)[:2])
    assert style["Content-Type"].startswith("text/css") and b"--blue: #b00e28" in style.content
    assert picture["Content-Type"] == "image/png" and picture["X-Content-Type-Options"] == "nosniff" and "sandbox" in picture["Content-Security-Policy"]
    assert stranger.get(reverse("look-logo", args=[organisation.pk, "0" * 16])).status_code == 404
    assert f"/look/{organisation.pk}/{organisation.logo}.png" in render_to_string("memberships/leave.html", {"list": List.objects.get(pk=world.list.pk)})
    address = Address.objects.get(email=world.member.primary_email)
    letters.send("left", address, timezone.now(), fields={"list": world.list.address, "title": "x", "email": address.email, "owner": "o@a.example"}, list_=List.objects.get(pk=world.list.pk))
    assert b"f2c6cd" in bytes(Mailing.objects.latest("pk").blob.raw)
    browser.post(where, {"part": "look", "colour": "", "without": "on"})
    assert "/look/" not in browser.get(reverse("list", args=[world.list.pk])).content.decode()


def test_what_is_no_logo_is_refused_and_nothing_is_half_done(world: World) -> None:
    browser, where = signed_in(world.organiser), reverse("organisation", args=[world.list.organisation_id])
    page = browser.post(where, {"part": "look", "colour": "#c8102e", "logo": SimpleUploadedFile("a.svg", b"<svg><script/></svg>")}).content.decode()
    assert "SVG files are not taken" in page
    assert "is not a colour" in browser.post(where, {"part": "look", "colour": "red"}).content.decode()
    organisation = Organisation.objects.get(pk=world.list.organisation_id)
    assert (organisation.colour, organisation.logo) == ("", "")


def test_people_on_every_list_of_a_domain_are_named_by_its_administrators(world: World) -> None:
    browser, where = signed_in(world.organiser), reverse("domain", args=[world.list.domain_id])
    page = browser.post(where, {"part": "everywhere-add", "email": "presidente@courriel.example"}, follow=True).content.decode()
    assert "presidente" in page and "On every list" in page
    assert "like name@example.org" in browser.post(where, {"part": "everywhere-add", "email": "personne"}, follow=True).content.decode()
    assert signed_in(world.owner).post(where, {"part": "everywhere-add", "email": "intrus@courriel.example"}).status_code == 404
    browser.post(where, {"part": "everywhere-remove", "email": "presidente@courriel.example"})
    assert nesting.on_every(Domain.objects.get(pk=world.list.domain_id)) == []
