"""A newsletter goes once to each person of its audience, as it was when it was started."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from colporteur.domain.campaigns import CampaignState, Editor
from colporteur.domain.mailings import CopyState, MailingState, Pace, Priority
from colporteur.domain.pacing import Cadence
from colporteur.domain.posts import PostState
from colporteur.domain.standing import Standing
from colporteur.domain.words import Invalid
from colporteur.flow import backup, bounces, campaigns, mailings, memberships, moderation, nesting, pacing, planning, resending, standing
from colporteur.flow import copies as delivery
from colporteur.flow.campaigns import sending
from colporteur.flow.resending import Whom
from colporteur.store import buckets, copies
from colporteur.store.campaigns import Campaign, Picked
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from colporteur.store.segments import Attribute, Details, Segment
from colporteur.store.standing import AddressStanding
from tests.flow.posts import arrives
from tests.story.scenes import a_list, a_transport, give_role, join

NOW = timezone.now()


def a_campaign(list_: List, **fields: object) -> Campaign:
    return campaigns.create(list_, NOW, by="test", **{"subject": "News", "editor": Editor.MARKDOWN, "source": "# Hello\n\nGood news.", **fields})  # type: ignore[arg-type]


def planned(mailing: Mailing | None) -> set[str]:
    assert mailing
    while planning.plan_due(timezone.now()):
        pass
    mailing.refresh_from_db()
    assert mailing.planned and not mailing.error
    return to_whom(mailing)


def to_whom(mailing: Mailing) -> set[str]:
    return {email.partition("@")[0] for email in Copy.objects.filter(mailing=mailing).exclude(state=CopyState.CANCELLED).values_list("address__email", flat=True)}


@pytest.fixture
def lists(db: None) -> tuple[List, List]:
    """Two newsletters of one organisation: anna, ben, cleo on the first; cleo, dora on the second."""
    a_transport("smtp://127.0.0.1:9")
    first, second = a_list("first@lists.example", template="newsletter"), a_list("second@lists.example", template="newsletter")
    join(first, ["anna@x.example", "ben@x.example", "cleo@x.example"])
    join(second, ["cleo@x.example", "dora@x.example"])
    return first, second


def test_a_newsletter_goes_to_its_own_list_once_however_often_it_is_started(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert campaigns.start(campaign.pk, NOW, "test") == mailing
    assert planned(mailing) == {"anna", "ben", "cleo"}
    assert Mailing.objects.count() == 1
    assert set(JournalEntry.objects.filter(event__startswith="campaign.").values_list("event", flat=True)) == {"campaign.created", "campaign.started"}


def test_several_lists_give_one_copy_each_that_comes_by_a_list_of_theirs(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[first, second])
    assert campaigns.counted(campaign, NOW).recipients == 4
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert planned(mailing) == {"anna", "ben", "cleo", "dora"}
    assert mailing
    dora, cleo = (Address.objects.get(email=f"{name}@x.example") for name in ("dora", "cleo"))
    assert nesting.inner_of(mailing, dora.pk) == second
    assert nesting.inner_of(mailing, cleo.pk) is None
    memberships.leave(second, dora, NOW, by="dora")
    assert claimed(mailing) == {"anna", "ben", "cleo"}, "whoever leaves the list a copy comes by gets none"


def claimed(mailing: Mailing) -> set[str]:
    slices = [copies.Claimed(mailing.pk, number, 0) for number in Slice.objects.filter(mailing=mailing).values_list("number", flat=True)]
    return {due.email.partition("@")[0] for due in copies.copies_of(slices, timezone.now()) if due.here}


def test_who_is_left_out_paused_in_trouble_or_there_twice_is_counted_with_the_reason(lists: tuple[List, List]) -> None:
    first, second = lists
    person = Person.objects.create(name="Eve")
    join(first, ["eve@x.example", "eve.work@x.example", "fred@x.example", "gone@x.example", "dora.home@x.example"])
    Address.objects.filter(email__startswith="eve").update(person=person)
    Address.objects.filter(email__startswith="dora").update(person=Person.objects.create(name="Dora"))
    first.memberships.filter(email="fred@x.example").update(paused=True)
    AddressStanding.objects.create(address=Address.objects.get(email="gone@x.example"), state=Standing.GONE, since=NOW)
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", left_out=[second])
    found = campaigns.counted(campaign, NOW)
    assert found.recipients == 3
    assert dict(found.excluded) == {"paused, or read elsewhere": 1, "left out": 2, "mail does not reach the address": 1, "get it at another address of theirs": 1}
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "eve"}


def test_a_segment_means_who_it_meant_when_the_newsletter_was_started(lists: tuple[List, List]) -> None:
    first, _second = lists
    Attribute.objects.create(list=first, key="city", label="City")
    for name, city in (("anna", "Rennes"), ("ben", "Rennes"), ("cleo", "Brest")):
        Details.objects.create(list=first, address=Address.objects.get(email=f"{name}@x.example"), values={"city": city})
    rennes = Segment.objects.create(list=first, name="Rennes", created=NOW, rule={"match": "all", "parts": [{"about": "attribute", "key": "city", "kind": "text", "is": "equals", "value": "Rennes"}]})
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[rennes])
    assert campaigns.counted(campaign, NOW).recipients == 2
    mailing = campaigns.start(campaign.pk, NOW, "test")
    Details.objects.filter(address__email="cleo@x.example").update(values={"city": "Rennes"})
    assert planned(mailing) == {"anna", "ben"}
    assert not Picked.objects.exists()
    others = campaigns.copy(campaign, NOW, "test")
    others = campaigns.address_to(others.pk, others.version, NOW, "test", left_out=[rennes])
    with pytest.raises(Invalid, match="nobody would receive it"):
        campaigns.start(others.pk, NOW, "test")
    Details.objects.filter(address__email="ben@x.example").update(values={"city": "Brest"})
    assert planned(campaigns.start(others.pk, NOW, "test")) == {"ben"}


def test_a_segment_stays_one_when_its_list_is_switched_off_before_all_copies_are_written(lists: tuple[List, List]) -> None:
    first, second = lists
    Attribute.objects.create(list=second, key="city", label="City")
    Details.objects.create(list=second, address=Address.objects.get(email="cleo@x.example"), values={"city": "Rennes"})
    rennes = Segment.objects.create(list=second, name="Rennes", created=NOW, rule={"match": "all", "parts": [{"about": "attribute", "key": "city", "kind": "text", "is": "equals", "value": "Rennes"}]})
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[rennes])
    mailing = campaigns.start(campaign.pk, NOW, "test")
    List.objects.filter(pk=second.pk).update(state="off")
    assert planned(mailing) == {"cleo"}, "not the whole list"


def test_who_is_left_out_of_a_list_gets_no_newsletter_of_it_by_a_list_inside(lists: tuple[List, List]) -> None:
    first, second = lists
    nesting.put_inside(first, second, NOW, by="test")
    nesting.exclude(first, "dora@x.example", NOW, by="dora")
    campaign = a_campaign(first)
    assert campaigns.counted(campaign, NOW).recipients == 3
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "cleo"}


def test_a_list_that_somebody_else_chose_is_written_to_only_by_who_may(lists: tuple[List, List]) -> None:
    first, second = lists
    owner = give_role(first, RoleKind.OWNER, "owner@x.example").person
    assert owner
    campaign = a_campaign(first)
    campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[first, second])
    for one in (campaign, campaigns.copy(campaign, NOW, owner)):
        with pytest.raises(Invalid, match=second.address):
            campaigns.start(one.pk, NOW, owner)
    later = a_campaign(first)
    later = campaigns.address_to(later.pk, later.version, NOW, "test", to=[second])
    campaigns.start(later.pk, NOW, "test", at=NOW + timedelta(hours=1))
    later.refresh_from_db()
    with pytest.raises(Invalid, match=second.address):
        campaigns.change(later.pk, later.version, NOW, owner, source="Something else")
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing
    with pytest.raises(ValueError, match=second.address):
        resending.resend(mailing, Whom.NEW, NOW, by=owner)


def test_the_same_newsletter_for_another_list_skips_who_has_it(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    planned(campaigns.start(campaign.pk, NOW, "test"))
    again = campaigns.copy(campaign, NOW, "test", second)
    assert campaigns.counted(again, NOW) == (1, [("have it already", 1)])
    assert planned(campaigns.start(again.pk, NOW, "test")) == {"dora"}


def test_two_editors_notice_each_other_and_what_was_sent_stays(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    changed = campaigns.change(campaign.pk, campaign.version, NOW, "anna", subject="  Better \r\n news ")
    assert changed.subject == "Better news"
    with pytest.raises(Invalid, match="somebody else"):
        campaigns.change(campaign.pk, campaign.version, NOW, "ben", subject="Worse")
    with pytest.raises(Invalid, match="domain of the organisation"):
        campaigns.change(campaign.pk, changed.version, NOW, "ben", sender_address="ceo@bank.example")
    campaigns.start(campaign.pk, NOW, "anna")
    with pytest.raises(Invalid, match="was sent"):
        campaigns.change(campaign.pk, changed.version + 1, NOW, "ben", subject="Late")
    with pytest.raises(Invalid, match="kept"):
        campaigns.delete(Campaign.objects.get(pk=campaign.pk), NOW, "ben")


def test_only_owners_send(lists: tuple[List, List]) -> None:
    stranger = Person.objects.create(name="Stranger")
    campaign = a_campaign(lists[0])
    for attempt in (lambda: campaigns.start(campaign.pk, NOW, stranger), lambda: campaigns.test(campaign, ["a@b.example"], NOW, stranger), lambda: campaigns.copy(campaign, NOW, stranger, lists[1])):
        with pytest.raises(Invalid, match="not yours"):
            attempt()


def test_a_scheduled_newsletter_leaves_at_its_time_and_one_that_cannot_becomes_a_draft(lists: tuple[List, List]) -> None:
    first, second = lists
    good, bad = a_campaign(first), a_campaign(second)
    at = NOW + timedelta(hours=2)
    assert campaigns.start(good.pk, NOW, "test", at=at) is None
    assert campaigns.start(bad.pk, NOW, "test", at=at) is None
    for email in ("cleo@x.example", "dora@x.example"):
        memberships.leave(second, Address.objects.get(email=email), NOW, by="them")
    assert campaigns.start_due(NOW) == 0
    assert campaigns.start_due(at) == 2
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state, bad.send_at) == (CampaignState.STARTED, CampaignState.DRAFT, None)
    assert JournalEntry.objects.get(event="campaign.unsent").values["reason"] == "it cannot be sent so: nobody would receive it"
    assert planned(good.mailing) == {"anna", "ben", "cleo"}


def test_a_scheduled_newsletter_that_breaks_keeps_no_other_waiting(lists: tuple[List, List], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (a_campaign(list_) for list_ in lists)
    for campaign in (first, second):
        campaigns.start(campaign.pk, NOW, "test", at=NOW + timedelta(hours=1))
    whole = sending.composed

    def breaks(campaign: Campaign, now: datetime) -> sending.Composed:
        if campaign.pk == first.pk:
            raise RuntimeError("broken")
        return whole(campaign, now)

    monkeypatch.setattr(sending, "composed", breaks)
    assert campaigns.start_due(NOW + timedelta(hours=1)) == 2
    assert [Campaign.objects.get(pk=one.pk).state for one in (first, second)] == [CampaignState.DRAFT, CampaignState.STARTED]
    assert "RuntimeError: broken" in JournalEntry.objects.get(event="campaign.unsent").values["reason"]


def test_tests_and_single_copies_go_to_anybody_and_are_not_the_campaigns(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    first, second = campaigns.test(campaign, ["me@y.example", "anna@x.example"], NOW, "test")
    assert first.subject == "[TEST] News" and b"[TEST] News" in bytes(first.blob.raw)
    one = campaigns.send_to(campaign, "stranger@y.example", NOW, "test")
    assert [claimed(mailing) for mailing in (first, second, one)] == [{"me"}, {"anna"}, {"stranger"}]
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT and campaign.mailing is None
    assert planned(campaigns.start(campaign.pk, NOW, "test")) == {"anna", "ben", "cleo"}


def settle(mailing: Mailing, sent: Sequence[str] = (), failed: Sequence[str] = (), code: int = 550) -> None:
    """Copies end so, as delivery would have written it."""
    for names, state in ((sent, CopyState.SENT), (failed, CopyState.FAILED)):
        ids = list(Address.objects.filter(email__in=names).values_list("pk", flat=True))
        Copy.objects.filter(mailing=mailing, address__in=ids).update(state=state, code=250 if state == CopyState.SENT else code)
    for slice_ in Slice.objects.filter(mailing=mailing):
        copies.recount(mailing.pk, slice_.number)


def member(number: int) -> str:
    return f"member-{number:06}@members.example"


def a_large_one(members: int, **fields: object) -> Campaign:
    a_transport("smtp://127.0.0.1:9")
    return a_campaign(a_list("large@lists.example", template="newsletter", members=members), **fields)


def test_failures_of_half_the_copies_stop_a_newsletter_once_and_tell_its_owners(db: None) -> None:
    campaign = a_large_one(300)
    give_role(campaign.list, RoleKind.OWNER, "owner@x.example")
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing
    planned(mailing)
    settle(mailing, [member(n) for n in range(1, 41)], [member(n) for n in range(41, 100)])
    assert not campaigns.judge(mailing.pk, NOW), "too few to say anything"
    settle(mailing, failed=[member(100)])
    assert campaigns.judge(mailing.pk, NOW)
    mailing.refresh_from_db()
    assert (mailing.state, mailing.pause_reason, mailing.resume_at) == (MailingState.PAUSED, "60 of 100 copies failed: the fault may be on our side", None)
    assert Mailing.objects.filter(letter="newsletter").count() == 1
    assert mailings.resume(mailing.pk, NOW, "owner")
    assert not campaigns.judge(mailing.pk, NOW), "who resumed it knows"
    assert campaigns.halt(mailing.pk, "PrepareError: broken", NOW) and mailings.resume(mailing.pk, NOW, "owner")
    assert not campaigns.judge(mailing.pk, NOW), "another reason to stand in between takes nothing from what they know"
    assert campaigns.look(NOW) == 0


def test_a_sample_leaves_first_and_the_rest_when_it_went_well(db: None) -> None:
    campaign = a_large_one(40, sample=10)
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing and len(planned(mailing)) == 40
    assert leaves(mailing) == 4
    buckets.come_back()
    assert leaves(mailing) == 4, "changed limits do not release it"
    assert campaigns.look(NOW) == 0, "the sample has not left yet"
    settle(mailing, sample_of(mailing))
    assert [campaigns.look(NOW), campaigns.look(NOW + timedelta(minutes=20)), leaves(mailing)] == [1, 0, 0]
    assert campaigns.look(NOW + timedelta(minutes=31)) == 1
    assert leaves(mailing) == 36


def test_a_sample_that_failed_holds_the_rest_until_somebody_resumes(db: None) -> None:
    campaign = a_large_one(40, sample=10)
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing and planned(mailing)
    settle(mailing, sample_of(mailing)[1:], sample_of(mailing)[:1])
    assert [campaigns.look(NOW), campaigns.look(NOW + timedelta(minutes=31))] == [1, 1]
    mailing.refresh_from_db()
    assert mailing.state == MailingState.PAUSED and mailing.pause_reason.startswith("1 of the 4")
    assert campaigns.look(NOW + timedelta(hours=1)) == 0
    mailings.resume(mailing.pk, NOW, "owner")
    assert campaigns.look(NOW + timedelta(hours=1)) == 1
    assert leaves(mailing) == 36


def test_a_sample_is_drawn_among_all_who_receive_in_one_range_whoever_is_skipped(db: None) -> None:
    campaign = a_large_one(700, sample=1)
    members = campaign.list.memberships.order_by("address_id")
    members.filter(address_id__in=list(members.values_list("address_id", flat=True)[:100])).update(paused=True)
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing and planning.plan_due(NOW) == 1
    mailing.refresh_from_db()
    assert mailing.planned and len(to_whom(mailing)) == 600 and leaves(mailing) == 6
    assert set(sample_of(mailing)) != {member(number) for number in range(101, 107)}, "not those who are there longest"
    assert {size for _number, size in Slice.objects.filter(mailing=mailing).order_by("number").values_list("number", "size")} == {6, 500, 94}


def sample_of(mailing: Mailing) -> list[str]:
    """Whose copies leave before the others'."""
    return list(Copy.objects.filter(mailing=mailing, slice__in=Slice.objects.filter(mailing=mailing, due_at=None).values("number")).order_by("address_id").values_list("address__email", flat=True))


