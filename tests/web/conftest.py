"""The demo as a small world of people: Hélène administers, Yann looks after the organisation, Paul owns, Odile moderates, Anna is a member, Zoé belongs to another organisation."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client
from django.utils import timezone

from colporteur.flow import demo, lists, memberships, organisations, people, roles
from colporteur.flow.intake import Incoming, receive
from colporteur.flow.moderation import judge_due
from colporteur.mail.compose import Letter, compose
from colporteur.store.lists import List, RoleKind
from colporteur.store.organisations import Administrator
from colporteur.store.people import Person
from colporteur.store.posts import Post


@dataclass
class World:
    """Rows the screens show."""

    admin: Person
    organiser: Person  # administrator of the list's organisation
    owner: Person
    moderator: Person
    member: Person
    stranger: Person  # owner of a list of another organisation
    list: List
    other: List  # the stranger's


def raw_message(sender: str, name: str, to: str, subject: str, text: str = "Bonjour à toutes et à tous,\n\nÀ samedi.", html: str = "", original: bytes | None = None) -> bytes:
    """A plain message as a mail program writes it."""
    now = timezone.now()
    return compose(Letter(name, sender, "", to, subject, text, html, f"<{abs(hash((sender, subject)))}@{sender.rpartition('@')[2]}>", now, "fr", auto_submitted="", original=original))


def write_to(list_: List, sender: str, name: str, subject: str, **more: object) -> Post:
    """A message taken in and judged."""
    raw = raw_message(sender, name, list_.address, subject, **more)  # type: ignore[arg-type]
    receive([Incoming(raw=raw, mail_from=sender, recipients=(list_.address,), door="lmtp")], timezone.now())
    judge_due(timezone.now())
    return Post.objects.filter(list=list_).latest("pk")


@pytest.fixture
def world(db: None) -> World:
    """The demo, one list owned by Paul, and one of another organisation."""
    now = timezone.now()
    demo.fill(now)
    organisations.add_domain("ailleurs.example", organisations.organisation_called("Ailleurs"), now, by="test")
    other = lists.create("choeur@ailleurs.example", "discussion", "zoe@ailleurs.example", now, title="Chœur", by="test")
    list_ = List.objects.get(address=demo.AMAPIENS)
    roles.give(list_, "paul.kerneis@paniersdusaule.example", RoleKind.OWNER, now, by="test", name="Paul Kerneis")
    member = people.add("anna.rivoire@courriel.example", "Anna Rivoire", now=now)
    memberships.add(other, [("zoe@ailleurs.example", "Zoé")], now, by="test")
    organiser = people.add("yann.bescond@paniersdusaule.example", "Yann Bescond", now=now)
    Administrator.objects.create(organisation=list_.organisation, person=organiser, since=now)
    found = {name: people.find(email) for name, email in {"admin": demo.ADMINISTRATOR, "owner": "paul.kerneis@paniersdusaule.example", "moderator": demo.ODILE.email, "stranger": "zoe@ailleurs.example"}.items()}
    return World(member=member, organiser=organiser, list=list_, other=other, **found)  # type: ignore[arg-type]


@pytest.fixture
def held(world: World) -> Post:
    """A message that waits."""
    return write_to(world.list, demo.MARC.email, demo.MARC.name, "Covoiturage pour la visite de la ferme samedi")


def signed_in(person: Person | None, language: str = "en") -> Client:
    """A browser of this person; of nobody for None."""
    client = Client(headers={"accept-language": language})
    if person is not None:
        client.force_login(person, backend="colporteur.web.signin.backend.AddressBackend")
    return client


@pytest.fixture
def village(db: None) -> World:
    """The same people on one list each, without the demo's messages: for what concerns their accounts only."""
    now = timezone.now()
    for name, organisation in (("saule.example", "Saule"), ("ailleurs.example", "Ailleurs")):
        organisations.add_domain(name, organisations.organisation_called(organisation), now, by="test")
    found = {name: people.add(f"{email}.example", full, name == "admin", now=now) for name, email, full in (
        ("admin", "helene@saule", "Hélène Marchand"), ("organiser", "yann@saule", "Yann Bescond"), ("owner", "paul@saule", "Paul Kerneis"),
        ("moderator", "odile@courriel", "Odile Perrin"), ("member", "anna.rivoire@courriel", "Anna Rivoire"), ("stranger", "zoe@ailleurs", "Zoé"))}  # fmt: skip
    list_ = lists.create("amapiens@saule.example", "discussion", "paul@saule.example", now, by="test")
    other = lists.create("choeur@ailleurs.example", "discussion", "zoe@ailleurs.example", now, by="test")
    roles.give(list_, "odile@courriel.example", RoleKind.MODERATOR, now, by="test")
    memberships.add(list_, [("anna.rivoire@courriel.example", "Anna Rivoire")], now, by="test")
    Administrator.objects.create(organisation=list_.organisation, person=found["organiser"], since=now)
    return World(list=list_, other=other, **found)
