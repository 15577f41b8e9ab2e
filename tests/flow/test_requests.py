"""Asking for a list: who may, what happens until it is decided, who is told, and links that decide."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.flow import creating, intake, lists, memberships, organisations, people, requests, roles, transports
from colporteur.flow.creating import Way
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.models import Mailing, SignInLink
from colporteur.store.organisations import Administrator, Domain
from colporteur.store.people import Address, Person
from colporteur.store.requests import ListRequest, RequestState
from tests.flow.posts import letters, text

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def domain() -> Domain:
    made = organisations.add_domain("kaz.example", organisations.organisation_called("KAZ"), NOW, by="test")
    organisations.change_domain(made, {"creation": "request"}, NOW, by="test")
    transports.add("outbox", "folder:///tmp/colporteur-tests-outbox", NOW)
    return made


@pytest.fixture
def root(domain: Domain) -> Person:
    return people.add("root@kaz.example", "Racine", admin=True, now=NOW)


@pytest.fixture
def marie(domain: Domain) -> Person:
    return people.add("marie@courriel.example", "Marie", now=NOW, language="fr")


def ask(person: Person, name: str = "chorale", **more: object) -> ListRequest:
    return requests.ask(person, f"{name}@kaz.example", "discussion", "Les choristes s’écrivent.", NOW, title="Chorale", **more)  # type: ignore[arg-type]


def test_a_request_makes_a_pending_list_and_tells_the_administrators_by_signed_links(root: Person, marie: Person) -> None:
    asked = ask(marie, owners=["jean@courriel.example", "marie@courriel.example"])
    assert asked.list is not None and asked.list.state == ListState.PENDING
    assert [holder.email for holder in roles.of(asked.list)] == ["marie@courriel.example", "jean@courriel.example"]
    assert intake.known("chorale@kaz.example").code == 550
    with pytest.raises(ValueError, match="waits for an administrator"):
        memberships.add(asked.list, [("anna@a.example", "")], NOW, by=marie)
    [(_letter, to, letter)] = letters("asked")
    said = text(letter)
    assert to == "root@kaz.example" and "Les choristes s’écrivent." in said and "jean@courriel.example" in said
    token = requests.token(asked, Address.objects.get(email=to))
    assert f"/r/{token}?do=activate" in said and f"/r/{token}?do=refuse" in said
    link = requests.read_token(token)
    assert link and link.request == asked and link.person == root


def test_settings_can_be_made_while_it_waits(root: Person, marie: Person) -> None:
    asked = ask(marie)
    assert asked.list
    lists.set_policy(asked.list, {"prefix": "[chorale]"}, marie, NOW)
    roles.give(asked.list, "odile@courriel.example", RoleKind.MODERATOR, NOW, by=marie)
    with pytest.raises(ValueError, match="state must be"):
        lists.change_all(asked.list, {"state": "active"}, NOW, by=marie)  # nobody activates by themselves
    requests.decide(asked.pk, True, NOW, by=root)
    found = lists.find("chorale@kaz.example")
    assert found.policy == {"prefix": "[chorale]"} and len(roles.of(found)) == 2


def test_activated_it_works_and_everybody_concerned_is_told(root: Person, marie: Person) -> None:
    asked = ask(marie, owners=["jean@courriel.example"])
    decided = requests.decide(asked.pk, True, NOW, by=root, reason="Bienvenue !")
    assert decided.won and decided.request.state == RequestState.ACTIVATED
    assert intake.known("chorale@kaz.example") == intake.TAKEN
    [(_letter, to, letter)] = letters("activated")
    assert to == "marie@courriel.example" and "Bienvenue !" in text(letter) and "est activée" in text(letter)
    [(_letter, to, letter)] = letters("created")  # the second owner learns of it, and how to sign in
    assert to == "jean@courriel.example" and "/s/" in text(letter)


def test_refused_the_name_is_free_again_and_the_reason_arrives(root: Person, marie: Person) -> None:
    asked = ask(marie)
    requests.decide(asked.pk, False, NOW, by=root, reason="Il y a déjà chorales@.")
    asked.refresh_from_db()
    assert (asked.state, asked.list, asked.decided_by) == (RequestState.REFUSED, None, root)
    assert not List.objects.exists()
    [(_letter, to, letter)] = letters("refused")
    assert to == "marie@courriel.example" and "Il y a déjà chorales@." in text(letter)
    assert ask(marie).list


def test_the_first_decision_counts(root: Person, marie: Person) -> None:
    asked = ask(marie)
    assert requests.decide(asked.pk, True, NOW, by=root).won
    later = requests.decide(asked.pk, False, NOW, by=root)
    assert not later.won and later.request.state == RequestState.ACTIVATED and List.objects.get().state == ListState.ACTIVE
    assert not requests.withdraw(asked.pk, NOW, by=marie).won


def test_who_asked_takes_it_back_and_nobody_is_written_to(root: Person, marie: Person) -> None:
    asked = ask(marie)
    before = Mailing.objects.count()
    assert requests.withdraw(asked.pk, NOW, by=marie).won and not List.objects.exists() and Mailing.objects.count() == before


def test_an_organisations_administrators_are_asked_instead_of_the_sites(root: Person, marie: Person, domain: Domain) -> None:
    yann = people.add("yann@kaz.example", "Yann", now=NOW)
    Administrator.objects.create(organisation=domain.organisation, person=yann, since=NOW)
    asked = ask(marie)
    assert [to for _letter, to, _message in letters("asked")] == ["yann@kaz.example"]
    token = requests.token(asked, Address.objects.get(email="yann@kaz.example"))
    assert requests.read_token(token)
    Administrator.objects.all().delete()
    assert requests.read_token(token) is None  # no administrator any more
    assert requests.read_token(requests.token(asked, Address.objects.get(email="marie@courriel.example"))) is None
    assert requests.read_token(token[:-1] + ("a" if token[-1] != "a" else "b")) is None


@pytest.mark.parametrize(("creation", "expected"), [
    ("nobody", (Way.NONE, Way.NONE)), ("administrators", (Way.NONE, Way.MAKE)), ("request", (Way.ASK, Way.MAKE)), ("anybody", (Way.MAKE, Way.MAKE)),
])  # fmt: skip
def test_who_makes_lists_on_a_domain(root: Person, marie: Person, domain: Domain, creation: str, expected: tuple[Way, Way]) -> None:
    organisations.change_domain(domain, {"creation": creation}, NOW, by="test")
    assert (creating.way(marie, domain), creating.way(root, domain)) == expected
    for person, way in zip((marie, root), expected, strict=True):
        assert [found.name for found in creating.domains(person, Way.MAKE)] == (["kaz.example"] if way is Way.MAKE else [])
        assert [found.name for found in creating.domains(person, Way.ASK)] == (["kaz.example"] if way is Way.ASK else [])
        if way is Way.MAKE:
            assert lists.create(f"x{person.pk}@kaz.example", "discussion", person.primary_email, NOW, by=person)
        else:
            with pytest.raises(ValueError, match=r"no lists are made|only administrators|asked for"):
                lists.create("x@kaz.example", "discussion", person.primary_email, NOW, by=person)
        if way is Way.NONE:
            with pytest.raises(ValueError, match=r"no lists are made|only administrators"):
                ask(person)
    assert creation != "nobody" or not List.objects.exists()


def test_one_person_cannot_flood_the_administrators(root: Person, marie: Person) -> None:
    for number in range(requests.MOST_OPEN):
        ask(marie, f"liste{number}")
    with pytest.raises(ValueError, match="wait until an administrator"):
        ask(marie, "encore")
    assert ListRequest.objects.count() == requests.MOST_OPEN == List.objects.count()


@pytest.mark.parametrize(("name", "purpose", "words"), [("chorale", "  ", "what the list is for"), ("chorale", "x" * 5000, "longer than"), ("postmaster", "p", "kept for the mail system"), ("chorale-owner", "p", "may not end")])
def test_a_request_that_cannot_be_leaves_nothing(root: Person, marie: Person, name: str, purpose: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        requests.ask(marie, f"{name}@kaz.example", "discussion", purpose, NOW)
    assert not List.objects.exists() and not ListRequest.objects.exists() and not Mailing.objects.exists()


def test_names_follow_the_rules_of_domain_organisation_and_site(root: Person, domain: Domain) -> None:
    organisations.change_domain(domain, {"name_begins": "Kaz-", "name_reason": "les listes du collectif", "forbidden_names": "*test*, direction*"}, NOW, by="test")
    for name, words in (("chorale", "begins with 'kaz-' here: les listes du collectif"), ("kaz-testing", r"forbidden name here \(\*test\*\)")):
        with pytest.raises(ValueError, match=words):
            lists.create(f"{name}@kaz.example", "discussion", "a@a.example", NOW, by="test")
    assert lists.create("kaz-chorale@kaz.example", "discussion", "a@a.example", NOW, by="test")
    for wrong in ({"forbidden_names": "a b@"}, {"name_begins": "é"}, {"creation": "everybody"}, {"colour": "red"}):
        with pytest.raises(ValueError):
            organisations.change_domain(domain, wrong, NOW, by="test")


def test_the_owner_of_a_list_made_directly_gets_a_link_that_signs_in_once_and_no_password(root: Person) -> None:
    made = lists.create("bureau@kaz.example", "discussion", "paul@courriel.example", NOW, by=root, notify=True)
    [(_letter, to, letter)] = letters("created")
    link = next(word for word in text(letter).split() if "/s/" in word)
    assert to == "paul@courriel.example" and "Racine" in text(letter) and link.endswith(f"?next=/lists/{made.pk}/settings")
    token = link.partition("/s/")[2].partition("?")[0]
    person = people.redeem(token, NOW)
    assert person is not None and person.primary_email == to and people.redeem(token, NOW) is None
    assert not person.has_usable_password()
    lists.create("autre@kaz.example", "discussion", "root@kaz.example", NOW, by=root, notify=True)
    assert len(letters("created")) == 1 and SignInLink.objects.count() == 1  # nobody is told of what they did themselves
