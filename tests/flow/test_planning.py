"""What a mailing freezes when it is planned: audience, rewriting, envelope sender."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from colporteur.flow import copies as flow_copies
from colporteur.flow import mailings, planning, senders
from colporteur.mail.render import Rewriting
from colporteur.store.copies import SLICE, Claimed, whole
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain
from colporteur.store.people import Address, Person
from tests.daemons.delivering import a_mailing, a_post
from tests.story.scenes import a_list, a_transport, join, message

pytestmark = pytest.mark.django_db


def rewriting(mailing: Mailing) -> Rewriting:
    return Rewriting.from_json(mailing.rewriting)


def audience(mailing: Mailing) -> set[str]:
    return set(Copy.objects.filter(mailing=mailing).values_list("address__email", flat=True))


def test_copies_and_slices_agree_and_the_first_2000_are_committed_apart() -> None:
    list_ = a_list(members=5300)
    now = timezone.now()
    mailing = mailings.create_for_post(a_post(list_), now)
    assert planning.plan_due(now) == 1
    mailing.refresh_from_db()
    assert (mailing.state, mailing.planned, Copy.objects.count()) == ("running", False, 2000)
    assert planning.plan_due(now) == 1 and planning.plan_due(now) == 0
    mailing.refresh_from_db()
    assert mailing.planned and mailings.totals(mailing.id).counts == {"queued": 5300, "sent": 0, "deferred": 0, "failed": 0, "cancelled": 0}
    for slice_ in Slice.objects.all():
        assert slice_.size == Copy.objects.filter(slice=slice_.number).count() <= SLICE


def test_the_audience_is_the_moment_of_acceptance() -> None:
    list_ = a_list(members=["a@x.example", "b@x.example", "c@x.example", "d@x.example"])
    accepted = timezone.now()
    mailing = mailings.create_for_post(a_post(list_), accepted)
    join(list_, ["late@x.example"], since=accepted + timedelta(seconds=1))
    Membership.objects.filter(address__email="a@x.example").update(until=accepted + timedelta(seconds=1))
    Membership.objects.filter(address__email="b@x.example").update(until=accepted - timedelta(seconds=1))
    Membership.objects.filter(address__email="c@x.example").update(delivery="none")
    planning.plan_due(accepted + timedelta(minutes=1))
    assert audience(mailing) == {"a@x.example", "d@x.example"}


def test_a_membership_that_ended_and_began_again_makes_one_copy() -> None:
    list_ = a_list(members=["a@x.example"])
    Membership.objects.update(until=timezone.now() + timedelta(hours=1))
    join(list_, ["a@x.example"])
    assert Copy.objects.filter(mailing=a_mailing(list_)).count() == 1


def test_authors_and_people_already_addressed_are_left_out_by_policy() -> None:
    list_ = a_list(members=["anna@members.example", "anna2@members.example", "to@x.example", "cc@x.example", "z@x.example"], own_copy=False, skip_addressed=True)
    person = Person.objects.create()
    Address.objects.filter(email__startswith="anna").update(person=person)
    raw = message("anna@members.example", "to@x.example", headers=["Cc: Somebody <CC@x.example>, amis@lists.example"])
    assert audience(a_mailing(list_, raw)) == {"z@x.example"}
    list_.policy = {}
    list_.save()
    assert len(audience(a_mailing(list_, raw))) == 5


def test_nobody_to_send_to_is_done_at_once() -> None:
    mailing = a_mailing(a_list())
    assert mailing.state == "done" and mailing.finished


def test_a_post_sent_again_spares_those_who_have_it() -> None:
    list_ = a_list(members=5)
    first = a_mailing(list_)
    Copy.objects.filter(mailing=first, address__email="member-000001@members.example").update(state=2)
    again = mailings.create_for_post(first.post, timezone.now())
    planning.plan_due(timezone.now())
    assert len(audience(again)) == 4


@pytest.mark.parametrize(("policy", "wanted"), [
    ({"reply_to": "sender"}, {"reply_to": ()}), ({"reply_to": "list"}, {"reply_to": ("amis@lists.example",)}), ({"reply_to": "both"}, {"reply_to": ("anna@members.example", "amis@lists.example")}),
    ({"reply_to": "address", "reply_address": "office@x.example"}, {"reply_to": ("office@x.example",)}), ({"prefix": "[x]", "footer": "f"}, {"prefix": "[x]", "footer": "f"}),
    ({"from_form": "list"}, {"from_list": True}), ({"from_form": "author"}, {"from_list": False}), ({"leaving": "closed"}, {"unsubscribe_mailto": "", "unsubscribe_url": ""}),
    ({"leaving": "owner"}, {"unsubscribe_mailto": "amis-unsubscribe+{token}@lists.example", "one_click": False}), ({"leaving": "owner", "urgency": "patient"}, {"one_click": True}),
    ({"leaving": "free"}, {"unsubscribe_mailto": "amis-unsubscribe+{token}@lists.example", "unsubscribe_url": ""}), ({"posting": "nobody", "stranger": "reject"}, {"post": "NO"}),
    ({"posting": "nobody"}, {"post": "amis@lists.example"}), ({}, {"owner": "amis-owner@lists.example", "help": "amis-request@lists.example", "list_id": "amis.lists.example"}),
])  # fmt: skip
def test_policy_becomes_rewriting(policy: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = rewriting(a_mailing(a_list(members=1, **policy)))
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_one_click_links_only_with_a_public_https_address(settings: Any) -> None:
    settings.PUBLIC_HTTPS, settings.BASE_URL = True, "https://lists.example"
    assert rewriting(a_mailing(a_list(members=1))).unsubscribe_url == "https://lists.example/u/{token}"


def test_what_was_frozen_stays_when_the_policy_changes() -> None:
    list_ = a_list(members=2500, prefix="[old]")
    mailing = mailings.create_for_post(a_post(list_), timezone.now())
    planning.plan_due(timezone.now())
    List.objects.update(policy={"prefix": "[new]"})
    planning.plan_due(timezone.now())
    mailing.refresh_from_db()
    assert mailing.planned and rewriting(mailing).prefix == "[old]"


@pytest.mark.parametrize(("name", "sender"), [("amis", "amis-bounces+{token}@lists.example"), ("a" * 31, "a" * 31 + "-bounces+{token}@lists.example"), ("a" * 32, "b+{token}@lists.example")])
def test_the_envelope_sender_names_the_copy_within_64_octets(name: str, sender: str) -> None:
    assert a_mailing(a_list(f"{name}@lists.example", members=1)).envelope_sender == sender


def test_a_transport_that_takes_one_sender_only_gets_the_plain_one() -> None:
    a_transport("smtp://127.0.0.1:25", envelope_sender=False)
    assert a_mailing(a_list(members=1)).envelope_sender == "amis@lists.example"


@pytest.mark.parametrize(("traits", "sender", "from_list"), [
    ({}, "amap@host.example", False), ({"envelope_sender": False, "plus_part": True, "from_address": False}, "amap@host.example", True),
    ({"envelope_sender": True, "plus_part": True, "from_address": True}, "amap+{token}@host.example", False), ({"envelope_sender": True, "plus_part": False}, "amap@host.example", False),
])  # fmt: skip
def test_a_shared_host_gets_what_it_lets_pass(traits: dict[str, bool], sender: str, from_list: bool) -> None:
    list_ = a_list("amap@host.example", members=1, on_domain=False)
    Mailbox.objects.create(list=list_, kind="imap", host="h", port=1, user="amap@host.example", password_sealed="", traits=traits)
    mailing = a_mailing(list_)
    assert mailing.envelope_sender == sender and rewriting(mailing).from_list == from_list
    assert rewriting(mailing).owner == "" and "amap" in rewriting(mailing).unsubscribe_mailto


class TestAuthorsDomains:
    def test_a_strict_domain_means_the_list_stands_in_from(self) -> None:
        list_, now = a_list(members=1), timezone.now()
        mailing = mailings.create_for_post(a_post(list_, sender="anna@strict.org"), now)
        assert senders.domains_to_look_up(now) == ["strict.org"]
        assert planning.plan_due(now, known_only=True) == 0, "first the DNS is asked"
        senders.remember("strict.org", "reject", now)
        assert senders.domains_to_look_up(now) == [] and planning.plan_due(now, known_only=True) == 1
        mailing.refresh_from_db()
        assert rewriting(mailing).from_list

    def test_an_author_nobody_can_name_is_not_shown_in_from(self) -> None:
        assert rewriting(a_mailing(a_list(members=1), sender="")).from_list
        assert not rewriting(a_mailing(a_list("b@lists.example", members=1, from_form="author"), sender="")).from_list

    def test_a_dns_that_does_not_answer_holds_nothing_up_and_keeps_what_was_known(self) -> None:
        now = timezone.now()
        senders.remember("new.org", None, now)
        senders.remember("strict.org", "quarantine", now - timedelta(days=2))
        senders.remember("strict.org", None, now)
        assert not senders.strict("new.org") and senders.strict("strict.org")
        assert senders.known("new.org", now) and senders.known("strict.org", now) and not senders.known("new.org", now + timedelta(hours=1))
        assert not rewriting(a_mailing(a_list(members=1), sender="anna@new.org")).from_list

    @pytest.mark.parametrize("address", ["a@x.example", "a@x.test", "a@localhost", "a@b.invalid", "a@b.localhost", ""])
    def test_names_that_are_not_in_the_dns_are_never_asked_for(self, address: str) -> None:
        assert senders.domain_of(address) == ""


class TestAMailingThatCannotBePlanned:
    @pytest.fixture
    def poison(self, monkeypatch: pytest.MonkeyPatch) -> Mailing:
        """A mailing whose planning raises; it stands before all others."""
        mailing = mailings.create_for_post(a_post(a_list("poison@lists.example", members=3)), timezone.now())
        real = planning.frozen
        monkeypatch.setattr(planning, "frozen", lambda one, values: 1 // 0 if one.id == mailing.id else real(one, values))
        return mailing

    def test_the_others_are_planned_meanwhile(self, poison: Mailing) -> None:
        assert len(audience(a_mailing(a_list(members=4)))) == 4
        poison.refresh_from_db()
        assert (poison.state, poison.attempts, poison.error) == ("planned", 1, "ZeroDivisionError: integer division or modulo by zero")

    def test_it_is_tried_again_with_growing_waits_then_its_post_is_set_aside(self, poison: Mailing) -> None:
        begin = poison.created
        for seconds in (0, 1, 11, 12, 61, 62, 301, 302, 1801, 1802):
            planning.plan_due(begin + timedelta(seconds=seconds))
        poison.refresh_from_db()
        assert (poison.state, poison.planned, poison.attempts, poison.post.state) == ("cancelled", True, 5, "quarantined")
        assert "ZeroDivisionError" in poison.post.error
        assert JournalEntry.objects.filter(event="post.quarantined", post_id=poison.post_id).count() == 1

    def test_once_the_trouble_is_over_nothing_is_left_of_it(self, poison: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
        planning.plan_due(poison.created)
        monkeypatch.undo()
        planning.plan_due(poison.created + timedelta(minutes=1))
        poison.refresh_from_db()
        assert (poison.state, poison.attempts, poison.error, len(audience(poison))) == ("running", 0, "", 3)

    def test_a_database_that_went_away_is_nobodys_fault(self, poison: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
        def gone(*_: object) -> None:
            raise OperationalError("the connection is lost")

        monkeypatch.setattr(planning, "frozen", gone)
        with pytest.raises(OperationalError):
            planning.plan_due(timezone.now())
        poison.refresh_from_db()
        assert poison.attempts == 0


def test_lists_that_are_switched_off_take_nobodys_turn_at_the_dns() -> None:
    off, now = a_list("off@off.example", members=1), timezone.now()
    Domain.objects.filter(name="off.example").update(enabled=False)
    for number in range(120):
        mailings.create_for_post(a_post(off, sender=f"anna@domain{number}.org"), now)
    mailing = mailings.create_for_post(a_post(a_list(members=2), sender="anna@strict.org"), now)
    assert senders.domains_to_look_up(now) == ["strict.org"]
    senders.remember("strict.org", "reject", now)
    assert planning.plan_due(now, known_only=True) == 1 and len(audience(mailing)) == 2


def test_mail_passed_on_to_owners_has_an_envelope_sender_of_the_list() -> None:
    owner = Address.objects.create(email="olga@members.example")
    forward = mailings.create_forward(message("marc@x.example"), [owner], timezone.now(), list_=a_list(), subject="Question")
    assert forward.envelope_sender == "amis-bounces+{token}@lists.example"
    a_transport("smtp://127.0.0.1:25", envelope_sender=False)
    assert mailings.create_forward(message("marc@x.example"), [owner], timezone.now(), list_=a_list("b@lists.example"), subject="Question").envelope_sender == "b@lists.example"


def test_a_large_mailing_is_cancelled_range_by_range_and_what_arrives_meanwhile_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "RANGE", 2)
    a_transport("smtp://127.0.0.1:1")
    mailing, now = a_mailing(a_list(members=1700)), timezone.now()
    last = Copy.objects.filter(mailing=mailing).order_by("-address_id").values_list("address_id", flat=True)[0]
    assert mailings.cancel(mailing.id, now, "somebody") and not mailings.cancel(mailing.id, now, "somebody")
    mailing.refresh_from_db()
    assert (mailing.state, mailing.finished) == ("cancelled", None) and mailings.totals(mailing.id).cancelled == 1000
    flow_copies.accepted(Claimed(mailing.id, 3, 0), [last], 60.0, now)
    assert flow_copies.claim(mailing.transport_id or 0, now, 60.0) == []
    while planning.cancel_due(now):
        pass
    mailing.refresh_from_db()
    assert (mailing.state, mailing.finished) == ("cancelled", now)
    assert mailings.totals(mailing.id).counts == {"queued": 0, "sent": 1, "deferred": 0, "failed": 0, "cancelled": 1699}
    assert not Slice.objects.filter(mailing=mailing, done=False).exists()


def test_first_ranges_are_written_before_further_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "FIRST_RANGE", 10)
    monkeypatch.setattr(planning, "RANGE", 10)
    a_transport("smtp://127.0.0.1:1")
    now = timezone.now()
    large = [mailings.create_for_post(a_post(a_list(f"large-{number}@lists.example", members=35)), now) for number in range(2)]
    assert planning.plan_due(now) == 2 and planning.plan_due(now) == 1
    small = mailings.create_for_post(a_post(a_list("small@lists.example", members=3)), now)
    planning.plan_due(now)
    assert Copy.objects.filter(mailing=small).count() == 3
    while planning.plan_due(now):
        pass
    assert [Copy.objects.filter(mailing=one).count() for one in large] == [35, 35]
