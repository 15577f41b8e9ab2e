"""What comes in becomes rows, once, and nothing of ours is ever the sender's fault."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection

from colporteur.domain import tokens
from colporteur.domain.tokens import Purpose
from colporteur.flow import intake
from colporteur.flow.intake import Incoming, known, receive
from colporteur.store.arrivals import Arrival, Blob, Errand
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import Alias, List, ListState
from colporteur.store.mailboxes import Collected, Mailbox
from colporteur.store.posts import Post
from tests.servers.questions import asked
from tests.story.scenes import a_list, message

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def amis() -> List:
    return a_list("amis@lists.example")


def lmtp(raw: bytes, *recipients: str, sender: str = "anna@members.example") -> Incoming:
    return Incoming(raw, sender, recipients, "lmtp")


def codes(incoming: Incoming, now: datetime = NOW) -> list[int]:
    return [reply.code for reply in receive([incoming], now)[0]]


def jobs() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'")
        return {name for (name,) in cursor.fetchall()}


def sign(purpose: Purpose) -> str:
    return tokens.sign(settings.TOKEN_KEY, purpose, 7, 9)


def test_a_post_is_kept_with_its_envelope_and_wakes_the_judge(amis: List) -> None:
    raw = message(message_id="<1@x.example>")
    [replies] = receive([lmtp(raw, "Amis@LISTS.example")], NOW)
    assert replies == (intake.TAKEN,)
    post = Post.objects.select_related("arrival__blob").get()
    assert (post.list_id, post.state, post.message_id, post.size, post.received_at) == (amis.id, "received", "<1@x.example>", len(raw), NOW)
    arrival = post.arrival
    assert (bytes(arrival.blob.raw), arrival.blob.size, arrival.door, arrival.mail_from, arrival.recipients) == (raw, len(raw), "lmtp", "anna@members.example", ["Amis@LISTS.example"])
    assert JournalEntry.objects.values_list("event", "post_id", "list_id", "values").get() == ("post.received", post.id, amis.id, {"door": "lmtp"})
    assert jobs() == {"judge"}


SERVICES = [
    ("amis-owner", "owner", ""), ("amis-request", "request", ""), ("amis-subscribe", "subscribe", ""), ("amis-join", "subscribe", ""), ("amis-unsubscribe", "unsubscribe", ""),
    ("amis-leave", "unsubscribe", ""), ("AMIS-Moderate+ABCdef234", "moderate", "abcdef234"), ("amis-confirm+x", "confirm", "x"), ("amis-bounces+tok", "bounces", "tok"),
]  # fmt: skip


@pytest.mark.parametrize(("local", "service", "token"), SERVICES)
def test_service_addresses_make_errands(amis: List, local: str, service: str, token: str) -> None:
    assert codes(lmtp(b"Subject: help\r\n\r\n", f"{local}@lists.example")) == [250]
    errand = Errand.objects.get()
    assert (errand.list_id, errand.service, errand.token, errand.recipient, errand.state) == (amis.id, service, token, f"{local}@lists.example", "received")
    assert not Post.objects.exists()
    assert jobs() == {"errands"}


def test_addresses_of_a_whole_domain(amis: List) -> None:
    assert codes(lmtp(b"x\r\n", "b+TOK@lists.example", "lists@lists.example", "b+tok@else.example", "lists@else.example")) == [250, 250, 550, 550]
    assert list(Errand.objects.order_by("id").values_list("list_id", "service", "token")) == [(None, "bounces", "tok"), (None, "request", "")]


def test_one_post_however_a_list_is_called(amis: List) -> None:
    Alias.objects.create(list=amis, address="friends@lists.example")
    assert codes(lmtp(message(), "amis@lists.example", "friends@lists.example", "amis+photos@lists.example", "friends-owner@lists.example")) == [250] * 4
    assert Post.objects.count() == Arrival.objects.count() == 1
    assert Errand.objects.values_list("list_id", "service").get() == (amis.id, "owner")


def test_several_lists_share_one_arrival(amis: List) -> None:
    a_list("bureau@lists.example")
    assert codes(lmtp(message(), "amis@lists.example", "nobody@lists.example", "bureau@lists.example")) == [250, 550, 250]
    assert set(Post.objects.values_list("list__address", "arrival_id")) == {("amis@lists.example", Arrival.objects.get().id), ("bureau@lists.example", Arrival.objects.get().id)}


def test_a_list_whose_name_ends_like_a_service_comes_first() -> None:
    a_list("amis@lists.example")
    older = a_list("amis-owner@lists.example")
    codes(lmtp(message(), "amis-owner@lists.example"))
    assert Post.objects.get().list_id == older.id


def test_unicode_domains_are_found_in_either_form() -> None:
    a_list("amis@xn--bcher-kva.example")
    assert known("amis@bücher.example").code == known("AMIS@xn--bcher-kva.example").code == 250


@pytest.mark.parametrize("recipient", ["nobody@lists.example", "amis@other.example", "amis", "", "@", "amis-owner-owner@lists.example", "a\x00mis@lists.example", "\udcff@lists.example", "x" * 5000 + "@y"])
def test_who_is_not_here_is_550(amis: List, recipient: str) -> None:
    assert known(recipient) == intake.UNKNOWN
    assert codes(lmtp(message(), recipient)) == [550]
    assert not Arrival.objects.exists()


def test_our_tokens_in_a_plus_part_make_errands(amis: List) -> None:
    for purpose, service in ((Purpose.MODERATE, "moderate"), (Purpose.CONFIRM, "confirm"), (Purpose.COPY, "bounces")):
        codes(lmtp(b"x\r\n", f"amis+{sign(purpose)}@lists.example"))
        assert Errand.objects.values_list("service", "token").latest("id") == (service, sign(purpose))
    assert not Post.objects.exists()


@pytest.mark.parametrize(("where", "setting", "code"), [("list", "reject", 550), ("list", "defer", 450), ("domain", "reject", 550), ("domain", "defer", 450)])
def test_service_off_refuses_by_policy_and_keeps_nothing(where: str, setting: str, code: int) -> None:
    amis = a_list("amis@lists.example", service_off=setting)
    assert amis.domain
    if where == "list":
        List.objects.update(state=ListState.OFF)
    else:
        amis.domain.enabled, amis.domain.policy = False, {"service_off": setting}
        amis.domain.save()
        assert known("lists@lists.example").code == code
    assert known("amis@lists.example").code == known("amis-owner@lists.example").code == code
    assert codes(lmtp(message(), "amis@lists.example")) == [code]
    assert not Arrival.objects.exists()


def test_a_deleted_list_is_unknown(amis: List) -> None:
    List.objects.update(state=ListState.DELETED)
    Alias.objects.create(list=amis, address="friends@lists.example")
    assert known("amis@lists.example") == known("friends@lists.example") == intake.UNKNOWN


def test_an_exact_duplicate_is_taken_once_and_journaled(amis: List) -> None:
    a_list("bureau@lists.example")
    first = b"Received: from a\r\n" + message(message_id="<1@x.example>")
    again = b"Received: from b\r\n" + message(message_id="<1@x.example>")
    assert codes(lmtp(first, "amis@lists.example")) == [250]
    assert codes(lmtp(again, "amis@lists.example", "bureau@lists.example")) == [250, 250]
    assert sorted(Post.objects.values_list("list__address", flat=True)) == ["amis@lists.example", "bureau@lists.example"]
    entry = JournalEntry.objects.get(event="post.duplicate")
    assert (entry.post_id, entry.list_id, entry.values) == (Post.objects.get(list=amis).id, amis.id, {"door": "lmtp"})


def test_a_duplicate_is_answered_like_the_first(amis: List) -> None:
    assert codes(lmtp(message(), "amis@lists.example")) == codes(lmtp(message(), "amis@lists.example")) == [250]
    assert Arrival.objects.count() == 1


def test_duplicates_within_one_batch(amis: List) -> None:
    replies = receive([lmtp(message(), "amis@lists.example")] * 3, NOW)
    assert [reply.code for [reply] in replies] == [250, 250, 250]
    assert Post.objects.count() == 1
    assert JournalEntry.objects.filter(event="post.duplicate", post_id=Post.objects.get().id).count() == 2


@pytest.mark.parametrize("state", ["received", "held", "accepted", "discarded", "quarantined"])
def test_a_duplicate_of_what_is_still_here_is_dropped(amis: List, state: str) -> None:
    codes(lmtp(message(), "amis@lists.example"))
    Post.objects.update(state=state)
    codes(lmtp(message(), "amis@lists.example"), NOW + timedelta(days=6, hours=23))
    assert Post.objects.count() == 1


def change(what: dict[str, object]) -> Callable[[], None]:
    return lambda: Post.objects.update(**what) and None


@pytest.mark.parametrize(
    ("raw", "before"),
    [(message(), change({"state": "rejected"})), (message(), change({"state": "expired"})), (message(), change({"received_at": NOW - timedelta(days=7)})),
     (message(body="Another.\r\n", message_id="<1@x.example>"), lambda: None), (message(message_id="<2@x.example>"), lambda: None)],
    ids=["rejected", "expired", "older than 7 days", "other body", "other Message-ID"],
)  # fmt: skip
def test_what_is_no_duplicate(amis: List, raw: bytes, before: Callable[[], None]) -> None:
    codes(lmtp(message(), "amis@lists.example"))
    before()
    codes(lmtp(raw, "amis@lists.example"))
    assert Post.objects.count() == 2


def test_without_message_id_and_date_nothing_is_a_duplicate(amis: List) -> None:
    for _ in range(2):
        codes(lmtp(b"Subject: disk full\r\n\r\nDate: none\r\n", "amis@lists.example"))
    assert Post.objects.count() == 2
    for _ in range(2):
        codes(lmtp(b"Subject: disk full\r\nDATE : Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n", "amis@lists.example"))
    assert Post.objects.count() == 3


def test_an_errand_sent_again_byte_for_byte_is_taken_once(amis: List) -> None:
    mine, recipients = message(message_id="<1@x.example>"), ("amis-owner@lists.example", "amis-request@lists.example")
    for batch in ([lmtp(mine, *recipients)], [lmtp(mine, *recipients), lmtp(mine, *recipients)]):
        assert {reply.code for replies in receive(batch, NOW) for reply in replies} == {250}
    assert sorted(Errand.objects.values_list("service", flat=True)) == ["owner", "request"] and Arrival.objects.count() == 1
    codes(lmtp(mine, "amis-bounces+AAAA@lists.example"))
    codes(lmtp(mine + b"PS\r\n", "amis-owner@lists.example"))
    codes(lmtp(mine, "amis-owner@lists.example"), NOW + timedelta(days=8))
    assert Errand.objects.count() == 5
    Errand.objects.update(state="discarded")
    codes(lmtp(mine, "amis-owner@lists.example"))
    assert Errand.objects.count() == 6


def test_errands_without_message_id_and_date_are_never_the_same(amis: List) -> None:
    for _ in range(2):
        codes(lmtp(b"Subject: help\r\n\r\n", "amis-request@lists.example"))
    assert Errand.objects.count() == 2


ODD = {
    "nothing": b"", "no headers": b"just words\r\n", "NUL": b"Subject: a\x00b\r\nMessage-ID: <\x00@x>\r\n\r\n\x00\r\n", "eight bits": b"Subject: \xff\xfe\r\nMessage-ID: <\xe9@\xff>\r\n\r\n\x80\r\n",
    "bare CR and LF": b"Subject: x\rMessage-ID: <a@b>\n\nx\r.\r", "long Message-ID": b"Message-ID: <" + b"x" * 100_000 + b"@x>\r\n\r\n", "many recipients": b"To: " + b"a@b.example, " * 10_000 + b"\r\n\r\n",
    "ten thousand fields": b"X: y\r\n" * 10_000 + b"\r\n", "one line": b"x" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_odd_bytes_are_kept_as_they_are(amis: List, raw: bytes) -> None:
    odd_sender = "a\x00\udcff@x.example"
    assert [reply.code for reply in receive([Incoming(raw, odd_sender, ("amis@lists.example", "amis-bounces+\x00\udcff@lists.example"), "lmtp")], NOW)[0]] == [250, 250]
    assert bytes(Post.objects.get().arrival.blob.raw) == raw
    assert Arrival.objects.get().mail_from == "a\N{REPLACEMENT CHARACTER}?@x.example"


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(amis: List) -> None:
    a_list("bureau@lists.example")
    receive([lmtp(message(), "amis@lists.example", "amis-owner@lists.example")], NOW)  # wakes both, so that the jobs are there already
    counts = []
    for size in (2, 40):
        batch = [lmtp(message(message_id=f"<{size}-{n}@x.example>"), "amis@lists.example", "bureau-owner@lists.example", "nobody@lists.example") for n in range(size)]
        with asked() as queries:
            assert all([reply.code for reply in replies] == [250, 250, 550] for replies in receive(batch, NOW))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20
    with asked() as queries:
        intake.known_all([f"{name}@lists.example" for name in ("amis", "bureau", "x", "y-owner")])
    assert len(queries) <= 3


def test_one_message_the_database_refuses_does_not_turn_others_away(amis: List, monkeypatch: pytest.MonkeyPatch) -> None:
    real = intake.headers.message_id
    monkeypatch.setattr(intake.headers, "message_id", lambda raw: "\x00" if b"poison" in raw else real(raw))
    batch = [lmtp(message(subject=subject), "amis@lists.example", "amis-owner@lists.example") for subject in ("one", "poison", "two")]
    assert [[reply.code for reply in replies] for replies in receive(batch, NOW)] == [[250, 250], [451, 451], [250, 250]]
    assert Post.objects.count() == Errand.objects.count() == Blob.objects.count() == 2


@pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError(), OperationalError("could not extend file: No space left on device"), DatabaseError("server closed the connection")])
def test_our_own_trouble_is_451_and_leaves_nothing(amis: List, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_name: object) -> None:
        raise error

    monkeypatch.setattr(intake.jobs, "wake", fail)
    replies = receive([lmtp(message(), "amis@lists.example", "nobody@lists.example"), lmtp(message(subject="two"), "amis@lists.example")], NOW)
    assert [[(reply.code, reply.text[:5]) for reply in each] for each in replies] == [[(451, "4.3.0")] * 2, [(451, "4.3.0")]]
    assert not Arrival.objects.exists() and not Blob.objects.exists() and not JournalEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_451_and_the_next_call_has_a_new_one() -> None:
    a_list("amis@lists.example")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        gone = cursor.fetchone()[0]

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [gone])
        connection.close()

    thread = threading.Thread(target=cut)
    thread.start()
    thread.join()
    assert codes(lmtp(message(), "amis@lists.example")) == [451]
    assert codes(lmtp(message(), "amis@lists.example")) == [250]


@pytest.mark.django_db(transaction=True)
def test_two_receivers_with_the_same_messages_make_each_post_once() -> None:
    for name in ("amis", "bureau"):
        a_list(f"{name}@lists.example")
    batch = [lmtp(message(message_id=f"<{n}@x.example>"), "amis@lists.example", "bureau@lists.example") for n in range(10)]
    barrier = threading.Barrier(4)
    answers: list[list[int]] = []

    def work(turn: int) -> None:
        mine = batch if turn % 2 else batch[::-1]
        for _ in range(3):
            barrier.wait()
            answers.append([reply.code for replies in receive(mine, NOW) for reply in replies])
        connection.close()

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[250] * 20] * 12
    assert Post.objects.count() == 20


# --- collected mail ---


@pytest.fixture
def chorale() -> Mailbox:
    list_ = a_list("chorale@provider.example", template="mailbox", on_domain=False)
    return Mailbox.objects.create(list=list_, kind="imap", host="imap.provider.example", port=993, user="chorale", password_sealed="x")


def collected(mailbox: Mailbox, raw: bytes, uid: str = "1", *recipients: str, sender: str = "anna@members.example") -> Incoming:
    return Incoming(raw, sender, recipients or ("chorale@provider.example",), "imap", mailbox.id, 77, uid)


def test_collected_mail_is_a_post_of_the_mailboxs_list_and_stands_in_the_ledger(chorale: Mailbox) -> None:
    assert codes(collected(chorale, message(to="someone@else.example"), "5", "whoever@provider.example")) == [250]
    post = Post.objects.get()
    assert (post.list_id, post.arrival.door, post.arrival.recipients) == (chorale.list_id, "imap", ["whoever@provider.example"])
    entry = Collected.objects.get()
    assert (entry.mailbox_id, entry.validity, entry.uid, entry.arrival_id, entry.at, entry.removed) == (chorale.id, 77, "5", post.arrival_id, NOW, False)


def test_what_is_in_the_ledger_is_not_done_again(chorale: Mailbox) -> None:
    codes(collected(chorale, message(), "5"))
    assert codes(collected(chorale, message(subject="the server numbers anew?"), "5")) == [250]
    assert Post.objects.count() == Collected.objects.count() == 1
    assert codes(collected(chorale, message(subject="another"), "6")) == [250]
    assert Post.objects.count() == 2


def test_collected_mail_without_recipients_gets_one_reply(chorale: Mailbox) -> None:
    assert [reply.code for reply in receive([Incoming(message(), "", (), "pop3", chorale.id, 0, "abc")], NOW)[0]] == [250]
    assert Post.objects.count() == 1


@pytest.mark.parametrize("purpose", [Purpose.MODERATE, Purpose.CONFIRM])
@pytest.mark.parametrize("way", ["plus", "subject", "encoded subject"])
def test_a_token_makes_collected_mail_an_errand(chorale: Mailbox, purpose: Purpose, way: str) -> None:
    token = sign(purpose)
    subject = {"plus": "Re: waiting", "subject": f"Re: waits [#{token.upper()}]", "encoded subject": f"=?utf-8?q?R=C3=A9p=3A_[=23{token}]?="}[way]
    recipient = f"chorale+{token}@provider.example" if way == "plus" else "chorale@provider.example"
    codes(collected(chorale, message(subject=subject, body="distribute\r\n"), "1", recipient))
    assert Errand.objects.values_list("list_id", "service", "token").get() == (chorale.list_id, purpose.name.lower(), token)
    assert not Post.objects.exists()
    assert Collected.objects.get().arrival_id == Arrival.objects.get().id


def test_a_token_that_is_not_ours_is_only_words(chorale: Mailbox) -> None:
    codes(collected(chorale, message(subject="see [#aaaaaaaaaaaaaaaaaaaaaaaa]"), "1", "chorale+aaaaaaaaaaaaaaaaaaaaaaaa@provider.example"))
    assert Post.objects.count() == 1


def test_unsubscribing_from_a_group_mailbox(chorale: Mailbox) -> None:
    codes(collected(chorale, message(subject=f"unsubscribe [#{sign(Purpose.COPY)}]")))
    assert Errand.objects.values_list("service", "token").get() == ("unsubscribe", sign(Purpose.COPY))


REPORT = b'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n'


def test_a_report_in_a_group_mailbox_is_no_post(chorale: Mailbox) -> None:
    codes(collected(chorale, REPORT, "1", sender=""))
    codes(collected(chorale, REPORT, "2", f"chorale+{sign(Purpose.COPY)}@provider.example", sender=""))
    assert list(Errand.objects.order_by("id").values_list("service", "token")) == [("bounces", ""), ("bounces", sign(Purpose.COPY))]
    assert not Post.objects.exists()


def test_a_report_that_quotes_a_token_decides_nothing(chorale: Mailbox) -> None:
    quoting = REPORT.replace(b"Subject: Undelivered", f"Subject: Undelivered: waits [#{sign(Purpose.MODERATE)}]".encode())
    codes(collected(chorale, quoting, sender=""))
    assert Errand.objects.values_list("service", "token").get() == ("bounces", "")


def test_a_duplicate_in_a_mailbox_is_entered_but_not_posted(chorale: Mailbox) -> None:
    codes(collected(chorale, message(), "1"))
    codes(collected(chorale, b"Return-Path: <x@y.example>\r\n" + message(), "2"))
    assert Post.objects.count() == 1
    assert Collected.objects.values_list("uid", "arrival_id").get(arrival_id=None) == ("2", None)


def test_mail_of_a_list_that_is_off_stays_in_its_mailbox(chorale: Mailbox) -> None:
    List.objects.update(state=ListState.OFF)
    assert codes(collected(chorale, message())) == [450]
    assert not Collected.objects.exists() and not Arrival.objects.exists()
    List.objects.update(state=ListState.ACTIVE)
    assert codes(collected(chorale, message())) == [250]
    assert Post.objects.count() == 1


def test_a_message_nobody_can_read_is_a_post_all_the_same(chorale: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_raw: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr("colporteur.flow.routing.parse.skim", fail)
    assert codes(collected(chorale, message())) == [250]
    assert Post.objects.count() == 1


def test_every_door_makes_the_same_post_of_the_same_bytes(chorale: Mailbox) -> None:
    raw = message()
    codes(lmtp(raw, "chorale@provider.example"))
    first = Post.objects.values("list_id", "message_id", "content_key", "size").get()
    Post.objects.update(state="rejected")  # so that the same message may come again
    codes(collected(chorale, raw))
    assert Post.objects.values("list_id", "message_id", "content_key", "size").latest("id") == first
