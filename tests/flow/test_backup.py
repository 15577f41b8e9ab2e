"""What a restored database does not do by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from colporteur.domain.posts import PostState
from colporteur.flow import backup, mailings, moderation
from colporteur.flow.intake import Incoming, receive
from colporteur.store import buckets, schema
from colporteur.store.arrivals import Errand, ErrandState
from colporteur.store.buckets import BucketRow
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, SignInLink
from colporteur.store.posts import Post
from colporteur.store.sealed import seal
from tests.story.scenes import a_list, a_person, a_transport, message

THEN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def amis() -> List:
    a_transport("folder:///tmp/colporteur-tests-outbox")
    return a_list(members=3, posting="world")


def arrived(list_: List, subject: str = "Hello", to: str = "") -> Post | None:
    to = to or list_.address
    receive([Incoming(raw=message(to=to, subject=subject), mail_from="anna@members.example", recipients=(to,), door="lmtp")], THEN)
    return Post.objects.order_by("-id").first()


def loaded() -> None:
    """The mark a load leaves."""
    MigrationRecorder(connection).record_applied(*schema.RESTORING)


def restored() -> backup.HeldBack:
    loaded()
    return backup.hold_back(THEN, NOW, "test")


def test_until_it_is_held_back_nobody_works_on_it() -> None:
    loaded()
    assert schema.state() is schema.State.RESTORING
    with pytest.raises(schema.SchemaError, match="restore --replace"):
        schema.check()
    with pytest.raises(schema.SchemaError, match="being restored"):
        schema.migrate()
    with pytest.raises(schema.SchemaError, match="being restored"):
        backup.facts()
    backup.hold_back(THEN, NOW, "test")
    assert schema.state() is schema.State.CURRENT


def test_open_mailings_and_letters_stand_still_until_somebody_says_so(amis: List) -> None:
    post = arrived(amis)
    assert post
    moderation.judge_due(THEN)
    member = Address.objects.get(email="member-000001@members.example")
    letter = mailings.create_letter(b"y", member, THEN, letter="help", subject="open", list_=amis, language="en").id
    done = mailings.create_letter(b"x", member, THEN, letter="help", subject="done", list_=amis, language="en").id
    Mailing.objects.filter(pk=done).update(state="done")
    Mailing.objects.filter(post=post).update(state="paused", resume_at=NOW - timedelta(hours=1), pause_reason="451 later")

    held = restored()
    assert [(one.list, one.open) for one in held.mailings] == [(amis.address, None)]
    assert letter in held.letters and done not in held.letters
    assert mailings.resume_due(NOW) == 0, "not even what would have gone on by itself"
    assert set(Mailing.objects.exclude(pk=done).values_list("state", "restored_from", "pause_reason")) == {("paused", THEN, "")}
    assert Mailing.objects.get(pk=done).restored_from is None
    assert mailings.resume(letter, NOW, "test") and mailings.cancel(held.mailings[0].id, NOW, "test")
    assert set(Mailing.objects.filter(pk__in=[letter, held.mailings[0].id]).values_list("state", "restored_from")) == {("running", None), ("cancelled", None)}


def test_messages_nobody_had_judged_are_set_aside_and_can_be_processed(amis: List) -> None:
    post = arrived(amis)
    assert post
    held = restored()
    assert held.unjudged == (post.pk,) and moderation.judge_due(NOW) == 0
    post.refresh_from_db()
    assert post.state == PostState.QUARANTINED and "backup of 2026-11-20 03:00 UTC" in post.error
    assert not Mailing.objects.exists(), "nobody is written to about it"
    assert moderation.retry(post.pk, NOW, "test") and moderation.judge_due(NOW) == 1
    assert Post.objects.get().state == PostState.ACCEPTED


def test_waiting_messages_wait_without_an_end_and_say_why(amis: List) -> None:
    List.objects.update(policy={"posting": "members", "others": "hold"})
    amis.refresh_from_db()
    post = arrived(amis)
    assert post
    moderation.judge_due(THEN)
    post.refresh_from_db()
    assert post.state == PostState.HELD and post.expires_at
    Mailing.objects.all().delete()
    held = restored()
    assert held.waiting == (post.pk,)
    assert moderation.expire_due(NOW + timedelta(days=365)) == 0
    first = post.findings.first()
    assert first and moderation.sentence(first).startswith("It comes from the backup of 2026-11-20 03:00 UTC; it may have been")
    restored()
    assert post.findings.filter(rule=backup.RULE).count() == 1


def test_errands_are_set_aside_mailboxes_switched_off_and_keys_to_the_door_taken(amis: List) -> None:
    arrived(amis, to="amis-owner@lists.example")
    Mailbox.objects.create(list=amis, kind="imap", host="mail.example", port=993, user="amis", password_sealed=seal("secret"))
    person = a_person("helene@members.example")
    SignInLink.objects.create(digest=b"x", person=person, expires=NOW)
    Session.objects.create(session_key="k", session_data="", expire_date=NOW)
    wake(Wake.JUDGE)
    held = restored()
    assert held.errands == tuple(Errand.objects.filter(state=ErrandState.QUARANTINED).values_list("id", flat=True)) != ()
    assert held.mailboxes == (amis.address,) and not Mailbox.objects.get().enabled
    assert not SignInLink.objects.exists() and not Session.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone()[0] == 0


def test_where_nothing_was_under_way_nothing_is_held_back() -> None:
    assert restored() == backup.NOTHING


def test_every_limit_counts_as_used_up(amis: List) -> None:
    row = BucketRow.objects.create(kind=buckets.LIST, key=str(amis.pk), number=500, seconds=3600)
    restored()
    (kept,) = buckets.lock([(buckets.LIST, str(amis.pk))])
    assert kept.bucket.used() == 500
    kept.bucket.advance(3600 * 1.5)
    assert kept.bucket.used() == 0, "for one window, no longer"
    assert row.pk == kept.id


def test_where_somebody_knows_that_nothing_ran_since_everything_goes_on(amis: List) -> None:
    post = arrived(amis)
    assert post
    BucketRow.objects.create(kind=buckets.LIST, key=str(amis.pk), number=500, seconds=3600)
    wake(Wake.JUDGE)
    loaded()
    assert backup.hold_back(THEN, NOW, "test", nothing_since=True) == backup.NOTHING
    assert moderation.judge_due(NOW) == 1
    (kept,) = buckets.lock([(buckets.LIST, str(amis.pk))])
    assert kept.bucket.used() == 0 and schema.state() is schema.State.CURRENT
