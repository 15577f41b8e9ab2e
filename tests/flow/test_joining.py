"""Joining by mail: double opt-in, approval, invitation; nobody is a member without a yes of the address itself."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from colporteur.flow import errands, joining
from colporteur.flow.joining import Outcome
from colporteur.store.joining import JoinRequest
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from tests.flow.posts import NOW, asked, letters, text
from tests.story.scenes import a_list, give_role, message

pytestmark = pytest.mark.django_db
MARC, OWNER = "marc@courriel.example", "olga@members.example"


@pytest.fixture
def amis() -> List:
    """A list with an owner and a member."""
    list_ = a_list("amis@lists.example", members=["anna@members.example"], title="Amis", joining="confirm")
    give_role(list_, RoleKind.OWNER, OWNER)
    return list_


def way(list_: List, joins: str) -> None:
    list_.policy = list_.policy | {"joining": joins}
    list_.save()


def subscribes(list_: List, sender: str = MARC, now: object = NOW, service: str = "subscribe", **more: object) -> None:
    asked(list_, service, message(sender, **more), now=now)  # type: ignore[arg-type]
    errands.do_due(now)  # type: ignore[arg-type]


def answers(list_: List, letter: str, sender: str, *lines: str, now: object = NOW) -> None:
    reply = str(letters(letter)[-1][2]["Reply-To"])
    token = re.search(r"\+([a-z2-7]{24})@", reply)
    assert token, reply
    asked(list_, "confirm", message(sender, subject="Re: x", body="\r\n".join(lines) + "\r\n"), token[1], now=now)  # type: ignore[arg-type]
    errands.do_due(now)  # type: ignore[arg-type]


def member(list_: List, email: str = MARC) -> bool:
    return Membership.objects.filter(list=list_, address__email=email, until__isnull=True).exists()


@pytest.mark.parametrize(("service", "subject"), [("subscribe", "Hello"), ("request", "subscribe")])
def test_whoever_confirms_is_a_member(amis: List, service: str, subject: str) -> None:
    subscribes(amis, f"Buy pills at spam.example <{MARC}>", service=service, subject=subject)
    ((_name, to, asking),) = letters("joining")
    assert to == MARC and not member(amis)
    assert "pills" not in text(asking), "a confirmation carries no word of a stranger"
    answers(amis, "joining", MARC)
    assert member(amis) and letters("joined")[-1][1] == MARC and "amis-unsubscribe@lists.example" in text(letters("joined")[-1][2])
    row = JoinRequest.objects.get()
    assert (row.state, row.confirmed_at, row.decided_by, row.door) == ("joined", NOW, MARC, "mail")
    answers(amis, "joining", MARC)
    assert len(letters("joined")) == 1


def test_a_letter_a_day_and_none_to_a_member(amis: List) -> None:
    for _again in range(4):
        subscribes(amis)
    assert len(letters("joining")) == 1 and JoinRequest.objects.count() == 1
    subscribes(amis, now=NOW + timedelta(days=2))
    assert len(letters("joining")) == 2 and JoinRequest.objects.count() == 1
    subscribes(amis, "anna@members.example")
    assert len(letters("joining")) == 2 and "a member already" in text(letters("answer")[-1][2])


def test_a_closed_list_says_whom_to_ask(amis: List) -> None:
    way(amis, "closed")
    subscribes(amis)
    assert not letters("joining") and "amis-owner@lists.example" in text(letters("answer")[-1][2])


def test_programs_join_nothing(amis: List) -> None:
    subscribes(amis, headers=["Auto-Submitted: auto-generated"])
    assert not letters() and not JoinRequest.objects.exists()


def test_a_letter_is_good_for_two_weeks_and_for_what_the_policy_says_then(amis: List) -> None:
    subscribes(amis)
    answers(amis, "joining", MARC, now=NOW + timedelta(days=15))
    assert not member(amis)
    way(amis, "closed")
    answers(amis, "joining", MARC)
    assert not member(amis)


def test_an_owner_decides_by_reply(amis: List) -> None:
    way(amis, "approval")
    subscribes(amis, f"Marc Le Goff <{MARC}>", service="request", subject="subscribe Marc Le Goff")
    assert not letters("admit"), "owners are asked when the address is proven"
    answers(amis, "joining", MARC)
    ((_name, to, asking),) = letters("admit")
    assert to == OWNER and "Marc Le Goff <marc@courriel.example> asks to join" in text(asking) and not member(amis)
    answers(amis, "admit", OWNER, "what is this?")
    assert not member(amis)
    answers(amis, "admit", OWNER, "accept")
    assert member(amis) and JoinRequest.objects.get().decided_by == OWNER
    assert JournalEntry.objects.filter(event="join.asked", list_id=amis.pk).count() == 1
    answers(amis, "admit", OWNER, "refuse")
    assert member(amis), "the first decision counts"


def test_who_is_refused_is_told_why_and_may_ask_again(amis: List) -> None:
    way(amis, "approval")
    subscribes(amis)
    answers(amis, "joining", MARC)
    subscribes(amis)
    assert "an owner will decide" in text(letters("answer")[-1][2])
    answers(amis, "admit", OWNER, "refuser Réservé aux voisins.")
    assert not member(amis) and "Réservé aux voisins." in text(letters("declined")[-1][2])
    subscribes(amis, now=NOW + timedelta(days=2))
    assert JoinRequest.objects.filter(state="asked").count() == 1


def test_a_former_owner_decides_nothing(amis: List) -> None:
    way(amis, "approval")
    subscribes(amis)
    answers(amis, "joining", MARC)
    amis.roles.all().delete()
    answers(amis, "admit", OWNER, "accept")
    assert not member(amis)


def test_an_invitation_needs_no_approval_and_works_on_a_closed_list(amis: List) -> None:
    way(amis, "closed")
    assert joining.invite(amis, "Zoe@Members.example", NOW, by=OWNER, name="Zoé") is Outcome.ASKED
    assert joining.invite(amis, "zoe@members.example", NOW, by=OWNER) is Outcome.ASKED
    assert len(letters("invited")) == 1
    answers(amis, "invited", "zoe@members.example")
    assert member(amis, "zoe@members.example") and Address.objects.get(email="zoe@members.example").name == "Zoé"
    assert joining.invite(amis, "zoe@members.example", NOW, by=OWNER) is Outcome.MEMBER
    with pytest.raises(ValueError, match="nobody"):
        joining.invite(amis, "nobody", NOW, by=OWNER)


def test_who_left_joins_again_by_an_own_yes(amis: List) -> None:
    Membership.objects.filter(list=amis).update(until=NOW, left_by="member")
    subscribes(amis, "anna@members.example")
    answers(amis, "joining", "anna@members.example")
    assert member(amis, "anna@members.example")
