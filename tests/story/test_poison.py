"""A message that cannot be prepared: set aside by itself, owner and administrator alerted, run again; the others flow meanwhile."""

from __future__ import annotations

from collections import Counter

import pytest
from django.test import Client
from django.utils import timezone

from colporteur.flow import mailings
from colporteur.store.lists import RoleKind
from colporteur.store.mailings import Mailing, Slice
from colporteur.store.posts import Post
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.ports import wait_until
from tests.servers.sink import Sink
from tests.story.scenes import Installation, a_list, a_person, a_transport, give_role, message

OWNER, CHIEF = "olga@members.example", "chief@site.example"


@pytest.mark.parametrize("way", ["button", "command"])
def test_a_poison_message_sets_itself_aside_and_can_be_run_again(way: str, installation: Installation, client: Client) -> None:
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        list_ = a_list(members=300, posting="world")
        owner = give_role(list_, RoleKind.OWNER, OWNER).person
        a_person(CHIEF, admin=True)
        mailing = a_mailing(list_, message(subject="Poison"))
        Mailing.objects.filter(pk=mailing.pk).update(rewriting="unreadable")
        post = Post.objects.get(pk=mailing.post_id)
        others = [a_mailing(list_, message(subject=f"Fine {number}")) for number in range(3)]
        installation.start("worker")

        wait_until(lambda: all(is_in(other, "done")() for other in others), 60, installation.words("worker")[-3000:])
        assert len(sink.taken) == 900 and sink.repeated() == 0, "the others flow"
        assert is_in(mailing, "running")()

        def aside() -> bool:
            Slice.objects.filter(mailing=mailing, done=False, due_at__gt=timezone.now()).update(due_at=timezone.now())  # the wait is over
            return Post.objects.filter(pk=post.pk, state="quarantined").exists()

        wait_until(aside, 60, installation.words("worker")[-3000:])
        wait_until(lambda: {OWNER, CHIEF} <= set(sink.received()), 60, "somebody is not alerted")
        letters = Counter(one.recipient for one in sink.taken if b"Could not be processed" in one.data)
        assert letters == {OWNER: 1, CHIEF: 1}
        assert mailings.totals(mailing.pk).sent == 0
        before = len(sink.taken)

        if way == "button":
            client.force_login(owner)
            assert client.post(f"/posts/{post.pk}/quarantine", {"wish": "retry"}).status_code == 302
        else:
            installation.cli("post", "retry", str(post.pk))
        wait_until(lambda: Mailing.objects.filter(post=post, state="done").exists(), 60, installation.words("worker")[-3000:])
        again = Mailing.objects.get(post=post, state="done")
        assert Counter(one.recipient for one in sink.taken[before:]) == Counter({f"member-{number:06}@members.example": 1 for number in range(1, 301)})
        assert all(b"Subject: [amis] Poison" in one.data or b"Subject: Poison" in one.data for one in sink.taken[before:])
        assert mailings.totals(again.pk).sent == 300
        assert installation.stop("worker") == {"worker": 0}
        sound(mailing)
        sound(again)
