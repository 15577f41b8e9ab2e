"""The first half of KAZ's path: from an account to an activated list with its first 5,000 members, by web pages and letters."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from colporteur.flow import enrolments, intake, moderation, organisations, people, planning
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.organisations import Creation
from tests.flow.posts import letters, text
from tests.story.scenes import a_transport, message

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LIST = "choristes@kaz.example"


def follows(browser: Client, letter: str, pattern: str) -> str:
    """The path of a link in the latest letter of that name."""
    [*_, (_name, _to, found)] = letters(letter)
    link = re.search(pattern, text(found))
    assert link, text(found)
    return link[0]


def test_from_account_to_activated_list_with_its_members() -> None:
    a_transport("folder:///tmp/colporteur-tests-outbox")
    domain = organisations.add_domain("kaz.example", organisations.organisation_called("KAZ", language="fr"), NOW, by="test")
    organisations.change_domain(domain, {"creation": Creation.REQUEST.value}, NOW, by="test")
    people.add("admin@kaz.example", "Administratrice", admin=True, now=NOW)
    people.add("marie@courriel.example", "Marie", now=NOW, language="fr")

    marie = Client(headers={"accept-language": "fr"})  # signs in by a mailed link, without a password
    marie.post("/signin", {"email": "marie@courriel.example"})
    assert marie.post(follows(marie, "signin", r"/s/\S+")).status_code == 302
    assert "Demander une liste" in marie.get("/lists/").content.decode()
    form = {"name": "choristes", "domain": "kaz.example", "title": "Choristes", "template": "discussion", "purpose": "Les répétitions.", "owner": "jean@courriel.example"}
    settings = marie.post("/lists/ask", form)["Location"]
    made = List.objects.get(address=LIST)
    marie.post(settings, {"prefix": "[choristes]"})
    assert "attend un administrateur" in marie.get(settings).content.decode()
    marie.post(f"/lists/{made.pk}/members/add", {"lines": "a@a.example"})
    assert not made.memberships.exists() and intake.known(LIST).code == 550

    admin = Client(headers={"accept-language": "fr"})  # decides from the letter, without signing in
    link = follows(admin, "asked", r"/r/\S+\?do=activate")
    assert "Les répétitions." in admin.get(link).content.decode() and List.objects.get(address=LIST).state == "pending"
    assert "est activée" in admin.post(link, {"decision": "activate"}).content.decode()

    lines = "\n".join(f"choriste{number:04}@courriel.example Choriste {number}" for number in range(5000))
    handed = marie.post(follows(marie, "activated", r"/lists/\d+/members") + "/add", {"lines": lines})["Location"]
    assert enrolments.do_due(timezone.now()) == 1  # a worker reads them; she looks, and says yes
    assert "Ajouter 5\u202f000 personnes" in marie.get(handed).content.decode() and not made.memberships.exists()
    marie.post(handed, {"wish": "add"})
    assert enrolments.do_due(timezone.now()) == 1
    assert "5\u202f000 personnes sont ajoutées" in marie.get(handed).content.decode() and made.memberships.count() == 5000
    jean = Client()  # the second owner was told, and signs in with the letter's link
    where = follows(jean, "created", r"/s/\S+")
    assert jean.post(where)["Location"] == f"/lists/{made.pk}/settings" and jean.get(f"/lists/{made.pk}/settings").status_code == 200

    now = timezone.now()
    raw = message("choriste0001@courriel.example", to=LIST, subject="Samedi")
    assert [reply.code for (reply,) in intake.receive([intake.Incoming(raw, "choriste0001@courriel.example", (LIST,), "lmtp")], now)] == [250]
    moderation.judge_due(now)
    while planning.plan_due(now):
        pass
    assert Copy.objects.filter(mailing=Mailing.objects.get(list=made, kind="post")).count() == 5000
