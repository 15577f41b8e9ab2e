"""Letters: who they come from, in which language, and how they are answered where a list has one address only."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.test import override_settings
from PIL import Image

from colporteur.domain.addresses import Service
from colporteur.flow import letters as flow
from colporteur.flow import look, moderation
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.organisations import Domain, Logo, Organisation
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from tests.flow.posts import NOW, arrives, html, letters, text
from tests.story.scenes import a_list, give_role, message

pytestmark = pytest.mark.django_db
FIELDS = {"list": "amis@lists.example", "title": "Amis", "subject": "S"}


def in_a_mailbox(**traits: bool) -> List:
    list_ = a_list("asso@hoster.example", members=["anna@members.example"], title="Asso", on_domain=False, posting="members")
    Mailbox.objects.create(list=list_, kind="imap", host="imap.hoster.example", port=993, user="asso", password_sealed="x", traits=traits)
    give_role(list_, RoleKind.MODERATOR, "claire@members.example")
    return list_


def an_address(email: str = "anna@members.example", language: str = "") -> Address:
    return Address.objects.create(email=email, person=Person.objects.create(name="Anna Durand", language=language))


def test_a_letter_is_a_mailing_of_one_copy_with_the_highest_priority() -> None:
    list_, to = a_list(), an_address()
    mailing = Mailing.objects.get(pk=flow.send("sent", to, NOW, fields=FIELDS, list_=list_))
    assert (mailing.kind, mailing.letter, mailing.priority, mailing.state, mailing.list_id) == ("letter", "sent", 0, "running", list_.pk)
    assert Copy.objects.filter(mailing=mailing).count() == 1


def test_a_letter_says_that_a_program_wrote_it_and_expects_no_report() -> None:
    flow.send("sent", an_address(), NOW, fields=FIELDS, list_=a_list())
    ((_name, _to, letter),) = letters()
    assert letter["Auto-Submitted"] == "auto-replied"
    assert letter["X-Auto-Response-Suppress"] == "All"
    assert letter["To"] == "Anna Durand <anna@members.example>"
    assert Mailing.objects.get().envelope_sender == ""


@pytest.mark.parametrize(
    ("person", "list_", "organisation", "expected"), [("fr", "en", "en", "fr"), ("", "fr", "en", "fr"), ("", "", "fr", "fr"), ("", "", "", "en"), ("de", "fr", "en", "fr"), ("de", "", "xx", "en")]
)
def test_the_language_is_the_persons_then_the_lists_then_the_organisations(person: str, list_: str, organisation: str, expected: str) -> None:
    Organisation.objects.create(name="Essai", language=organisation)
    assert flow.language_of(an_address(language=person), a_list(language=list_)) == expected


def test_letters_of_the_site_come_from_the_first_domain_else_from_the_web_host() -> None:
    assert flow.sender_of(None) == "colporteur@testserver"
    Domain.objects.create(name="first.example", organisation=Organisation.objects.create(name="Essai"))
    assert flow.sender_of(None) == "colporteur@first.example"


def test_fields_in_the_letters_language_and_dates_in_it_too() -> None:
    flow.send("expired", an_address(language="fr"), NOW, list_=a_list(), fields=FIELDS | {"received": NOW, "owner": lambda: "o@x"})
    ((_name, _to, letter),) = letters()
    assert "21 novembre 2026" in text(letter)


def test_a_letter_of_a_list_wears_its_organisations_look_and_one_of_the_site_does_not() -> None:
    list_ = a_list()
    list_.organisation.colour = "aa3300"
    picture = BytesIO()
    Image.new("RGB", (800, 200), "teal").save(picture, "PNG")
    look.set_logo(list_.organisation, picture.getvalue(), NOW, by="test")
    to = an_address()
    flow.send("sent", to, NOW, fields=FIELDS, list_=list_)
    flow.send("signin", to, NOW, fields={"link": "https://x", "minutes": "30"})
    ((_name, _to, dressed), (_other, _again, plain)) = letters()
    (shown,) = [part for part in dressed.walk() if part.get_content_type() == "image/png"]
    assert f'src="cid:{shown["Content-ID"].strip("<>")}" width="180" height="45"' in html(dressed) and list_.organisation.name in html(dressed)
    assert shown.get_content() == bytes(Logo.objects.get().png) and list(dressed.iter_attachments()) == []
    assert plain.get_content_type() == "multipart/alternative" and "cid:" not in html(plain)


# --- one address only ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("traits", "expected"), [({"plus_part": True}, ("asso+tok@hoster.example", "")), ({"plus_part": False}, ("asso@hoster.example", "tok")), ({}, ("asso@hoster.example", "tok"))])
def test_a_token_travels_in_the_plus_part_or_in_the_subject(traits: dict[str, bool], expected: tuple[str, str]) -> None:
    list_ = in_a_mailbox(**traits)
    assert flow.service_address(list_, Service.MODERATE, "tok") == expected
    assert flow.service_address(list_, Service.OWNER) == ("asso@hoster.example", "")


def test_a_name_too_long_for_the_token_puts_it_in_the_subject() -> None:
    token = "t" * 24
    assert flow.service_address(a_list("x" * 30 + "@lists.example"), Service.MODERATE, token) == (f"{'x' * 30}-moderate+{token}@lists.example", "")
    assert flow.service_address(a_list("x" * 31 + "@lists.example"), Service.MODERATE, token) == (f"{'x' * 31}-moderate@lists.example", token)


def held_letter(list_: List) -> tuple[Post, str, str, str]:
    post = arrives(list_, message("marc@courriel.example", subject="Été & co"))
    moderation.judge_due(NOW)
    ((_name, to, letter),) = letters("held")
    return post, moderation.moderation_token(post.pk, Address.objects.get(email=to).pk), str(letter["Subject"]), text(letter) + html(letter)


def test_without_a_public_address_everything_works_by_reply() -> None:
    with override_settings(BASE_URL="http://127.0.0.1:8000"):
        _post, token, subject, said = held_letter(in_a_mailbox())
    assert subject.startswith(f"[#{token}] ")
    assert "http://127.0.0.1" not in said
    for word in ("distribute", "reject", "discard"):
        assert f"&amp;body={word}" in said
    assert f"mailto:asso@hoster.example?subject=%5B%23{token}%5D%20%C3%89t%C3%A9%20%26%20co" in said


def test_with_a_public_address_a_mailbox_list_has_links_too() -> None:
    with override_settings(BASE_URL="https://lists.asso.example"):
        _post, token, _subject, said = held_letter(in_a_mailbox(plus_part=True))
    assert f"https://lists.asso.example/m/{token}?do=release" in said


@pytest.mark.parametrize(
    ("base", "expected"),
    [("http://127.0.0.1:8000", False), ("http://192.168.1.4", False), ("http://[::1]:8000", False), ("http://localhost", False), ("http://nas.local", False), ("https://lists.example.org", True), ("http://8.8.8.8", True)],
)
def test_what_a_public_address_is(base: str, expected: bool) -> None:
    list_ = in_a_mailbox()
    with override_settings(BASE_URL=base):
        assert flow.public(list_) is expected
        assert flow.public(a_list()) is True
