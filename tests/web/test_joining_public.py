"""The public pages for joining and leaving: every mode, no word about who is a member, no way to fill somebody's mailbox."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from colporteur.flow import attempts, errands, joining, strangers
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import Alias, List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import asked, letters, text
from tests.story.scenes import a_list, a_person, give_role, message
from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db
ANNA, MARC, OWNER = "anna@members.example", "marc@courriel.example", "olga@members.example"
JOIN, LEAVE = "/join/lists.example/amis", "/leave/lists.example/amis"


@pytest.fixture
def amis() -> List:
    """A list with an owner and a member."""
    list_ = a_list(members=[ANNA], title="Amis", joining="confirm")
    give_role(list_, RoleKind.OWNER, OWNER)
    return list_


def rules(list_: List, **policy: object) -> None:
    list_.policy = list_.policy | policy
    list_.save()


def member(list_: List, email: str = MARC) -> bool:
    return Membership.objects.filter(list=list_, address__email=email, until__isnull=True).exists()


def path_in(letter: str) -> str:
    found = re.search(r"http://testserver(/[ju]/\S+)", text(letters(letter)[-1][2]))
    assert found
    return found[1]


def test_a_stranger_confirms_by_the_link_and_nothing_happens_on_opening_it(amis: List) -> None:
    page = Client().get(JOIN, headers={"accept-language": "fr"}).content.decode()
    assert "Amis" in page and "website" in page
    answer = Client().post(JOIN, {"email": MARC, "name": "Buy pills at spam.example"}, headers={"accept-language": "fr"})
    assert answer.status_code == 200 and MARC in answer.content.decode().replace("<wbr>", "") and not member(amis)
    (_name, to, letter), = letters("joining")
    assert to == MARC and "pills" not in str(letter) and "Voulez-vous" in str(letter["Subject"])
    path = path_in("joining")
    Client().get(path)
    assert not member(amis)
    Client().post(path)
    assert member(amis) and "Bienvenue" in str(letters("joined")[-1][2]["Subject"])
    consent = Membership.objects.get(list=amis, address__email=MARC).consent
    assert consent and consent.client == "127.0.0.1" and "by web" in consent.evidence and "Quelqu" in consent.wording


def said(path: str, email: str) -> str:
    """What the page answers, without the address and the forms' own tokens."""
    page = Client().post(path, {"email": email}).content.decode().replace("<wbr>", "").replace(email, "X")
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


def test_the_answer_does_not_say_who_is_a_member(amis: List) -> None:
    assert said(JOIN, ANNA) == said(JOIN, MARC) and [to for _name, to, _letter in letters("joining")] == [MARC]
    assert [to for _name, to, _letter in letters("mine")] == [ANNA], "a member gets the link to the own page"
    assert said(LEAVE, ANNA) == said(LEAVE, MARC) == said(LEAVE, "nobody@courriel.example") and [to for _name, to, _letter in letters("leaving")] == [ANNA]
    assert not Address.objects.filter(email="nobody@courriel.example").exists()


def test_leaving_by_the_letters_link_or_by_an_answer(amis: List) -> None:
    Client().post(LEAVE, {"email": ANNA})
    path = path_in("leaving")
    assert "Leave" in Client().get(path, headers={"accept-language": "en"}).content.decode() and member(amis, ANNA)
    Client().post(path)
    assert not member(amis, ANNA)
    Membership.objects.update(until=None)
    token = str(letters("leaving")[-1][2]["Reply-To"]).partition("+")[2].partition("@")[0]
    asked(amis, "unsubscribe", message(ANNA, subject="Re: x"), token)
    errands.do_due(timezone.now())
    assert not member(amis, ANNA) and Membership.objects.get(list=amis, address__email=ANNA).left_by == "member"
    rules(amis, leaving="closed")
    assert "amis-owner@lists.example" in Client().get(LEAVE).content.decode() and len(letters("leaving")) == 1


def test_an_open_list_takes_the_signed_in_at_once_and_asks_others(amis: List) -> None:
    rules(amis, joining="open")
    person = a_person(MARC)
    Address.objects.create(email="other@courriel.example", person=person)  # not verified
    browser = signed_in(person)
    assert "other@courriel.example" not in browser.get(JOIN).content.decode()
    browser.post(JOIN, {"email": "victim@courriel.example"})
    assert not letters() and not Address.objects.filter(email="victim@courriel.example").exists()
    assert "is a member now" in browser.post(JOIN, {"email": MARC}).content.decode() and member(amis) and not letters("joining")
    row = Membership.objects.get(list=amis, address__email=MARC)
    assert row.consent and row.consent.how == "asked" and f"signed in as person {person.pk}" in row.consent.evidence
    Client().post(JOIN, {"email": "lea@courriel.example"})
    assert not member(amis, "lea@courriel.example") and len(letters("joining")) == 1


