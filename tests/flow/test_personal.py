"""What is decided for one member holds: pauses begin and end on their day, messages wait or pass, own copies come or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.flow import intake, lists, memberships, moderation, organisations, personal
from colporteur.flow.mailings import left_out
from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, JournalEntry, Post

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def anna() -> Membership:
    organisations.add_domain("saule.example", None, NOW, by="test")
    made = lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    memberships.add(made, [("anna@a.example", "Anna")], NOW, by="test")
    return Membership.objects.get()


def paused(row: Membership) -> bool:
    row.refresh_from_db()
    return row.paused


def test_a_pause_begins_and_ends_on_its_days(anna: Membership) -> None:
    personal.choose(anna, personal.Choices("each", pause_from=NOW + DAY, pause_until=NOW + 3 * DAY), NOW, by="test")
    assert not paused(anna) and personal.pauses_due(NOW) == 0
    assert personal.pauses_due(NOW + DAY) == 1 and paused(anna)
    assert personal.pauses_due(NOW + 2 * DAY) == 0 and paused(anna)
    assert personal.pauses_due(NOW + 3 * DAY) == 1 and not paused(anna)
    personal.choose(anna, personal.Choices("each", pause_until=NOW + DAY), NOW, by="test")
    assert paused(anna), "without a beginning it begins at once"
    personal.choose(anna, personal.Choices("each"), NOW, by="test")
    assert not paused(anna), "and taken away it is over"
    with pytest.raises(ValueError, match="ends before it begins"):
        personal.choose(anna, personal.Choices("each", pause_from=NOW + DAY, pause_until=NOW), NOW, by="test")


def test_a_note_leaves_a_pause_made_by_hand_alone_and_is_not_told_in_the_journal(anna: Membership) -> None:
    memberships.pause(anna.list, ["anna@a.example"], NOW, by="test")
    assert personal.choose(anna, personal.Choices("each", note="Secret", hidden=True), NOW, by="test") == ["hidden", "note"]
    assert paused(anna) and anna.note == "Secret"
    assert personal.choose(anna, personal.Choices("each", note="Secret", hidden=True), NOW, by="test") == []
    assert "Secret" not in str(list(JournalEntry.objects.values_list("values", flat=True)))


def written(list_: List) -> Post:
    raw = b"From: Anna <anna@a.example>\r\nTo: amapiens@saule.example\r\nSubject: Hello\r\nMessage-ID: <%d@a.example>\r\n\r\nHello\r\n" % Post.objects.count()
    intake.receive([intake.Incoming(raw=raw, mail_from="anna@a.example", recipients=(list_.address,), door="lmtp")], NOW)
    moderation.judge_due(NOW)
    return Post.objects.latest("pk")


@pytest.mark.parametrize(("mode", "posting", "state"), [("members", "", "accepted"), ("members", "moderated", "held"), ("members", "never", "rejected"), ("nobody", "", "held"), ("nobody", "free", "accepted")])
def test_what_a_member_writes_becomes_what_was_decided(anna: Membership, mode: str, posting: str, state: str) -> None:
    lists.set_policy(anna.list, {"posting": mode}, "test", NOW)
    personal.choose(anna, personal.Choices("each", posting=posting), NOW, by="test")
    assert written(anna.list).state == state


@pytest.mark.parametrize(("by_list", "own", "left"), [("yes", None, False), ("yes", False, True), ("no", None, True), ("no", True, False)])
def test_own_copies(anna: Membership, by_list: str, own: bool | None, left: bool) -> None:
    lists.set_policy(anna.list, {"own_copy": by_list}, "test", NOW)
    personal.choose(anna, personal.Choices("each", own_copy=own), NOW, by="test")
    assert (Address.objects.get(email="anna@a.example").pk in left_out(written(anna.list))) is left
