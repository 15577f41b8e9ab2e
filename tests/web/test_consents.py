"""The consent ledger and the opposition list on the web: who reads what, searched, saved, changed."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from colporteur.flow import memberships
from colporteur.store import privacy
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Administrator
from colporteur.web.templatetags.look import proof
from tests.story.scenes import a_list, a_person, give_role
from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db
LEA = "lea@members.example"


def test_owners_read_it_at_the_member_administrators_search_and_save_all_they_look_after() -> None:
    amis, other = a_list(), a_list("autre@ailleurs.example", organisation="Ailleurs")
    owner = give_role(amis, RoleKind.OWNER, "olga@members.example").person
    organiser, admin = a_person("yann@members.example"), a_person("helene@members.example", admin=True)
    Administrator.objects.create(organisation=amis.organisation, person=organiser, since=timezone.now())
    given = memberships.Given("asked", wording="Do you <b>want</b> to join?", client="192.0.2.7", evidence="=request 7")
    for list_ in (amis, other):
        memberships.add(list_, [(LEA, "Léa")], timezone.now(), by="olga", given=given)
    member = Membership.objects.get(list=amis)
    page = signed_in(owner).get(reverse("member", args=[amis.pk, member.pk])).content.decode()
    assert "&lt;b&gt;want" in page and "192.0.2.7" in page and "Asked to join, and said yes" in page
    for person, rows in ((organiser, 1), (admin, 2)):
        browser = signed_in(person)
        assert browser.get(reverse("consents")).content.decode().count("192.0.2.7") == rows
        saved = b"".join(browser.get(reverse("consents-csv"), {"q": "LEA"}).streaming_content).decode()  # type: ignore[attr-defined]
        assert len(saved.splitlines()) == rows + 1 and "'=request 7" in saved and ",asked,olga," in saved
        for query in ({"q": "anna"}, {"list": "nobody"}, {"until": "2001-01-01"}, {"since": "2999-01-01"}):
            assert "192.0.2.7" not in browser.get(reverse("consents"), query).content.decode()
        assert "192.0.2.7" in browser.get(reverse("consents"), {"q": "lea", "list": "am", "since": "2020-02-30", "until": timezone.localdate().isoformat()}).content.decode()
    assert signed_in(owner).get(reverse("consents")).status_code == 404


def test_the_evidence_is_read_in_the_reader_s_language() -> None:
    asked = "request 7 by web, asked 2026-11-21T19:45:02+00:00, confirmed 2026-11-21T19:46:00+00:00"
    with translation.override("fr"):
        assert proof("enrolment 3, file membres.csv") == "ajout n° 3, membres.csv"
        assert proof(asked) == "demande n° 7, sur le web, posée\u202f: 21 novembre 2026 à 20\u00a0h\u00a045, confirmée\u202f: 21 novembre 2026 à 20\u00a0h\u00a046"
        assert proof(asked.partition(", confirmed")[0] + ", confirmed ") == "demande n° 7, sur le web, posée\u202f: 21 novembre 2026 à 20\u00a0h\u00a045"
        assert "posée\u202f: 1er décembre 2026" in proof("request 7 by web, asked 2026-12-01T08:00:00+00:00, confirmed ")
        assert proof("members.txt") == "members.txt"


def test_the_opposition_list_answers_about_addresses_one_knows_and_shows_none() -> None:
    amis, admin = a_list(), a_person("helene@members.example", admin=True)
    browser, where = signed_in(admin), reverse("oppositions")
    browser.post(where, {"lines": LEA, "wish": "oppose"})
    assert memberships.add(amis, [(LEA, "")], timezone.now(), by="test").refused and LEA not in browser.get(where).content.decode()
    assert browser.post(where, {"lines": f"{LEA}\nanna@members.example"}).context["answers"] == [(LEA, True), ("anna@members.example", False)]
    assert browser.post(where, {"lines": "rubbish", "wish": "end"}).status_code == 422
    browser.post(where, {"lines": LEA, "wish": "end"})
    assert not privacy.opposed([LEA]) and list(JournalEntry.objects.filter(event__startswith="opposition").order_by("id").values_list("values__count", flat=True)) == [1, 1]