def test_an_owner_decides_without_or_after_a_confirmation_and_reads_the_answer(amis: List) -> None:
    rules(amis, joining="owner", join_question="Where do you live?")
    assert "Where do you live?" in Client().get(JOIN).content.decode()
    Client().post(JOIN, {"email": MARC, "words": "<b>Rue des Saules</b>"})
    assert not letters("joining") and [to for _name, to, _letter in letters("admit")] == [OWNER]
    owner = signed_in(Address.objects.get(email=OWNER).person)
    page = owner.get(f"/lists/{amis.pk}/joining").content.decode()
    assert "&lt;b&gt;Rue des Saules" in page and "not proven" in page and "/join/lists.example/amis" in page.replace("<wbr>", "")
    owner.post(f"/lists/{amis.pk}/joining/{JoinRequest.objects.get().pk}", {"decision": "accept"})
    row = Membership.objects.get(list=amis, address__email=MARC)
    assert row.note == "<b>Rue des Saules</b>" and row.consent and row.consent.wording == ""
    rules(amis, joining="approval")
    Client().post(JOIN, {"email": "lea@courriel.example"})
    assert len(letters("admit")) == 1 and letters("joining")[-1][1] == "lea@courriel.example"


@pytest.mark.parametrize(("policy", "joins", "leaves"), [
    ({"joining": "closed"}, 404, 200), ({"joining": "closed", "hidden": True}, 404, 404), ({"joining": "invited"}, 200, 200), ({"joining": "invited", "hidden": True}, 404, 404), ({"joining": "confirm", "hidden": True}, 200, 200),
])  # fmt: skip
def test_which_pages_are_there(amis: List, policy: dict[str, object], joins: int, leaves: int) -> None:
    rules(amis, **policy)
    assert (Client().get(JOIN).status_code, Client().get(LEAVE).status_code) == (joins, leaves)
    if policy["joining"] in ("closed", "invited"):
        Client().post(JOIN, {"email": MARC})
        assert not JoinRequest.objects.exists()


def test_a_list_that_is_off_has_no_page_and_one_that_moved_keeps_its_old_one(amis: List) -> None:
    Alias.objects.create(list=amis, address="copains@lists.example")
    assert "Amis" in Client().get("/join/LISTS.example/copains").content.decode()
    amis.domain.enabled = False  # type: ignore[union-attr]
    amis.domain.save()  # type: ignore[union-attr]
    assert [Client().get(where).status_code for where in (JOIN, LEAVE, "/join/lists.example")] == [404, 404, 404]


def test_the_lists_of_a_domain_without_the_hidden_and_the_closed(amis: List) -> None:
    for name, policy in (("secret", {"joining": "confirm", "hidden": True}), ("bureau", {"joining": "closed"}), ("comite", {"joining": "invited"}), ("velo", {"joining": "approval"})):
        a_list(f"{name}@lists.example", **policy)
    a_list("autre@ailleurs.example", joining="open")
    page = Client().get("/join/lists.example").content.decode().replace("<wbr>", "")
    assert [name for name in ("amis", "secret", "bureau", "comite", "velo", "autre") if f"{name}@" in page] == ["amis", "velo"]
    assert Client().get("/join/nowhere.example").status_code == 404
    ids = list(List.objects.values_list("pk", flat=True))
    assert Client().post("/join/lists.example", {"email": MARC}).status_code == 422
    Client().post("/join/lists.example", {"email": MARC, "list": ids})
    assert sorted(JoinRequest.objects.values_list("list__address", flat=True)) == ["amis@lists.example", "velo@lists.example"]
    mine = signed_in(Address.objects.get(email=OWNER).person)
    assert "velo" in mine.get("/join").content.decode() and Client().get("/join").status_code == 302


def test_nobodys_mailbox_is_filled(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        a_list(f"liste{number}@lists.example", joining="confirm")
        Client().post(f"/join/lists.example/liste{number}", {"email": MARC})
    assert len(letters("joining")) == strangers.OF_ADDRESS
    Client().post(JOIN, {"email": "bot@courriel.example", "website": "http://spam.example"})
    assert not Address.objects.filter(email="bot@courriel.example").exists()
    monkeypatch.setattr(strangers, "OF_LIST", 2)
    assert [Client().post(JOIN, {"email": f"victim{number}@courriel.example"}).status_code for number in range(4)] == [200, 200, 429, 429]
    monkeypatch.setattr(attempts, "OF_CLIENT", 1)
    assert [Client().post("/join/lists.example/liste0", {"email": f"v{number}@courriel.example"}, REMOTE_ADDR="192.0.2.7").status_code for number in range(3)] == [200, 429, 429]
    assert strangers.join(amis, MARC, timezone.now() + timedelta(days=2), joining.Asking()) == "taken" and len(letters("joining")) == strangers.OF_ADDRESS + 4


def test_a_proven_message_joins_an_open_list_at_once(amis: List) -> None:
    rules(amis, joining="open")
    amis.organisation.policy = {"trusted_servers": "mx.lists.example"}
    amis.organisation.save()
    proven = "Authentication-Results: mx.lists.example; dkim=pass header.d=courriel.example"
    asked(amis, "subscribe", message(MARC, headers=[proven.replace("mx.lists", "mx.evil")]), now=timezone.now())
    errands.do_due(timezone.now())
    assert not member(amis) and len(letters("joining")) == 1
    asked(amis, "request", message("lea@courriel.example", subject="subscribe", headers=[proven]), now=timezone.now())
    errands.do_due(timezone.now())
    assert member(amis, "lea@courriel.example") and "dkim=pass" in Membership.objects.get(address__email="lea@courriel.example").consent.evidence  # type: ignore[union-attr]
