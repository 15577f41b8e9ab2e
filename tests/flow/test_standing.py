"""Addresses move by what came back of their messages, and find the way back. Time is the story's own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colporteur.domain.standing import PROBES, SILENCE, Standing
from colporteur.domain.words import Invalid
from colporteur.flow import copies, memberships, policies, standing
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import RoleKind
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership, audience_count
from colporteur.store.people import Address
from colporteur.store.sources import Source
from colporteur.store.standing import AddressStanding, DeliveryEvent, StandingNews
from tests.daemons.delivering import a_mailing
from tests.flow.bounced import accept, comes_back, day, event, posted, state
from tests.flow.posts import letters, text
from tests.story.scenes import a_list, a_transport, give_role, join

pytestmark = pytest.mark.django_db

DEAD, FULL, WELL = "dead@members.example", "full@members.example", "well@members.example"


def audience(mailing: Mailing) -> set[str]:
    return set(Copy.objects.filter(mailing=mailing).values_list("address__email", flat=True))


def member(email: str) -> bool:
    return Membership.objects.filter(address__email=email, until__isnull=True).exists()


def to_the_end(email: str, list_: object) -> float:
    """Probes come back until the address is gone; the day it was."""
    at = 1.0
    for wait in PROBES:
        at += wait.days
        standing.probes_due(day(at))
        probe = accept(Mailing.objects.filter(letter="probe").latest("id"))
        comes_back(probe, [email], day(at))
    return at


def test_a_monthly_list_cleans_itself() -> None:
    """A dead address of a list that writes once a month is paused, probed, gone; the others never notice."""
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, FULL, WELL], title="Amis")
    give_role(list_, RoleKind.OWNER, "owner@lists.example")
    march = posted(list_, day(0))
    comes_back(march, [DEAD], day(0.1))
    comes_back(march, [FULL], day(0.1), "full")
    assert (state(DEAD), state(FULL), state(WELL)) == ("shaky", "shaky", "good")
    april = posted(list_, day(31))
    assert audience(april) == {DEAD, FULL, WELL}
    assert comes_back(april, [DEAD], day(31.1)).moved == {Standing.PAUSED: 1}
    may = posted(list_, day(61))
    assert audience(may) == {FULL, WELL} and may.spared == 1 and audience_count(list_) == 2
    assert JournalEntry.objects.get(event="standing.spared").values == {"count": 1}
    standing.review_due(day(61.2))
    assert state(FULL) == "good"  # April arrived

    assert standing.tell_due(day(31.5)) == 0 and standing.tell_due(day(32.2)) == 1
    [(_, owner, told)] = letters("addresses")
    assert owner == "owner@lists.example" and f"{DEAD}: paused: this address does not exist" in text(told)

    for number, wait in enumerate(PROBES):
        due = AddressStanding.objects.get(address__email=DEAD).next_probe
        assert due is not None and standing.probes_due(due - timedelta(minutes=1)) == 0 and standing.probes_due(due) == 1
        probe = accept(Mailing.objects.filter(letter="probe").latest("id"))
        assert probe.envelope_sender == "amis-bounces+{token}@lists.example" and len(letters("probe")) == number + 1
        comes_back(probe, [DEAD], due + timedelta(hours=1))
        assert wait
    assert state(DEAD) == "gone" and not member(DEAD) and standing.probes_due(day(500)) == 0
    assert Membership.objects.get(address__email=DEAD).left_by == "bounce" and DeliveryEvent.objects.filter(kind="dead").count() == 6

    owner_person = Address.objects.get(email="owner@lists.example").person
    assert owner_person and standing.forgive([Address.objects.get(email=DEAD).pk], day(200), by=owner_person) == 1
    assert state(DEAD) == "good" and member(DEAD) and DEAD in audience(posted(list_, day(201)))


def test_a_probe_that_stays_silent_brings_back() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    standing.probes_due(day(4))
    accept(Mailing.objects.get(letter="probe"))
    assert standing.probes_due(day(8)) == 0 and state(DEAD) == "paused"
    assert standing.probes_due(day(4) + SILENCE) == 1 and state(DEAD) == "good"
    assert comes_back(posted(list_, day(10)), [DEAD], day(10)).moved == {Standing.SHAKY: 1}  # what was before is forgotten


def test_a_probe_refused_for_our_sake_is_neither() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    standing.probes_due(day(4))
    probe = accept(Mailing.objects.get(letter="probe"))
    comes_back(probe, [DEAD], day(4.1), "policy")
    standing.probes_due(day(12))
    row = AddressStanding.objects.get(address__email=DEAD)
    assert row.standing is Standing.PAUSED and row.probes == 0 and row.next_probe == day(13)


@pytest.mark.parametrize("reason", ["policy", "reputation", "authentication", "content", "rate", "greylisted", "unreachable", "expired", "unclear", "delayed"])
def test_nobody_is_blamed_for_anothers_fault(reason: str) -> None:
    list_ = a_list(members=[DEAD, WELL])
    for at in range(0, 300, 10):
        comes_back(posted(list_, day(at)), [DEAD], day(at), reason)
    assert state(DEAD) == "good" and DeliveryEvent.objects.count() == 30


def test_a_message_that_reached_nobody_moves_nobody() -> None:
    """A provider that answers “unknown user” for everybody, also when the reports come one after the other."""
    list_ = a_list(members=[DEAD, FULL, WELL])
    comes_back(posted(list_, day(0)), [DEAD], day(0))
    mailing = posted(list_, day(2))
    comes_back(mailing, [DEAD], day(2))
    assert state(DEAD) == "paused"
    comes_back(mailing, [FULL], day(2.1))
    assert state(FULL) == "shaky"
    comes_back(mailing, [WELL], day(2.2))
    assert (state(DEAD), state(FULL), state(WELL)) == ("shaky", "good", "good")


def test_a_refusal_heard_before_the_first_acceptance_is_looked_at_again() -> None:
    list_ = a_list(members=[DEAD, WELL])
    comes_back(posted(list_, day(0)), [DEAD], day(0))
    mailing = a_mailing(list_, now=day(2))
    comes_back(mailing, [DEAD], day(2))
    assert state(DEAD) == "shaky"
    accept(mailing, refused=[DEAD])
    assert standing.review_due(day(2.1)) == 1 and state(DEAD) == "paused"


def test_the_same_report_twice_counts_once_and_any_number_about_one_copy_too() -> None:
    list_ = a_list(members=[DEAD, WELL])
    mailing = posted(list_, day(0))
    assert standing.record([event(DEAD, mailing, day(0)), event(DEAD, mailing, day(0))], day(0)).new == 1
    assert standing.record([event(DEAD, mailing, day(0))], day(0)).new == 0
    many = [event(DEAD, mailing, day(1) + timedelta(hours=number), key=f"other {number}") for number in range(1000)]
    standing.record(many, day(60))
    assert state(DEAD) == "shaky" and DeliveryEvent.objects.count() == 20


def test_an_event_of_an_address_that_is_gone_from_the_rows_is_nothing() -> None:
    mailing = posted(a_list(members=[DEAD]), day(0))
    ghost = event(DEAD, mailing, day(0))
    assert standing.record([type(ghost)(**{name: getattr(ghost, name) for name in ghost.__slots__} | {"address_id": 10**9})], day(0)).new == 0


def test_a_complaint_leaves_newsletters_and_pauses_the_rest_with_a_way_back() -> None:
    news, amis = a_list("news@lists.example", members=[DEAD, WELL], template="newsletter"), a_list(members=[DEAD])
    elsewhere = a_list("info@other.example", members=[DEAD], template="newsletter", organisation="Other")
    mailing = posted(news, day(0))
    assert comes_back(mailing, [DEAD], day(0), "complaint").moved == {Standing.PAUSED: 1}
    assert [row.left_by for row in Membership.objects.filter(address__email=DEAD).order_by("list__address")] == ["", "", "complaint"]
    assert audience(posted(amis, day(1))) == audience(posted(elsewhere, day(1))) == set()
    [(_, to, letter)] = letters("complained")
    assert to == DEAD and "/back/" in text(letter)
    comes_back(posted(news, day(2)), [DEAD], day(2), "complaint")
    assert len(letters("complained")) == 1 and standing.probes_due(day(300)) == 0
    assert memberships.add(news, [(DEAD, "")], day(3), by="owner").left == [DEAD]

    address = Address.objects.get(email=DEAD)
    assert standing.forgive([address.pk], day(4), by="owner") == 0 and standing.heard_from([address.pk], day(4), by="post") == 0
    found = standing.named(standing.link(address, day(0)).rpartition("/")[2], day(4))
    assert found and found.good and found.row
    standing.come_back([address.pk], day(4), by=DEAD)
    assert state(DEAD) == "good" and Membership.objects.filter(address=address, until__isnull=True).count() == 3


def test_a_link_is_ours_and_ends() -> None:
    address = Address.objects.create(email=DEAD)
    token = standing.link(address, day(0)).rpartition("/")[2]
    assert standing.named("x" * 24, day(0)) is None and standing.named(token[:-1] + ("a" if token[-1] != "a" else "b"), day(0)) is None
    late = standing.named(token, day(91))
    assert late and not late.good


def test_members_of_a_source_stay_and_nothing_brings_the_address_back() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    source = Source.objects.create(list=list_, kind="csv", name="S")
    Membership.objects.filter(address__email=DEAD).update(source=source)
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    at = to_the_end(DEAD, list_)
    assert state(DEAD) == "gone" and member(DEAD)
    memberships.add(list_, [(DEAD, "")], day(at), by="owner")
    assert audience(posted(list_, day(at + 1))) == {WELL}


def test_a_list_may_keep_whom_mail_does_not_reach() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL], when_gone="suspend")
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    to_the_end(DEAD, list_)
    assert state(DEAD) == "gone" and member(DEAD)


def test_owners_and_people_probe_and_are_heard() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    address = Address.objects.get(email=DEAD)
    with pytest.raises(Invalid):
        standing.probe([address.pk], day(0), by="owner")
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    assert standing.probe([address.pk], day(1.5), by="owner") == 1
    with pytest.raises(Invalid):
        standing.probe([address.pk], day(1.6), by="owner")  # one is on its way
    assert standing.heard_from([address.pk], day(2), by="post") == 1 and state(DEAD) == "good"


def test_a_letter_to_a_lost_address_that_arrives_brings_the_membership_back() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    at = to_the_end(DEAD, list_)
    assert state(DEAD) == "gone" and not member(DEAD)
    standing.probe([Address.objects.get(email=DEAD).pk], day(at + 1), by="owner")
    comes_back(accept(Mailing.objects.filter(letter="probe").latest("id")), [DEAD], day(at + 1.1), "delivered")
    assert state(DEAD) == "good" and member(DEAD)
    standing.look_due(day(at + 600))
    assert not DeliveryEvent.objects.exists()


def test_an_answering_machine_at_the_other_end_is_a_sign_of_life() -> None:
    a_transport("folder:///nowhere")
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    standing.probes_due(day(4))
    assert comes_back(accept(Mailing.objects.get(letter="probe")), [DEAD], day(4.1), "absence").moved == {Standing.GOOD: 1}


def test_the_sites_rule_holds_for_all() -> None:
    policies.set_policy(policies.site(), {"bounce_rule": "three"}, "test", day(0))
    list_ = a_list(members=[DEAD, WELL])
    for at in (0, 1):
        comes_back(posted(list_, day(at)), [DEAD], day(at))
    assert state(DEAD) == "shaky"
    comes_back(posted(list_, day(2)), [DEAD], day(2))
    assert state(DEAD) == "paused"


def test_copies_planned_before_are_left_out_when_they_are_claimed() -> None:
    transport = a_transport("smtp://127.0.0.1:1")
    list_ = a_list(members=[DEAD, WELL])
    comes_back(posted(list_, day(0)), [DEAD], day(0))
    mailing = a_mailing(list_, now=day(1))
    join(list_, [])
    comes_back(posted(list_, day(1)), [DEAD], day(1))
    [work] = [work for work in copies.claim(transport.pk, day(1), 60.0) if work.slice.mailing == mailing.pk]
    assert [copy.email for copy in work.copies] == [WELL]


def test_owners_are_told_once_a_day_all_lists_in_one_letter() -> None:
    a_transport("folder:///nowhere")
    amis, news = a_list(members=[DEAD, WELL]), a_list("news@lists.example", members=[DEAD, WELL], tell_standing=False)
    other = a_list("autres@lists.example", members=[DEAD, WELL], language="fr")
    for list_ in (amis, news, other):
        give_role(list_, RoleKind.OWNER, "owner@lists.example")
    for at in (0, 1):
        comes_back(posted(amis, day(at)), [DEAD], day(at))
    assert StandingNews.objects.count() == 3
    assert standing.tell_due(day(1.9)) == 0 and standing.tell_due(day(2.1)) == 1 and standing.tell_due(day(9)) == 0
    [(_, _, letter)] = letters("addresses")
    assert "amis@lists.example" in text(letter) and "autres@lists.example" in text(letter) and "news@lists.example" not in text(letter)
