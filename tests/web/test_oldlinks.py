"""Links to unsubscribe in newsletters SPIP sent: proven they ask and act, unproven they do nothing and tell nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.test import Client

from colporteur.flow import organisations
from colporteur.flow.imports import spip
from colporteur.store.imports import Imported, OldSite
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain
from tests.flow.dumps import dump
from tests.flow.test_imports import NOW

pytestmark = pytest.mark.django_db
SECRET = "s" * 64
LISTS = ("id_mailsubscribinglist identifiant titre_public statut", [(3, "newsletter", "La lettre", "ouverte"), (7, "interne", "Interne", "ouverte")])
PEOPLE = ("id_mailsubscriber email optin date statut jeton lang", [(1, "Anna@exemple.example", "", "2019-01-01 10:00:00", "valide", "j1", "fr"), (2, "ben@exemple.example", "", "2019-01-01 10:00:00", "valide", "j2", "fr")])
ON = ("id_mailsubscriber id_mailsubscribinglist id_segment statut maj", [(number, list_, 0, "valide", "2019-01-01 10:00:00") for number in (1, 2) for list_ in (3, 7)])


def bring(tmp_path: Path, secret: str = SECRET, keys: Path | None = None) -> list[str]:
    if not Domain.objects.exists():
        organisations.add_domain("lettres.saule.example", None, NOW, by="test")
    file = tmp_path / "site.sql"
    meta = ("nom valeur", [("secret_du_site", secret), ("adresse_site", "https://www.saule.example")])
    file.write_bytes(dump({"meta": meta, "mailsubscribinglists": LISTS, "mailsubscribers": PEOPLE, "mailsubscriptions": ON}))
    return spip.run(spip.File(file, keys=keys), NOW, by="test").notes


def link(email: str, jeton: str, *lists: int, path: str = "/spip.php", key: str = "") -> str:
    text = f"unsubscribe-{email}-{jeton}{''.join(f'+{one}' for one in lists)}"
    key = key or hashlib.sha1((text + SECRET).encode()).hexdigest()
    return f"{path}?{urlencode({'action': 'unsubscribe_mailsubscriber', 'email': email, 'arg': '-'.join([*map(str, lists), key])})}"


def on(email: str) -> set[str]:
    return set(Membership.objects.filter(email=email, until__isnull=True).values_list("list__title", flat=True))


def test_a_proven_link_asks_and_then_leaves_the_lists_it_names(tmp_path: Path) -> None:
    bring(tmp_path)
    browser, where = Client(enforce_csrf_checks=True), link("Anna@exemple.example", "j1", 3)
    page = browser.get(where).content.decode()
    assert "Leave the list La lettre?" in page and on("anna@exemple.example") == {"La lettre", "Interne"}, "who only looks leaves nothing"
    assert "You left the list La lettre" in browser.post(where, {"List-Unsubscribe": "One-Click"}).content.decode()
    assert on("anna@exemple.example") == {"Interne"} and on("ben@exemple.example") == {"La lettre", "Interne"}
    assert browser.post(where).status_code == 200 and "You are unsubscribed" in browser.get(where).content.decode()
    everything = link("ben@exemple.example", "j2", path="/")
    assert "Leave these lists?" in browser.get(everything.replace("&arg", "&amp;arg")).content.decode(), "as some mail programs hand it on"
    assert browser.post(link("ben@exemple.example", "j2", 99)).status_code == 200 and on("ben@exemple.example") == {"La lettre", "Interne"}, "of a list that did not come here no other is left"
    assert browser.post(link("ben@exemple.example", "j2", path="/blog/spip.php")).status_code == 200 and on("ben@exemple.example") == set()


def test_an_unproven_link_does_nothing_tells_nothing_and_offers_a_letter(tmp_path: Path) -> None:
    bring(tmp_path)
    browser = Client(enforce_csrf_checks=True)
    pages = []
    for where in (link("Anna@exemple.example", "j1", 3, key="0" * 40), link("Anna@exemple.example", "j2", 3), link("nobody@exemple.example", "j1"), link("Anna@exemple.example", "j1").partition("&arg")[0], link("<b>\x00", "j1")):
        for answer in (browser.get(where), browser.post(where, {"List-Unsubscribe": "One-Click"})):
            assert answer.status_code == 200
            pages.append(answer.content.decode())
    assert all("Send me the link" in page and 'action="/mine"' in page and "<b>\x00" not in page for page in pages)
    assert on("anna@exemple.example") == {"La lettre", "Interne"} and not Mailing.objects.exists()
    assert Client().post("/mine", {"email": "anna@exemple.example"}).status_code == 200 and Mailing.objects.get().kind == "letter"


def test_newer_sites_need_their_file_of_keys(tmp_path: Path) -> None:
    half, other = bytes(range(32)), bytes(range(50, 82))
    assert any("--keys" in note for note in bring(tmp_path, base64.b64encode(half).decode()))
    keys = tmp_path / "cles.php"
    keys.write_text("<?php die ('Acces interdit'); ?>\n" + json.dumps({"secret_du_site": base64.b64encode(other).decode()}))
    before = Imported.objects.count()
    for _time in range(2):
        assert not any("--keys" in note for note in bring(tmp_path, base64.b64encode(half).decode(), keys))
    assert Imported.objects.count() == before and OldSite.objects.count() == 1 and base64.b64encode(half).decode() not in OldSite.objects.get().keys_sealed
    secret = bytes(one ^ two for one, two in zip(half, other, strict=True))
    key = hmac.new(secret, b"unsubscribe-ben@exemple.example-j2+7", hashlib.sha256).hexdigest()
    assert Client().post(link("ben@exemple.example", "j2", 7, key=key)).status_code == 200 and on("ben@exemple.example") == {"La lettre"}
    keys.write_text("nothing")
    with pytest.raises(ValueError, match=r"cles\.php"):
        bring(tmp_path, base64.b64encode(half).decode(), keys)


def test_other_addresses_of_the_old_site_are_not_here(tmp_path: Path) -> None:
    assert Client().get("/spip.php?page=article").status_code == 404 and List.objects.count() == 0
