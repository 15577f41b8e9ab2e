"""The ledger of a mailbox, what stays behind, and its health; hours of failures in milliseconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from colporteur.domain.mailboxes import Account
from colporteur.flow import collecting, intake, mailboxes, people
from colporteur.flow.mailboxes import Failure
from colporteur.store.arrivals import Arrival, Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from tests.story.scenes import a_list, give_role, message

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = Account("imap", "imap.shared.example", 993, "gardeners@shared.example", "geheim")
PASSWORD = Failure("{host} refused the user name or the password of {user}.", {"host": "imap.shared.example", "user": "u"}, "NO", lasting=True)
GONE = Failure("The connection to {host} was lost.", {"host": "imap.shared.example"})


@pytest.fixture
def list_() -> List:
    made = a_list("gardeners@shared.example", on_domain=False, template="mailbox", members=["anna@members.example"])
    give_role(made, RoleKind.OWNER, "owner@members.example")
    return made


@pytest.fixture
def mailbox(list_: List) -> Mailbox:
    return mailboxes.set_mailbox(list_, ACCOUNT, NOW, by="test")


def raw(number: int) -> bytes:
    return message(subject=f"Number {number}", message_id=f"<{number}@members.example>")


def letters(name: str) -> list[str]:
    return list(Mailing.objects.filter(letter=name).order_by("id").values_list("subject", flat=True))


# ---- setting up -------------------------------------------------------------------------------------------------


def test_the_password_is_sealed_and_kept_when_none_is_given(list_: List, mailbox: Mailbox) -> None:
    assert "geheim" not in mailbox.password_sealed
    mailboxes.set_mailbox(list_, Account("imap", "imap.shared.example", 993, "gardeners@shared.example", "", move_to="Taken"), NOW, by="test")
    mailbox.refresh_from_db()
    assert (mailboxes.account_of(mailbox).password, mailbox.move_to) == ("geheim", "Taken")


def test_the_password_is_never_shown_to_another_server(list_: List, mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match="password is missing"):
        mailboxes.set_mailbox(list_, Account("imap", "imap.evil.example", 993, "gardeners@shared.example", ""), NOW, by="test")


def test_a_url_sets_a_mailbox_and_a_wrong_one_says_what_to_write(list_: List) -> None:
    made = mailboxes.set_mailbox(list_, "imaps://gardeners%40shared.example:p%40ss@imap.shared.example/INBOX?move=Taken&every=120", NOW, by="test")
    assert (made.user, mailboxes.account_of(made).password, made.port, made.tls, made.every) == ("gardeners@shared.example", "p@ss", 993, "ssl", 120)
    with pytest.raises(ValueError, match="write imaps://"):
        mailboxes.set_mailbox(list_, "imaps://imap.shared.example/", NOW, by="test")


def test_another_account_begins_afresh(list_: List, mailbox: Mailbox) -> None:
    collecting.take(mailbox.id, 7, [("1", raw(1))], NOW)
    mailboxes.learn(mailbox, {"plus_part": True}, NOW)
    mailboxes.trouble(mailbox.id, GONE, NOW)
    made = mailboxes.set_mailbox(list_, Account("imap", "imap.other.example", 993, "gardeners@shared.example", "x"), NOW, by="test")
    assert (made.traits, made.failures, made.next_try, Collected.objects.count()) == ({}, 0, None, 0)


def test_a_mailbox_is_due_while_its_list_and_domain_are_on(list_: List, mailbox: Mailbox) -> None:
    assert [(one.id, one.ready, one.account and one.account.password) for one in collecting.due(NOW)] == [(mailbox.id, True, "geheim")]
    List.objects.update(state=ListState.OFF)
    assert collecting.due(NOW) == []
    List.objects.update(state=ListState.ACTIVE)
    mailboxes.switch(mailbox, False, NOW, by="test")
    assert collecting.due(NOW) == []


def test_a_broken_seal_is_one_mailboxs_trouble_only(mailbox: Mailbox) -> None:
    other = a_list("other@shared.example", on_domain=False, template="mailbox")
    mailboxes.set_mailbox(other, ACCOUNT, NOW, by="test")
    Mailbox.objects.filter(pk=mailbox.pk).update(password_sealed="gAAAAAB-nonsense")
    assert [one.account is None for one in collecting.due(NOW)] == [True, False]


# ---- the ledger -------------------------------------------------------------------------------------------------


def test_messages_are_taken_once_and_may_then_be_removed(mailbox: Mailbox) -> None:
    assert collecting.wanted(mailbox.id, 7, ["1", "2"], NOW).new == ("1", "2")
    assert collecting.take(mailbox.id, 7, [("1", raw(1)), ("2", raw(2))], NOW) == ["1", "2"]
    assert Post.objects.count() == 2
    assert collecting.wanted(mailbox.id, 7, ["1", "2", "3"], NOW) == collecting.Wanted(("3",), ("1", "2"))
    assert collecting.take(mailbox.id, 7, [("1", raw(1)), ("2", raw(2))], NOW) == ["1", "2"]  # killed before the removal: removed now, not posted again
    assert Post.objects.count() == 2


def test_the_envelope_is_what_the_host_wrote_on_top(mailbox: Mailbox) -> None:
    top = b"Return-Path: <Anna@Members.example>\r\nX-Original-To: gardeners+abc@shared.example\r\nDelivered-To: <gardeners@shared.example>\r\nReceived: from x\r\n"
    collecting.take(mailbox.id, 7, [("1", top + raw(1)), ("2", b"Return-Path: <>\r\n" + raw(2)), ("3", raw(3)), ("4", b"\x00\xff\r\n")], NOW)
    found = [(one.mail_from, one.recipients) for one in Arrival.objects.order_by("id")]
    plain = ["gardeners@shared.example"]
    assert found == [("anna@members.example", ["gardeners+abc@shared.example", *plain]), ("", plain), ("anna@members.example", plain), ("", plain)]


def test_a_new_uidvalidity_does_not_post_again(mailbox: Mailbox) -> None:
    bare = b"Subject: neither Message-ID nor Date\r\n\r\nx\r\n"
    collecting.take(mailbox.id, 7, [("1", raw(1)), ("2", bare)], NOW)
    later = NOW + timedelta(days=30)  # beyond the seven days of the search for duplicates
    assert collecting.wanted(mailbox.id, 8, ["101", "102"], later).new == ("101", "102")
    assert collecting.take(mailbox.id, 8, [("101", raw(1)), ("102", bare)], later) == ["101", "102"]
    assert Post.objects.count() == 2
    assert collecting.wanted(mailbox.id, 8, [], later) == collecting.Wanted((), ())
    assert collecting.take(mailbox.id, 9, [("1", bare)], later) == ["1"]  # written anew by somebody: a message of its own
    assert Post.objects.count() == 3


def test_entries_of_messages_long_gone_are_forgotten_and_those_that_may_still_be_there_are_not(mailbox: Mailbox) -> None:
    assert collecting.take(mailbox.id, 7, [("1", raw(1)), ("2", raw(2)), ("3", raw(3))], NOW) == ["1", "2", "3"]
    collecting.removed(mailbox.id, 7, ["1"])
    Collected.objects.filter(uid="3").update(validity=6)
    collecting.wanted(mailbox.id, 7, ["2"], NOW + timedelta(days=29))
    assert set(Collected.objects.values_list("uid", flat=True)) == {"1", "2", "3"}
    assert collecting.wanted(mailbox.id, 7, ["2"], NOW + timedelta(days=31)).new == ()
    assert set(Collected.objects.values_list("uid", "validity")) == {("2", 7), ("3", 6)}
    assert collecting.take(mailbox.id, 8, [("9", raw(3))], NOW + timedelta(days=31)) == ["9"] and Post.objects.count() == 3, "numbered anew, and known again"


def test_a_name_used_again_is_another_message(mailbox: Mailbox) -> None:
    collecting.take(mailbox.id, 0, [("1", raw(1))], NOW)
    collecting.removed(mailbox.id, 0, ["1"])
    assert collecting.wanted(mailbox.id, 0, ["1"], NOW).new == ("1",)
    assert collecting.take(mailbox.id, 0, [("1", raw(2))], NOW) == ["1"]
    assert collecting.take(mailbox.id, 0, [("1", raw(3))], NOW) == ["1"]  # even when the removal was never written down
    assert [post.message_id for post in Post.objects.order_by("id")] == [f"<{number}@members.example>" for number in (1, 2, 3)]


def test_a_duplicate_is_dropped_and_removed(mailbox: Mailbox) -> None:
    assert collecting.take(mailbox.id, 7, [("1", raw(1)), ("2", raw(1))], NOW) == ["1", "2"]
    assert Post.objects.count() == 1


def test_a_message_without_content_stays_and_does_not_stand_in_the_way(mailbox: Mailbox) -> None:
    assert collecting.take(mailbox.id, 7, [("1", None), ("2", raw(2))], NOW) == ["2"]
    assert collecting.wanted(mailbox.id, 7, ["1"], NOW).new == ()
    later = NOW + timedelta(minutes=2)
    assert collecting.wanted(mailbox.id, 7, ["1", "3"], later).new == ("3", "1")
    assert collecting.take(mailbox.id, 7, [("1", raw(1))], later) == ["1"]
    assert not LeftBehind.objects.exists()


def test_a_message_that_is_never_taken_is_left_for_good_and_owners_are_told(mailbox: Mailbox) -> None:
    at = NOW
    for _ in range(5):
        collecting.take(mailbox.id, 7, [("1", None)], at)
        at += timedelta(hours=2)
    assert collecting.wanted(mailbox.id, 7, ["1"], at + timedelta(days=9)).new == ()
    assert len(letters("trouble")) == 1
    assert JournalEntry.objects.filter(event="mailbox.left").count() == 1
    collecting.wanted(mailbox.id, 7, [], at)
    assert not LeftBehind.objects.exists()  # somebody took it away


def test_one_poison_message_does_not_block_the_others(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intake._receive

    def picky(incoming: Any, now: datetime) -> Any:
        if any(b"Number 2" in one.raw for one in incoming):
            raise ValueError("poison")
        return whole(incoming, now)

    monkeypatch.setattr(intake, "_receive", picky)
    assert collecting.take(mailbox.id, 7, [(str(number), raw(number)) for number in (1, 2, 3)], NOW) == ["1", "3"]
    assert LeftBehind.objects.get().uid == "2"
    monkeypatch.undo()
    assert collecting.wanted(mailbox.id, 7, ["2"], NOW + timedelta(minutes=2)).new == ("2",)
    assert collecting.take(mailbox.id, 7, [("2", raw(2))], NOW) == ["2"]


def test_a_list_that_is_switched_off_leaves_its_mail_where_it_is(mailbox: Mailbox) -> None:
    List.objects.update(state=ListState.OFF)
    assert collecting.take(mailbox.id, 7, [("1", raw(1))], NOW) == []
    List.objects.update(state=ListState.ACTIVE)
    assert collecting.take(mailbox.id, 7, [("1", raw(1))], NOW + timedelta(hours=1)) == ["1"]


def test_reports_and_service_mail_make_errands_not_posts(mailbox: Mailbox) -> None:
    report = b"From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nno\r\n--b--\r\n"
    collecting.take(mailbox.id, 7, [("1", b"Return-Path: <>\r\n" + report)], NOW)
    assert (Post.objects.count(), Errand.objects.get().service) == (0, "bounces")


def test_messages_of_a_live_test_are_left_to_it_then_swept_up(mailbox: Mailbox) -> None:
    probe = f"X-Colporteur-Probe: {mailboxes.probe_mark(NOW)} plain\r\n".encode() + raw(1)
    report = b"Return-Path: <>\r\nSubject: Undelivered\r\n\r\n--x\r\n" + probe
    forged = b"X-Colporteur-Probe: 65e1c0c0-00000000000000000000 plain\r\n" + raw(2)
    assert sorted(collecting.take(mailbox.id, 7, [("1", probe), ("2", forged), ("3", report)], NOW)) == ["2", "3"]
    assert Post.objects.count() == 1
    assert collecting.take(mailbox.id, 7, [("1", probe)], NOW + timedelta(hours=1)) == ["1"]
    assert Post.objects.count() == 1


def test_a_mailbox_taken_away_meanwhile_is_told(mailbox: Mailbox) -> None:
    number = mailbox.id
    mailboxes.remove_mailbox(mailbox, NOW, by="test")
    for act in (lambda: collecting.take(number, 7, [("1", raw(1))], NOW), lambda: collecting.wanted(number, 7, [], NOW), lambda: mailboxes.trouble(number, GONE, NOW)):
        with pytest.raises(mailboxes.MailboxGone):
            act()


# ---- health -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_once_and_tried_less_and_less_often(mailbox: Mailbox) -> None:
    at, waits = NOW, []
    for _ in range(8):
        again = mailboxes.trouble(mailbox.id, PASSWORD, at)
        assert [one.ready for one in collecting.due(at)] == [False]
        waits.append((again - at).total_seconds())
        at = again
    assert waits == [10, 30, 90, 270, 810, 1800, 1800, 1800]
    assert len(letters("trouble")) == 1
    assert JournalEntry.objects.filter(event="mailbox.trouble").count() == 1
    assert mailboxes.worked(mailbox.id, at)
    assert len(letters("recovered")) == 1
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.next_try, mailbox.last_error, mailboxes.health(mailbox)) == (0, None, "", "ok")


def test_a_trouble_that_may_pass_is_told_after_five_failures(mailbox: Mailbox) -> None:
    for _ in range(4):
        mailboxes.trouble(mailbox.id, GONE, NOW)
    assert letters("trouble") == []
    mailboxes.worked(mailbox.id, NOW)
    assert letters("recovered") == []  # nobody had been told
    for _ in range(9):
        mailboxes.trouble(mailbox.id, GONE, NOW)
    assert len(letters("trouble")) == 1


def test_traits_of_a_live_test_are_kept_beside_those_it_did_not_test(mailbox: Mailbox) -> None:
    mailboxes.learn(mailbox, {"plus_part": True, "from_address": False}, NOW)
    mailboxes.learn(mailbox, {"from_address": True}, NOW)
    assert Mailbox.objects.get().traits == {"plus_part": True, "from_address": True}
    with pytest.raises(ValueError, match="unknown trait"):
        mailboxes.learn(mailbox, {"colour": True}, NOW)


def test_another_folder_of_the_account_has_a_ledger_of_its_own_and_the_same_traits(list_: List, mailbox: Mailbox) -> None:
    mailboxes.learn(mailbox, {"plus_part": True}, NOW)
    collecting.take(mailbox.id, 7, [("1", raw(1))], NOW)
    made = mailboxes.set_mailbox(list_, Account("imap", "imap.shared.example", 993, "gardeners@shared.example", "", folder="Lists"), NOW, by="test")
    assert made.traits == {"plus_part": True}
    assert collecting.take(made.id, 7, [("1", raw(2))], NOW) == ["1"]
    assert Post.objects.count() == 2


def test_only_administrators_of_the_site_name_a_host_inside_and_others_may_still_change_the_rest(list_: List, mailbox: Mailbox, settings: Any) -> None:
    settings.NETWORKS = ("10.0.5.0/24",)
    owner, admin = people.add("owner@members.example", now=NOW), people.add("admin@members.example", now=NOW)
    admin.is_admin = True
    assert mailboxes.account_of(mailbox).reach is None, "set by a command on the server"
    same = replace(ACCOUNT, folder="Other", password="")
    assert mailboxes.account_of(mailboxes.set_mailbox(list_, same, NOW, by=owner)).reach is None
    moved = mailboxes.set_mailbox(list_, replace(ACCOUNT, host="127.0.0.1"), NOW, by=owner)
    assert mailboxes.account_of(moved).reach == ("10.0.5.0/24",)
    assert mailboxes.account_of(mailboxes.set_mailbox(list_, replace(ACCOUNT, host="127.0.0.1"), NOW, by=admin)).reach is None
