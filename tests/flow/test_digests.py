"""Digests: who finds which message in one, when it leaves, and that no message is lost or comes twice."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import transaction

from colporteur.domain.digests import DeliveryMode
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.posts import PostState
from colporteur.flow import copies as flow_copies
from colporteur.flow import digests, mailings, memberships, nesting, planning
from colporteur.mail.render import Rewriting, prepare
from colporteur.store import copies
from colporteur.store.arrivals import Arrival, keep
from colporteur.store.digests import DigestSeries, DigestWaiting
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain
from colporteur.store.posts import Post
from tests.story.scenes import a_list, a_transport, message

pytestmark = pytest.mark.django_db
MORNING = datetime(2026, 11, 18, 8, tzinfo=UTC)  # a Wednesday
EVENING = datetime(2026, 11, 18, 18, tzinfo=UTC)
ANNA, BEA, CARL = "anna@members.example", "bea@members.example", "carl@members.example"


def posted(list_: List, subject: str, at: datetime, raw: bytes = b"") -> Mailing:
    """A post accepted and planned at that moment."""
    raw = raw or message("dora@members.example", list_.address, subject, f"Words of {subject}.\r\n")
    arrival = Arrival.objects.create(blob_id=keep(raw), door="lmtp", mail_from="", recipients=[list_.address], received_at=at)
    post = Post.objects.create(list=list_, arrival=arrival, state=PostState.ACCEPTED, message_id=f"<{subject}@x>", content_key=subject.encode(), size=len(raw), subject=subject, sender="dora@members.example", received_at=at)
    with transaction.atomic():
        mailing = mailings.create_for_post(post, at)
    plan(at)
    return mailing


def plan(at: datetime) -> None:
    while planning.plan_due(at):
        pass


def tick(at: datetime) -> None:
    """What the clock does."""
    while digests.make_due(at):
        pass
    plan(at)


def choose(list_: List, who: str, mode: str, at: datetime) -> None:
    memberships.set_delivery(list_, [who], DeliveryMode(mode), at, by="test")


def copies_of(who: str) -> Iterator[tuple[Mailing, EmailMessage]]:
    for copy in Copy.objects.filter(address__email=who).select_related("mailing__blob").order_by("mailing_id"):
        yield copy.mailing, email.message_from_bytes(bytes(copy.mailing.blob.raw), policy=email.policy.default)  # type: ignore[misc]


def received(who: str) -> list[str]:
    """The subjects that reach somebody, in order, each by its way: "each a", "daily-mime b c"."""
    found = []
    for mailing, _message in copies_of(who):
        held = [entry.post.subject for entry in mailing.digest_entries.select_related("post").order_by("position")]
        found.append(" ".join([mailing.delivery, *(held or [mailing.subject])]))
    return found


@pytest.fixture
def amis() -> List:
    return a_list("amis@lists.example", members=[ANNA, BEA, CARL], title="Amis", time_zone="UTC")


def test_a_day_comes_in_one_message_at_its_hour_and_nothing_comes_when_there_was_nothing(amis: List) -> None:
    choose(amis, ANNA, "daily-mime", MORNING)
    choose(amis, BEA, "daily-plain", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    posted(amis, "two", MORNING + timedelta(hours=2))
    tick(EVENING - timedelta(minutes=1))
    assert received(ANNA) == [] and received(CARL) == ["each one", "each two"]
    tick(EVENING)
    tick(EVENING + timedelta(minutes=20))
    tick(EVENING + timedelta(days=1))
    assert received(ANNA) == ["daily-mime one two"] and received(BEA) == ["daily-plain one two"]
    assert Mailing.objects.filter(kind=MailingKind.DIGEST).count() == 2 and not DigestWaiting.objects.exists()
    series = DigestSeries.objects.get()
    assert (series.volume, series.issue, series.error) == (1, 1, "")


def test_who_changes_finds_every_message_once_and_by_the_way_that_was_theirs_when_it_was_accepted(amis: List) -> None:
    choose(amis, BEA, "daily-mime", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    choose(amis, ANNA, "daily-mime", MORNING + timedelta(hours=1, minutes=30))  # each -> digest
    choose(amis, BEA, "each", MORNING + timedelta(hours=1, minutes=30))  # digest -> each
    posted(amis, "two", MORNING + timedelta(hours=2))
    choose(amis, ANNA, "each", MORNING + timedelta(hours=2, minutes=30))  # and back
    posted(amis, "three", MORNING + timedelta(hours=3))
    choose(amis, ANNA, "daily-plain", MORNING + timedelta(hours=3, minutes=30))
    posted(amis, "four", MORNING + timedelta(hours=4))
    tick(EVENING)
    assert received(ANNA) == ["each one", "each three", "daily-mime two", "daily-plain four"]
    assert received(BEA) == ["each two", "each three", "each four", "daily-mime one"]
    assert received(CARL) == ["each one", "each two", "each three", "each four"]


def test_what_was_accepted_before_a_change_is_planned_and_sent_the_old_way_after_it(amis: List) -> None:
    a_transport("folder:///tmp/unused")
    raw = message("dora@members.example", amis.address, "late")
    arrival = Arrival.objects.create(blob_id=keep(raw), door="lmtp", mail_from="", recipients=[], received_at=MORNING)
    post = Post.objects.create(list=amis, arrival=arrival, state=PostState.ACCEPTED, message_id="<l@x>", content_key=b"l", size=len(raw), subject="late", sender="", received_at=MORNING)
    mailing = mailings.create_for_post(post, MORNING)
    choose(amis, ANNA, "daily-mime", MORNING + timedelta(minutes=1))  # before it is planned
    choose(amis, BEA, "none", MORNING + timedelta(minutes=1))
    plan(MORNING + timedelta(minutes=2))
    choose(amis, CARL, "daily-mime", MORNING + timedelta(minutes=3))  # after
    slice_ = Slice.objects.get(mailing=mailing)
    due = copies.copies_of([copies.Claimed(mailing.pk, slice_.number, 0)], MORNING)
    assert {one.email for one in due if one.here} == {ANNA, CARL}
    tick(EVENING)
    assert received(ANNA) == ["each late"] and received(BEA) == [] and received(CARL) == ["each late"]


def test_days_without_a_worker_lose_nothing_and_a_worker_that_dies_in_between_repeats_nothing(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(amis, ANNA, "daily-mime", MORNING)
    for day in range(3):
        posted(amis, f"day{day}", MORNING + timedelta(days=day, hours=1))
    later = MORNING + timedelta(days=3)

    def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as context:
        context.setattr(digests.journal, "write", dies)
        tick(later)
    assert DigestWaiting.objects.count() == 3 and not Mailing.objects.filter(kind=MailingKind.DIGEST).exists() and "killed" in DigestSeries.objects.get().error
    tick(later + timedelta(minutes=15))
    tick(later + timedelta(minutes=30))
    assert received(ANNA) == ["daily-mime day0 day1 day2"] and DigestSeries.objects.get().error == ""


def test_a_full_digest_leaves_at_once_and_the_rest_at_its_hour(amis: List) -> None:
    List.objects.update(policy=amis.policy | {"digest_messages": 2})
    choose(amis, ANNA, "weekly-plain", MORNING)
    for number in range(5):
        posted(amis, f"m{number}", MORNING + timedelta(minutes=number + 1))
        tick(MORNING + timedelta(minutes=number + 1, seconds=30))
    assert received(ANNA) == ["weekly-plain m0 m1", "weekly-plain m2 m3"]
    tick(EVENING)  # Wednesday: the week ends on Friday
    assert len(received(ANNA)) == 2
    tick(EVENING + timedelta(days=2))
    assert received(ANNA)[2:] == ["weekly-plain m4"]
    assert [Mailing.objects.filter(kind="digest").order_by("id")[n].subject.partition(":")[0] for n in range(3)] == [f"Amis, weekly digest, vol. 1, no. {n}" for n in (1, 2, 3)]


def test_a_switched_off_domain_sends_no_digest_until_it_is_on_again(amis: List) -> None:
    choose(amis, ANNA, "daily-mime", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    Domain.objects.update(enabled=False)
    tick(EVENING)
    assert received(ANNA) == []
    Domain.objects.update(enabled=True)
    tick(EVENING + timedelta(minutes=15))
    assert received(ANNA) == ["daily-mime one"]


def test_who_left_paused_or_wants_nothing_any_more_gets_no_digest(amis: List) -> None:
    for who in (ANNA, BEA, CARL):
        choose(amis, who, "daily-mime", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    memberships.remove(amis, [ANNA], MORNING + timedelta(hours=2), by="test")
    memberships.pause(amis, [BEA], MORNING + timedelta(hours=2), by="test")
    choose(amis, CARL, "none", MORNING + timedelta(hours=2))
    tick(EVENING)
    assert not Mailing.objects.filter(kind=MailingKind.DIGEST).exists() and not DigestWaiting.objects.exists() and DigestSeries.objects.get().issue == 0


def test_subjects_come_at_once_with_author_and_a_link_and_hang_in_the_thread(amis: List) -> None:
    choose(amis, ANNA, "subjects", MORNING)
    first = posted(amis, "Picnic", MORNING + timedelta(hours=1))
    (mailing, written), = copies_of(ANNA)
    assert mailing.post_id == first.post_id and mailing.state == MailingState.RUNNING
    assert written["From"] == "dora@members.example" and written["Subject"] == "Picnic" and str(written["In-Reply-To"]) in message("dora@members.example", amis.address, "Picnic", "Words of Picnic.\r\n").decode()
    assert "Words of Picnic" not in written.get_content()
    sent = prepare(bytes(mailing.blob.raw), Rewriting.from_json(mailing.rewriting)).copy_for(ANNA, "", "t" * 24)
    assert b"Read the message: http://testserver/d/" + b"t" * 24 in sent.replace(b"=\r\n", b"") and b"List-Unsubscribe:" in sent


def test_the_digest_carries_the_lists_header_and_goes_back_to_the_list(amis: List) -> None:
    choose(amis, ANNA, "daily-plain", MORNING)
    choose(amis, BEA, "daily-mime", MORNING)
    List.objects.update(policy=amis.policy | {"footer": "Leave: {unsubscribe}"})
    posted(amis, "one", MORNING + timedelta(hours=1))
    tick(EVENING)
    for mailing in Mailing.objects.filter(kind=MailingKind.DIGEST):
        sent = email.message_from_bytes(prepare(bytes(mailing.blob.raw), Rewriting.from_json(mailing.rewriting)).copy_for(ANNA, "", "t" * 24), policy=email.policy.default)
        assert sent["List-Id"] and sent["List-Unsubscribe"] and sent["Reply-To"] == amis.address and str(sent["From"]) == "Amis <amis@lists.example>"
        assert sent["Subject"] == "Amis, digest, vol. 1, no. 1: 1 message"
        body = sent.get_body(("plain",))
        assert body is not None and "Leave: " in body.get_content() and f"/d/{'t' * 24}" in body.get_content()


def test_a_list_inside_another_brings_its_digest_readers_and_nobody_twice(amis: List) -> None:
    inner = a_list("bureau@lists.example", members=[ANNA, "eva@members.example", "finn@members.example"])
    nesting.put_inside(amis, inner, MORNING, by="test")
    choose(inner, "eva@members.example", "daily-mime", MORNING)
    choose(inner, ANNA, "daily-mime", MORNING)
    choose(amis, BEA, "daily-mime", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    tick(EVENING)
    assert received("eva@members.example") == ["daily-mime one"] and received("finn@members.example") == ["each one"]
    assert received(ANNA) == ["each one"] and received(BEA) == ["daily-mime one"]


def test_a_digest_is_finished_and_counted_like_any_mailing(amis: List) -> None:
    choose(amis, ANNA, "daily-mime", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1))
    tick(EVENING)
    mailing = Mailing.objects.get(kind=MailingKind.DIGEST)
    assert mailings.totals(mailing.pk).total == 1 and mailings.cancel(mailing.pk, EVENING, "test")
    assert Membership.objects.filter(address__email=ANNA, until__isnull=True).count() == 1
    assert not flow_copies.finish(mailing.pk, EVENING)
