"""The quota of the archive: what is full stops no mail, and takes nothing away that was there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colporteur.flow import administrators, archive, lists, organisations, quotas, resending
from colporteur.flow.moderation import judge_due
from colporteur.flow.resending import Whom
from colporteur.store.archive import of_domains, of_organisations
from colporteur.store.arrivals import Blob
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.posts import Post
from colporteur.store.purging import purge
from tests.flow.posts import NOW, arrives, letters, text
from tests.servers.questions import asked

pytestmark = pytest.mark.django_db
LATER = NOW + archive.GRACE


def _raw(subject: str, size: int = 2000) -> bytes:
    return f"From: Anna <anna@saule.example>\r\nTo: amis@saule.example\r\nSubject: {subject}\r\nMessage-ID: <{subject}@saule.example>\r\n\r\n{'x' * 60}\r\n".encode() + b"y" * size + b"\r\n"


@pytest.fixture
def list_() -> List:
    organisation = organisations.organisation_called("Les Paniers", language="fr")
    organisations.add_domain("saule.example", organisation, NOW, by="test")
    administrators.give(organisation, "yann@saule.example", NOW, by="test")
    made = lists.create("amis@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    lists.set_policy(made, {"posting": "world"}, "test", NOW)
    return made


def _judged(list_: List, subject: str, size: int = 2000) -> Post:
    post = arrives(list_, _raw(subject, size))
    judge_due(NOW)
    Mailing.objects.filter(post=post).update(state="done")
    return Post.objects.get(pk=post.pk)


def test_what_messages_weigh_is_known_without_walking_them(list_: List) -> None:
    one, two = _judged(list_, "one"), _judged(list_, "two")
    weight = one.size + two.size
    assert of_organisations([list_.organisation_id]) == {list_.organisation_id: weight} and of_domains([list_.domain_id]) == {list_.domain_id: weight}
    shown = {row.name: row.used for row in quotas.show(list_.organisation)}
    assert shown["archive"] == weight
    for _ in range(120):
        Post.objects.filter(pk=one.pk).update(size=10)
        Post.objects.filter(pk=one.pk).update(size=20)
    archive.look(NOW)
    assert of_organisations([list_.organisation_id]) == {list_.organisation_id: two.size + 20}
    purge(list_)
    assert not any(of_organisations([list_.organisation_id]).values())


def test_a_full_archive_distributes_and_lets_only_the_new_text_go_when_its_time_has_come(list_: List) -> None:
    before = _judged(list_, "before")
    quotas.change(list_.organisation, {"archive": str(before.size)}, NOW, by="test")
    after = _judged(list_, "after")
    assert after.state == "accepted" and after.mailings.count() == 1 and after.unkept_at == LATER
    blob = bytes(after.arrival.blob_id)
    archive.look(LATER - timedelta(seconds=1))
    assert bytes(Post.objects.get(pk=after.pk).arrival.blob_id) == blob
    Mailing.objects.filter(post=after).update(state="paused")
    archive.look(LATER)
    assert bytes(Post.objects.get(pk=after.pk).arrival.blob_id) == blob  # still to be sent
    Mailing.objects.filter(post=after).update(state="done")
    archive.look(LATER)
    after = Post.objects.get(pk=after.pk)
    raw = bytes(after.arrival.blob.raw)
    assert after.unkept and after.unkept_at is None and b"Subject: after" in raw and b"anna@saule.example" in raw and b"yyyy" not in raw
    assert not Blob.objects.filter(sha256=blob).exists()
    assert b"yyyy" in bytes(Post.objects.get(pk=before.pk).arrival.blob.raw)
    with pytest.raises(ValueError, match="not kept"):
        resending.preview(Mailing.objects.get(post=after), Whom.NEW, LATER)


def test_room_made_in_time_keeps_the_text(list_: List) -> None:
    quotas.change(list_.domain, {"archive": "0"}, NOW, by="test")  # type: ignore[arg-type]
    post = _judged(list_, "kept")
    assert post.unkept_at == LATER
    quotas.change(list_.domain, {"archive": "1G"}, NOW, by="test")  # type: ignore[arg-type]
    archive.look(LATER)
    post.refresh_from_db()
    assert (post.unkept, post.unkept_at) == (False, None)


def test_administrators_are_told_once_before_it_is_full_and_once_when_it_is(list_: List) -> None:
    size = _judged(list_, "one").size
    quotas.change(list_.organisation, {"archive": str(size * 100 // 95)}, NOW, by="test")
    archive.look(NOW)
    archive.look(NOW)
    [(_, to, nearly)] = letters("archive")
    assert to == "yann@saule.example" and "presque pleines" in nearly["Subject"] and "Les Paniers" in text(nearly)
    quotas.change(list_.organisation, {"archive": str(size)}, NOW, by="test")
    archive.look(NOW)
    assert [message["Subject"] for _, _, message in letters("archive")][1:] == ["Les archives de Les Paniers sont pleines"]
    quotas.change(list_.organisation, {"archive": "1T"}, NOW, by="test")
    archive.look(NOW)
    quotas.change(list_.organisation, {"archive": str(size)}, NOW, by="test")
    archive.look(NOW)
    assert len(letters("archive")) == 3


def test_without_a_quota_nothing_is_weighed(list_: List) -> None:
    with asked() as statements:
        assert archive.without_room([list_]) == set()
    assert len(statements) == 1
