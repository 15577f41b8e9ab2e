"""Commands by mail, from the message to what is done and said."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from colporteur.flow import errands
from colporteur.flow.commands import REMINDED
from colporteur.flow.errands.commands import A_DAY
from colporteur.store.arrivals import Errand
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import NOW, asked, letters, text
from tests.story.scenes import a_list, a_person, give_role, join, message

pytestmark = pytest.mark.django_db
MEMBER, OWNER, STRANGER = "anna@members.example", "olga@members.example", "marc@courriel.example"


@pytest.fixture
def amis() -> List:
    """A list anybody may join, with a member and an owner who is none."""
    list_ = a_list("amis@lists.example", members=[MEMBER, "bea@members.example"], title="Amis", joining="confirm", leaving="free")
    give_role(list_, RoleKind.OWNER, OWNER)
    return list_


def sends(list_: List, sender: str, *lines: str, subject: str = "", now: object = NOW, headers: tuple[str, ...] = (), domain: bool = False) -> Errand:
    """Somebody writes commands to name-request, or to lists@domain."""
    errand = asked(list_, "request", message(sender, subject=subject, body="\r\n".join(lines) + "\r\n", headers=headers), now=now)  # type: ignore[arg-type]
    if domain:
        Errand.objects.filter(pk=errand.pk).update(list=None, recipient=f"lists@{list_.host}")
    errands.do_due(now)  # type: ignore[arg-type]
    errand.refresh_from_db()
    assert errand.state == "done", errand.error
    return errand


def last(name: str) -> str:
    return text(letters(name)[-1][2]).replace("\r\n", "\n")


def confirms(list_: List, name: str, sender: str, now: object = NOW) -> None:
    """The answer to the last letter of that name, unchanged."""
    letter = letters(name)[-1][2]
    token = re.search(r"\+([a-z2-7]{24})@", str(letter["Reply-To"]))
    assert token, letter["Reply-To"]
    errand = asked(list_, "confirm", message(sender, subject=f"Re: {letter['Subject']}", body="> quoted\r\n"), token[1], now=now)  # type: ignore[arg-type]
    errands.do_due(now)  # type: ignore[arg-type]
    errand.refresh_from_db()
    assert errand.state == "done", errand.error


def on(list_: List, email: str) -> Membership | None:
    return Membership.objects.filter(list=list_, address__email=email, until__isnull=True).first()


def test_nothing_changes_before_the_address_itself_says_yes(amis: List) -> None:
    sends(amis, MEMBER, "set nomail", subject="hello")
    ((_letter, to, asking),) = letters("commands")
    assert to == MEMBER and "stay on the list amis@lists.example and receive no message" in text(asking)
    assert on(amis, MEMBER).delivery == "each"  # type: ignore[union-attr]
    confirms(amis, "commands", MEMBER)
    assert on(amis, MEMBER).delivery == "none" and "Done" in last("answer")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("lines", "delivery", "paused"),
    [(["set mail"], "each", False), (["suspend"], "none", True), (["suspendre", "reprendre"], "none", False), (["set amis nomail", "suspend amis"], "none", True)],
)
def test_how_a_member_receives(amis: List, lines: list[str], delivery: str, paused: bool) -> None:
    Membership.objects.filter(list=amis, address__email=MEMBER).update(delivery="none", paused=lines == ["set mail"])
    sends(amis, MEMBER, *lines)
    confirms(amis, "commands", MEMBER)
    member = on(amis, MEMBER)
    assert member is not None and (member.delivery, member.paused) == (delivery, paused)


def test_leaving_every_list_at_once_leaves_those_one_may_leave(amis: List) -> None:
    a_list("conseil@lists.example", members=[MEMBER], leaving="closed")
    a_list("echecs@lists.example", members=[MEMBER], leaving="free")
    a_list("amis@elsewhere.example", members=[MEMBER], leaving="free")
    sends(amis, MEMBER, subject="unsubscribe *", domain=True)
    assert "conseil@lists.example: only an owner removes members" in last("answer")
    asking = letters("commands")[-1][2]
    token = re.search(r"\[#([a-z2-7]{24})\]", str(asking["Subject"]))
    assert token and asking["Reply-To"] == "lists@lists.example"
    sends(amis, MEMBER, "> yes", subject=f"Re: {asking['Subject']}", domain=True)
    assert sorted(Membership.objects.filter(until__isnull=True, address__email=MEMBER).values_list("list__address", flat=True)) == ["amis@elsewhere.example", "conseil@lists.example"]
    assert set(Membership.objects.filter(until__isnull=False).values_list("left_by", flat=True)) == {"member"}


def test_a_token_in_a_subject_is_good_from_its_own_address_only(amis: List) -> None:
    sends(amis, MEMBER, "unsubscribe amis", domain=True)
    subject = f"Re: {letters('commands')[-1][2]['Subject']}"
    sends(amis, STRANGER, subject=subject, domain=True)
    assert on(amis, MEMBER)
    token = re.search(r"\[#([a-z2-7]{24})\]", subject)
    sends(amis, MEMBER, f"confirm {token[1]}", domain=True)  # type: ignore[index]
    assert not on(amis, MEMBER)


def test_a_letter_is_good_for_a_week(amis: List) -> None:
    sends(amis, MEMBER, "unsubscribe")
    confirms(amis, "commands", MEMBER, NOW + timedelta(days=8))
    assert on(amis, MEMBER)


def test_what_only_tells_is_answered(amis: List) -> None:
    a_list("secret@lists.example", members=["zoe@members.example"], template="confidential")
    sends(amis, MEMBER, "which", "lists", "info amis", domain=True)
    said = last("answer")
    assert "You are on these lists:\n- amis@lists.example" in said and "Lists one can join:\n- amis@lists.example: Amis" in said
    assert "amis-owner@lists.example" in said and "secret@" not in said


def test_a_list_one_must_not_know_of_is_as_one_that_is_not_there(amis: List) -> None:
    a_list("secret@lists.example", members=["zoe@members.example"], template="confidential")
    for sent in ("info secret", "info nowhere"):
        sends(amis, STRANGER, sent, domain=True)
    first, second = (text(letter) for _name, _to, letter in letters("answer"))
    assert first == second and "No list of that name is open to you here" in first


def test_members_are_shown_to_owners_and_moderators_only(amis: List) -> None:
    sends(amis, MEMBER, "review")
    assert "only its owners and moderators" in last("answer") and "bea@" not in last("answer")
    sends(amis, OWNER, "review")
    assert "amis@lists.example has 2 members:\n- anna@members.example\n- bea@members.example" in last("answer")


def test_owners_add_remove_and_invite(amis: List) -> None:
    sends(amis, OWNER, "add paul@members.example Paul Kerneis", "del bea@members.example", "invite zoe@members.example")
    assert not on(amis, "paul@members.example")
    confirms(amis, "commands", OWNER)
    assert on(amis, "paul@members.example").address.name == "Paul Kerneis" and not on(amis, "bea@members.example")  # type: ignore[union-attr]
    ((_letter, to, _asking),) = letters("invited")
    assert to == "zoe@members.example" and not on(amis, to)
    confirms(amis, "invited", to)
    assert on(amis, to) and letters("joined")[-1][1] == to


def test_nobody_else_does_what_owners_do_and_a_role_lost_meanwhile_counts(amis: List) -> None:
    sends(amis, MEMBER, "del bea@members.example", "remind")
    assert "only its owners may do this" in last("answer") and not letters("commands")
    sends(amis, OWNER, "del bea@members.example")
    amis.roles.all().delete()
    confirms(amis, "commands", OWNER)
    assert on(amis, "bea@members.example")


def test_who_left_is_not_brought_back_by_add(amis: List) -> None:
    sends(amis, MEMBER, "unsubscribe")
    confirms(amis, "commands", MEMBER)
    sends(amis, OWNER, f"add {MEMBER}")
    confirms(amis, "commands", OWNER)
    assert not on(amis, MEMBER) and "invite the address instead" in last("answer")


def test_members_are_reminded_once_a_day(amis: List) -> None:
    for _again in range(2):
        sends(amis, OWNER, "remind")
        confirms(amis, "commands", OWNER)
    assert sorted(to for _name, to, _letter in letters("reminder")) == [MEMBER, "bea@members.example"]
    assert "amis-unsubscribe@lists.example" in last("reminder") and "reminded today" in last("answer")
    join(amis, [f"m{number}@members.example" for number in range(REMINDED)])
    sends(amis, OWNER, "remind", now=NOW + timedelta(days=2))
    confirms(amis, "commands", OWNER, NOW + timedelta(days=2))
    assert "write to the list instead" in last("answer")


def test_somebody_elses_address_is_not_theirs_to_change(amis: List) -> None:
    sends(amis, STRANGER, f"unsubscribe {MEMBER}")
    assert "write from the address it is about" in last("answer") and not letters("commands") and on(amis, MEMBER)
    sends(amis, STRANGER, f"subscribe {MEMBER.replace('anna', 'eve')}")
    assert not letters("joining") and not JoinRequest.objects.exists()


def test_a_digest_the_list_does_not_offer_is_said_to_be_missing_and_an_unknown_command_too(amis: List) -> None:
    List.objects.update(policy=amis.policy | {"digests": "none"})
    sends(amis, MEMBER, "set digest", "index")
    assert "there are: set mail, set summary, set nomail." in last("answer") and "not offered here" in last("answer") and not letters("commands")


@pytest.mark.parametrize(("word", "mode"), [("DIGEST", "weekly-mime"), ("digestplain", "weekly-plain"), ("SUMMARY", "subjects"), ("notice", "subjects"), ("hebdomadaire", "weekly-mime"), ("nomail", "none"), ("mail", "each")])
def test_members_set_how_they_receive_in_sympas_words_as_often_as_the_list_offers(amis: List, word: str, mode: str) -> None:
    List.objects.update(policy=amis.policy | {"digests": "weekly"})
    Membership.objects.update(delivery="daily-plain")
    sends(amis, MEMBER, f"set {word}")
    confirms(amis, "commands", MEMBER)
    assert on(amis, MEMBER).delivery == mode  # type: ignore[union-attr]


def test_programs_lists_and_noise_change_nothing_and_noise_gets_help_once(amis: List) -> None:
    sends(amis, MEMBER, "unsubscribe", headers=("Auto-Submitted: auto-replied",))
    sends(amis, "amis@lists.example", "which")
    assert not letters()
    for _again in range(3):
        sends(amis, STRANGER, "I would like to know more.")
    ((_name, to, helping),) = letters("help")
    assert to == STRANGER and "amis-request@lists.example" in text(helping) and "unsubscribe, set nomail" in text(helping)


def test_one_address_gets_so_many_letters_a_day(amis: List) -> None:
    for number in range(A_DAY + 5):
        sends(amis, MEMBER, "which", now=NOW + timedelta(minutes=number))
    assert len(letters()) == A_DAY
    sends(amis, MEMBER, "which", now=NOW + timedelta(days=2))
    assert len(letters()) == A_DAY + 1


def test_addresses_known_to_be_one_persons_count_together_others_do_not(amis: List) -> None:
    person = a_person(MEMBER)
    Address.objects.create(email="anna@work.example", person=person)
    sends(amis, "anna@work.example", "suspend")
    assert not letters("commands"), "an address nobody proved is nobody's"
    Address.objects.filter(email="anna@work.example").update(verified_at=NOW)
    sends(amis, "anna@work.example", "suspend")
    confirms(amis, "commands", "anna@work.example")
    assert on(amis, MEMBER).paused  # type: ignore[union-attr]


def test_letters_speak_the_language_of_their_reader(amis: List) -> None:
    a_person(MEMBER, language="fr")
    sends(amis, MEMBER, "abonnements", "suspendre")
    assert "Vous êtes sur ces listes" in last("answer") and "ne rien recevoir de amis@lists.example" in last("commands")


def test_ones_own_messages(amis: List) -> None:
    for word, wanted in (("notme", False), ("metoo", True)):
        sends(amis, MEMBER, f"set {word}")
        confirms(amis, "commands", MEMBER)
        assert on(amis, MEMBER).own_copy is wanted  # type: ignore[union-attr]
