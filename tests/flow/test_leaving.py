"""Leaving: at once, after a letter, by an owner's word, or not at all; a newsletter can always be left."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.mailings import MailingKind, Priority
from colporteur.domain.words import Invalid
from colporteur.flow import errands, leaving, lists, memberships, policies, privacy, templates
from colporteur.flow.leaving import Outcome, Sure
from colporteur.store import arrivals
from colporteur.store.leaving import LeaveRequest, waiting
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Site
from colporteur.store.people import Address
from colporteur.store.policies import policy
from tests.flow.posts import NOW, asked, letters, text
from tests.story.scenes import a_list, give_role, message

pytestmark = pytest.mark.django_db
ANNA, OWNER = "anna@members.example", "olga@members.example"
VOUCHED = f"Authentication-Results: mx.example; auth=pass smtp.auth={ANNA}"


@pytest.fixture
def amis() -> List:
    """A list with an owner and a member."""
    list_ = a_list("amis@lists.example", members=[ANNA], title="Amis")
    Membership.objects.update(since=NOW - timedelta(days=9))
    give_role(list_, RoleKind.OWNER, OWNER)
    return list_


def way(list_: List, leaves: str) -> None:
    list_.policy = list_.policy | {"leaving": leaves}
    list_.save()


def writes(list_: List, service: str, *headers: str, token: str = "", sender: str = ANNA, subject: str = "x", body: str = "") -> None:
    asked(list_, service, message(sender, subject=subject, body=body, headers=list(headers)), token, now=NOW)
    errands.do_due(NOW)


def token_in(letter: str) -> str:
    found = re.search(r"\+([a-z2-7]{24})@", str(letters(letter)[-1][2]["Reply-To"]))
    assert found
    return found[1]


def member(list_: List) -> bool:
    return Membership.objects.filter(list=list_, address__email=ANNA, until__isnull=True).exists()


def anna() -> Address:
    return Address.objects.get(email=ANNA)


@pytest.mark.parametrize(("leaves", "sure", "outcome"), [
    ("open", Sure.SAID, Outcome.LEFT), ("open", Sure.VOUCHED, Outcome.LEFT), ("open", Sure.NO, Outcome.UNSURE),
    ("confirm", Sure.SAID, Outcome.LEFT), ("confirm", Sure.VOUCHED, Outcome.UNSURE), ("free", Sure.SAID, Outcome.LEFT),
    ("owner", Sure.NO, Outcome.WAITING), ("owner", Sure.SAID, Outcome.WAITING),
    ("approval", Sure.VOUCHED, Outcome.UNSURE), ("approval", Sure.SAID, Outcome.WAITING), ("closed", Sure.SAID, Outcome.CLOSED),
])  # fmt: skip
def test_how_one_leaves(amis: List, leaves: str, sure: Sure, outcome: Outcome) -> None:
    way(amis, leaves)
    assert leaving.ask(amis, anna(), NOW, by=ANNA, sure=sure) is outcome
    assert member(amis) is (outcome is not Outcome.LEFT) and waiting(amis).exists() is (outcome is Outcome.WAITING)


def test_mail_a_named_server_vouches_for_leaves_at_once_where_it_is_open(amis: List) -> None:
    way(amis, "open")
    policies.set_policy(amis.organisation, {"trusted_servers": "mx.example"}, "test", NOW)
    writes(amis, "unsubscribe", "Authentication-Results: mx.other; auth=pass smtp.auth=anna@members.example")
    assert member(amis) and letters("leaving")
    writes(amis, "request", VOUCHED, subject="unsubscribe")
    assert not member(amis) and not letters("commands")


def test_an_owner_lets_go_by_a_reply(amis: List) -> None:
    way(amis, "approval")
    writes(amis, "unsubscribe")
    assert letters("leaving") and not letters("parting")
    writes(amis, "confirm", token=token_in("leaving"))
    assert member(amis) and "an owner will decide" in text(letters("answer")[-1][2])
    ((_name, to, letter),) = letters("parting")
    assert to == OWNER and "confirmed the address" in text(letter)
    writes(amis, "confirm", token=token_in("parting"), sender=OWNER, body="accept\r\n")
    assert not member(amis) and letters("left")[-1][1] == ANNA and Membership.objects.get(address__email=ANNA).left_by == "member"


def test_an_owner_refuses_with_a_reason_and_is_not_asked_again_that_day(amis: List) -> None:
    way(amis, "owner")
    writes(amis, "request", subject="unsubscribe")
    assert not letters("leaving") and "not asked" in text(letters("parting")[-1][2])
    writes(amis, "confirm", token=token_in("parting"), sender=OWNER, body="refuse You are the treasurer\r\n")
    assert member(amis) and "You are the treasurer" in text(letters("stays")[-1][2])
    assert leaving.ask(amis, anna(), NOW, by=ANNA, sure=Sure.SAID) is Outcome.REFUSED
    assert leaving.ask(amis, anna(), NOW + timedelta(days=2), by=ANNA, sure=Sure.SAID) is Outcome.WAITING
    assert leaving.decide(LeaveRequest.objects.get(state="refused").pk, True, NOW, by=OWNER) is Outcome.OVER and member(amis)


def test_who_did_not_ask_may_be_added_again_and_who_went_another_way_waits_no_more(amis: List) -> None:
    way(amis, "owner")
    leaving.ask(amis, anna(), NOW, by=ANNA, sure=Sure.NO)
    leaving.decide(waiting(amis).get().pk, True, NOW, by=OWNER)
    assert Membership.objects.get(address__email=ANNA).left_by == "owner"
    memberships.add(amis, [(ANNA, "")], NOW, by=OWNER)
    leaving.ask(amis, anna(), NOW, by=ANNA, sure=Sure.SAID)
    number = waiting(amis).get().pk
    memberships.remove(amis, [ANNA], NOW, by=OWNER)
    assert not waiting(amis).exists() and leaving.decide(number, True, NOW, by=OWNER) is Outcome.OVER
    memberships.add(amis, [(ANNA, "")], NOW + timedelta(days=1), by=OWNER)
    assert not waiting(amis).exists()
    assert leaving.ask(amis, anna(), NOW + timedelta(days=2), by=ANNA, sure=Sure.SAID) is Outcome.WAITING and waiting(amis).get().pk == number


def test_no_setting_keeps_the_members_of_a_newsletter(amis: List) -> None:
    lists.set_policy(amis, {"urgency": "patient"}, "test", NOW)
    for leaves in ("closed", "owner", "approval"):
        with pytest.raises(Invalid, match="newsletter"):
            lists.set_policy(amis, {"leaving": leaves}, "test", NOW)
    lists.set_policy(amis, {"leaving": "open"}, "test", NOW)
    lists.set_policy(amis, {"urgency": None, "leaving": "closed"}, "test", NOW)
    for change in ({"urgency": "patient"}, {"leaving": "owner", "urgency": "patient"}):
        with pytest.raises(Invalid, match="newsletter"):
            lists.set_policy(amis, change, "test", NOW)
    with pytest.raises(Invalid, match="newsletter"):
        lists.change(amis, NOW, by="test", template="newsletter")


def test_no_place_above_keeps_them_and_what_is_stored_counts_for_nothing(amis: List) -> None:
    own = templates.make("Lettre", "newsletter", NOW, by="test")
    with pytest.raises(Invalid, match="newsletter"):
        policies.set_policy(own, {"leaving": "closed"}, "test", NOW)
    policies.set_policy(policies.site(), {"leaving": "closed"}, "test", NOW)
    with pytest.raises(Invalid, match="newsletter"):
        policies.set_policy(amis.organisation, {"urgency": "patient"}, "test", NOW)
    assert policy(lists.find(amis.address)).leaving.value == "closed"
    List.objects.filter(pk=amis.pk).update(policy={"urgency": "prompt"}, template="announce")
    assert Site.objects.get().policy["leaving"] == "closed"
    found = lists.find(amis.address)
    assert policy(found).leaving.value == "confirm" and any("newsletter" in one for one in lists.warnings(found))
    assert leaving.ask(found, anna(), NOW, by=ANNA, sure=Sure.SAID) is Outcome.LEFT


def test_the_link_of_a_newsletter_works_whatever_the_list_became(amis: List) -> None:
    way(amis, "closed")
    mailings = [Mailing.objects.create(kind=MailingKind.POST.value, list=amis, blob_id=arrivals.keep(b"x"), priority=priority, audience_at=NOW, created=NOW) for priority in (Priority.POST, Priority.NEWSLETTER)]
    tried = [leaving.by_token(_copy(mailing), NOW) for mailing in mailings]
    assert [one and one[1] for one in tried] == [Outcome.CLOSED, Outcome.LEFT] and not member(amis)


def test_erasing_and_complaints_ask_no_owner(amis: List) -> None:
    way(amis, "closed")
    assert memberships.end(amis, [ANNA], memberships.LEFT_BY_COMPLAINT, NOW, by="report") == [ANNA]
    memberships.add(amis, [(ANNA, "")], NOW, by=OWNER, bring_back=True)
    privacy.erase(privacy.subject(ANNA), NOW, by="test")
    assert not Membership.objects.filter(list=amis, until__isnull=True).exists()


def _copy(mailing: Mailing) -> str:
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, anna().pk)