def leaves(mailing: Mailing) -> int:
    """Copies that may leave at once."""
    return sum(Slice.objects.filter(mailing=mailing, done=False, due_at=None).values_list("size", flat=True))


def test_it_is_sent_again_to_who_failed_and_who_is_new_and_never_to_who_has_it(lists: tuple[List, List]) -> None:
    first, second = lists
    campaign = a_campaign(first)
    campaign = campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[first, second])
    mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing
    planned(mailing)
    settle(mailing, ["anna@x.example", "cleo@x.example"], ["ben@x.example", "dora@x.example"])
    join(second, ["new@x.example", "anna.two@x.example"], since=NOW + timedelta(minutes=1))
    Address.objects.filter(email__startswith="anna").update(person=Person.objects.create(name="Anna"))
    at = NOW + timedelta(minutes=2)
    assert resending.preview(mailing, Whom.FAILED, at).number == 2
    assert resending.preview(mailing, Whom.NEW, at).first == ["new@x.example"]
    again, fresh = resending.resend(mailing, Whom.FAILED, at, by="test")
    assert fresh and resending.resend(mailing, Whom.FAILED, at, by="test") == (again, False)
    assert planned(again) == {"ben", "dora"}
    assert planned(resending.resend(mailing, Whom.NEW, at, by="test").mailing) == {"new"}
    assert nesting.inner_of(again, Address.objects.get(email="dora@x.example").pk) == second
    assert campaign.mailings.count() == 3


