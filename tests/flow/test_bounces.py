"""Reports are matched with copies by signature, never guessed, and end in events like refusals in the dialogue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings

from colporteur.domain import tokens
from colporteur.domain.mailings import CopyState
from colporteur.domain.tokens import Purpose
from colporteur.flow import bounces, copies, errands, mailboxes, moderation, standing
from colporteur.flow.intake import Incoming, receive
from colporteur.flow.rewriting import bounces_address
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Refusal
from colporteur.store.people import Address
from colporteur.store.standing import DeliveryEvent
from tests.flow.posts import NOW, arrives, asked
from tests.mail.reports_written import WRITTEN, dsn
from tests.story.scenes import a_list, a_transport, message

pytestmark = pytest.mark.django_db
BEA, MEMBER = "bea@members.example", "member@members.example"
PLAIN = f"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\n<{BEA}>:\n550 no such user\n"
BY_NAME = {one.name: one.raw for one in WRITTEN}


@pytest.fixture
def amis() -> List:
    a_transport("folder:///tmp/colporteur-tests-outbox")
    return a_list("amis@lists.example", members=[MEMBER, BEA], posting="world")


def copy_token(list_: List, email: str, subject: str = "Hello") -> str:
    """The token of a copy for this address, of a new message."""
    post = arrives(list_, message(MEMBER, subject=subject))
    moderation.judge_due(NOW)
    mailing, address = Mailing.objects.get(post=post), Address.objects.get(email=email)
    Copy.objects.get_or_create(mailing=mailing, address=address, defaults={"slice": 1})
    return tokens.sign(settings.TOKEN_KEY, Purpose.COPY, mailing.pk, address.pk)


def comes(list_: List, raw: str, token: str = "", now=NOW) -> None:
    asked(list_, "bounces", raw.encode(), token, now, mail_from="")
    errands.do_due(now)


def events() -> list[tuple[str, str]]:
    emails = dict(Address.objects.values_list("pk", "email"))
    return [(emails[one.address_id], one.reason) for one in DeliveryEvent.objects.order_by("id")]


def unmatched() -> list[str]:
    return list(UnmatchedReport.objects.order_by("id").values_list("why", flat=True))


def sent(*, signed: bool = True) -> Mailing:
    """The mailing that was planned last, handed on."""
    mailing = Mailing.objects.filter(kind="post").latest("id")
    Copy.objects.filter(mailing=mailing).update(state=CopyState.SENT)
    Mailing.objects.filter(pk=mailing.pk).update(envelope_sender="amis-bounces+{token}@lists.example" if signed else "amis@lists.example")
    return mailing


def test_a_signed_address_says_whose_it_is_whatever_the_report_names(amis):
    token = copy_token(amis, BEA)
    comes(amis, dsn("failed", "5.1.1", "550 no such user", "bea@forwarded.example"), token)
    assert events() == [(BEA, "no_mailbox")] and unmatched() == []
    event = DeliveryEvent.objects.get()
    assert (event.status, event.code, event.origin, event.list_id) == ("5.1.1", 550, "report", amis.pk) and event.evidence


@pytest.mark.parametrize(
    ("name", "reason"),
    [("rfc3464 delayed", "delayed"), ("rfc3464 delivered", "delivered"), ("rfc3464 spamhaus", "reputation"), ("complaint without a name", "complaint"), ("qmail", "no_mailbox"), ("receipt", "receipt"), ("absence: Hello", "absence")],
)
def test_every_kind_ends_in_an_event(amis, name, reason):
    comes(amis, BY_NAME[name], copy_token(amis, BEA))
    assert events() == [(BEA, reason)]


def test_the_same_report_twice_and_another_that_says_the_same_count_once(amis):
    token = copy_token(amis, BEA)
    for text in ("550 no such user", "550 no such user", "550 unknown mailbox"):
        comes(amis, dsn("failed", "5.1.1", text), token)
    assert events() == [(BEA, "no_mailbox")]


def test_a_report_that_says_several_things_about_others_counts_for_nothing(amis):
    comes(amis, BY_NAME["qmail, two"], copy_token(amis, BEA))
    assert events() == []


def test_forged_reports_move_nothing(amis):
    copy_token(amis, BEA)
    sent()
    for number in range(40):  # a batch is all the same
        asked(amis, "bounces", PLAIN.replace("user", f"user {number}").encode(), "a" * 24 if number % 2 else "", NOW, mail_from="")
    errands.do_due(NOW)
    assert events() == [] and set(unmatched()) == {"forged", "unsigned"} and len(unmatched()) == 40
    assert JournalEntry.objects.filter(event="errand.unmatched").count() == 40


def test_what_names_no_copy_is_kept_for_a_time(amis):
    comes(amis, PLAIN, "a" * 24)
    standing.look_due(NOW + timedelta(days=settings.KEEP_UNMATCHED))
    assert unmatched() == ["forged"]
    standing.look_due(NOW + timedelta(days=settings.KEEP_UNMATCHED, seconds=1))
    assert unmatched() == []


def test_an_expired_signature_is_worth_nothing(amis):
    token = copy_token(amis, BEA)
    Mailing.objects.update(created=NOW)
    comes(amis, dsn("failed", "5.1.1", "550 no"), token, NOW + timedelta(days=31))
    assert events() == [] and unmatched() == ["forged"]


def test_without_signed_addresses_the_recipient_says_it_when_one_copy_fits(amis):
    copy_token(amis, BEA)
    mailing = sent(signed=False)
    comes(amis, PLAIN)
    assert events() == [(BEA, "no_mailbox")]
    comes(amis, PLAIN.replace(BEA, "nobody@members.example"))
    assert unmatched() == ["nobody"]
    copy_token(amis, BEA, "Another")
    sent(signed=False)
    comes(amis, PLAIN.replace("no such", "unknown"))
    assert unmatched() == ["nobody", "ambiguous"]
    returned = PLAIN.replace("unknown", "no such") + f"\n--- Below this line is a copy of the message.\n\nMessage-ID: {mailing.post.message_id}\n"
    comes(amis, returned)
    assert len(unmatched()) == 2, "its Message-ID decides"


def test_a_report_in_the_lists_own_mailbox_and_in_one_for_reports(amis):
    token = copy_token(amis, BEA)
    raw = BY_NAME["qmail"] + f"\nX-Colporteur-Trace: {token}\n"
    box = mailboxes.set_mailbox(amis, "imap://bounces%40host.example:x@imap.host.example/INBOX", NOW, by="test", traits={"plus_part": True}, only_reports=True)
    assert bounces_address(amis, None) == "bounces+{token}@host.example" and bounces_address(amis, None, together=True) == "bounces@host.example"
    receive([Incoming(raw.encode(), "", ("bounces@host.example",), "imap", box.pk, 1, "1")], NOW)
    receive([Incoming(dsn("failed", "5.2.2", "552 full").encode(), "", (f"bounces+{token}@host.example",), "imap", box.pk, 1, "2")], NOW)
    receive([Incoming(b"From: a@b.example\nSubject: Hello\n\nHello\n", "a@b.example", (), "imap", box.pk, 1, "3")], NOW)
    errands.do_due(NOW)
    assert events() == [(BEA, "no_mailbox")] and unmatched() == ["unread"]


def test_a_report_to_the_lists_address_that_returns_our_copy_is_no_post(amis):
    token = copy_token(amis, BEA)
    raw = BY_NAME["qmail"] + f"\nX-Colporteur-Trace: {token}\n"
    receive([Incoming(raw.encode(), "", (amis.address,), "lmtp")], NOW)
    errands.do_due(NOW)
    assert events() == [(BEA, "no_mailbox")]


def test_refusals_in_the_dialogue_end_in_the_same_events(amis):
    copy_token(amis, BEA)
    mailing, bea = Mailing.objects.latest("id"), Address.objects.get(email=BEA)
    bounces.refused(mailing.pk, amis.pk, [(bea.pk, 550, "5.1.1 no such user\nhere")], NOW)
    comes(amis, dsn("failed", "5.1.1", "550 no such user"), tokens.sign(settings.TOKEN_KEY, Purpose.COPY, mailing.pk, bea.pk))
    event = DeliveryEvent.objects.get()
    assert (event.origin, event.reason, event.status, event.code, event.text) == ("dialogue", "no_mailbox", "5.1.1", 550, "5.1.1 no such user here")


def test_a_refusal_nobody_told_of_is_told_when_the_mailing_ends(amis):
    copy_token(amis, BEA)
    mailing, bea = Mailing.objects.latest("id"), Address.objects.get(email=BEA)
    Copy.objects.filter(mailing=mailing, address=bea).update(state=CopyState.FAILED, code=550)
    for code, text in ((450, "4.2.0 later"), (550, "5.1.1 no such user here")):
        Refusal.objects.create(mailing_id=mailing.pk, address_id=bea.pk, at=NOW, code=code, text=text)
    for _ in range(2):
        copies.finish(mailing.pk, NOW)
        assert events() == [(BEA, "no_mailbox")]


def test_one_report_that_cannot_be_taken_in_does_not_stop_the_others(amis, monkeypatch):
    from colporteur.flow.errands import report as module

    token, really = copy_token(amis, BEA), module._arrived
    bad = asked(amis, "bounces", b"From: x@y.example\n\nboom", token, NOW, mail_from="")
    monkeypatch.setattr(module, "_arrived", lambda errand: 1 / 0 if errand.pk == bad.pk else really(errand))
    comes(amis, dsn("failed", "5.1.1", "550 no such user"), token)
    bad.refresh_from_db()
    assert events() == [(BEA, "no_mailbox")] and bad.state == "received" and "division" in bad.error