def test_so_many_copies_a_day_are_a_limit_of_the_mailing_which_ends_with_it(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    assert campaigns.expected(campaign, NOW).seconds == 0
    mailing = campaigns.start(campaign.pk, NOW, "test", per_day=24)
    assert mailing and mailing.pace == Pace.EVEN
    campaign.refresh_from_db()
    assert campaigns.expected(campaign, NOW).seconds == 3 * 3600
    (want,) = pacing.reserve(pacing.Lane(1, mailing.transport_id or 0, ""), [pacing.Want(pacing.Line(mailing=mailing.pk), Cadence.EVEN, 10)], [], {}, 60.0, lambda: 0.0).given
    assert len(want.slots) == 1 and 3500 < want.next < 3700, "one an hour"
    campaigns.look(NOW)
    assert buckets.limited_mailings() == [mailing.pk]
    mailings.cancel(mailing.pk, NOW, "test")
    campaigns.look(NOW)
    assert buckets.limited_mailings() == []


def test_copies_a_day_are_changed_while_it_is_sent_and_its_end_follows(lists: tuple[List, List]) -> None:
    mailing = campaigns.start(a_campaign(lists[0]).pk, NOW, "test", per_day=24)
    assert mailing and planned(mailing) and asks(mailing) == (1, 3600.0), "one an hour"
    Slice.objects.filter(mailing=mailing).update(due_at=NOW + timedelta(hours=1))  # the worker put it off
    assert campaigns.set_per_day(mailing.pk, 86400, NOW, "owner") and not campaigns.set_per_day(mailing.pk, 86400, NOW, "owner")
    assert leaves(mailing) == 3, "not in an hour"
    number, soon = asks(mailing)
    assert number and soon < 5, "one a second, and the one that left an hour ahead of the next holds nobody up"
    left = mailings.totals(mailing.pk, NOW).eta
    assert left and left - NOW == timedelta(seconds=3)
    assert mailings.pause(mailing.pk, NOW, "owner") and campaigns.set_per_day(mailing.pk, None, NOW, "owner")
    mailing.refresh_from_db()
    assert (mailing.state, mailing.pace, buckets.limited_mailings()) == (MailingState.PAUSED, Pace.USUAL, [])
    assert [entry.values["after"] for entry in JournalEntry.objects.filter(event="campaign.per_day").order_by("pk")] == ["86400", "as limits allow"]
    assert campaigns.set_per_day(mailing.pk, 1000, NOW, "owner") and (Campaign.objects.get().per_day, Mailing.objects.get().pace) == (1000, Pace.EVEN)
    for wrong in (0, 10**9):
        with pytest.raises(Invalid, match="between 1 and"):
            campaigns.set_per_day(mailing.pk, wrong, NOW, "owner")
    mailings.cancel(mailing.pk, NOW, "owner")
    assert not campaigns.set_per_day(mailing.pk, 10, NOW, "owner")


def asks(mailing: Mailing) -> tuple[int, float]:
    """How many slots a worker gets that asks for ten, and in how many seconds there are more."""
    (given,) = pacing.reserve(pacing.Lane(1, mailing.transport_id or 0, ""), [pacing.Want(pacing.Line(mailing=mailing.pk), Cadence.EVEN, 10)], [], {}, 60.0, lambda: 0.0).given
    return len(given.slots), round(given.next, 0)


def test_looking_for_segments_of_what_ended_does_not_read_everybody_who_was_picked(lists: tuple[List, List]) -> None:
    open_, ended = (campaigns.start(a_campaign(lists[0]).pk, NOW, "test") for _which in range(2))
    assert open_ and ended
    for mailing, number in ((open_, 5_000), (ended, 3)):
        Picked.objects.bulk_create(Picked(mailing=mailing.pk, left_out=False, address=address, list=1) for address in range(number))
    before = read("campaign_picked")
    campaigns.look(NOW)
    assert read("campaign_picked") - before < 100
    mailings.cancel(ended.pk, NOW, "test")
    campaigns.look(NOW)
    assert set(Picked.objects.values_list("mailing", flat=True)) == {open_.pk}


def read(table: str) -> int:
    """Rows of a table this transaction has read, by its scans and its indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = %s", [table])
        return int(cursor.fetchone()[0])


def test_who_refuses_three_newsletters_others_received_is_paused_and_can_come_back(lists: tuple[List, List]) -> None:
    first, _second = lists
    ben = Address.objects.get(email="ben@x.example")
    for number in range(3):
        mailing = campaigns.start(a_campaign(first).pk, NOW, "test")
        assert mailing and "ben" in planned(mailing)
        settle(mailing, ["anna@x.example"], ["ben@x.example", "cleo@x.example"])
        bounces.refused(mailing.pk, first.pk, [(ben.pk, 550, "5.1.1 no such user"), (Address.objects.get(email="cleo@x.example").pk, 550, "5.7.1 your server is on a block list")], NOW + timedelta(minutes=number))
    assert dict(AddressStanding.objects.values_list("address__email", "state")) == {"ben@x.example": Standing.PAUSED}
    campaign = a_campaign(first)
    assert campaigns.counted(campaign, NOW) == (2, [("mail does not reach the address", 1)])
    assert standing.forgive([ben.pk], NOW + timedelta(hours=1), by="test") == 1
    assert campaigns.counted(campaign, NOW).recipients == 3


def test_a_newsletter_whose_copies_cannot_be_made_stands_and_its_author_is_told(lists: tuple[List, List]) -> None:
    give_role(lists[0], RoleKind.OWNER, "owner@x.example")
    mailing = campaigns.start(a_campaign(lists[0]).pk, NOW, "test")
    assert mailing and planned(mailing)
    slices = [copies.Claimed(mailing.pk, 0, 0)]
    for attempt in range(5):
        assert not delivery.could_not_prepare(mailing.pk, slices, "PrepareError: broken", NOW + timedelta(minutes=attempt))
    mailing.refresh_from_db()
    assert (mailing.state, mailing.pause_reason) == (MailingState.PAUSED, "its copies cannot be made: PrepareError: broken")
    assert Mailing.objects.filter(letter="newsletter").count() == 1 and to_whom(mailing) == {"anna", "ben", "cleo"}


def test_a_restored_schedule_is_a_draft(lists: tuple[List, List]) -> None:
    campaign = a_campaign(lists[0])
    campaigns.start(campaign.pk, NOW, "test", at=NOW + timedelta(hours=1))
    backup.hold_back(NOW, NOW, "test")
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT and campaigns.start_due(NOW + timedelta(hours=2)) == 0


def test_mail_of_an_owner_to_a_newsletter_goes_out_as_one_and_a_strangers_does_not(lists: tuple[List, List]) -> None:
    first, _second = lists
    give_role(first, RoleKind.OWNER, "owner@x.example")
    for sender, state in (("owner@x.example", PostState.ACCEPTED), ("anna@x.example", PostState.HELD)):
        arrives(first, f"From: {sender}\r\nTo: {first.address}\r\nSubject: By mail\r\nMessage-ID: <{sender}>\r\n\r\nHello\r\n".encode())
        moderation.judge_due(timezone.now())
        assert Post.objects.get(sender=sender).state in (state, PostState.REJECTED if state == PostState.HELD else state)
    mailing = Mailing.objects.get(kind="post")
    assert planned(mailing) == {"anna", "ben", "cleo"} and (mailing.priority, mailing.rewriting["one_click"]) == (Priority.NEWSLETTER, True)
    assert mailing.rewriting["post"] == "NO" and "{token}" in mailing.rewriting["unsubscribe_mailto"]
