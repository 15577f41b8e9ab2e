"""Try it: what a newcomer sees in the first second."""

from __future__ import annotations

from django.urls import reverse

from colporteur.flow import demo
from colporteur.flow.moderation import judge_due
from colporteur.store.posts import Post
from tests.web.conftest import World, signed_in


def test_the_message_has_its_subject_before_and_after_it_is_judged(world: World) -> None:
    client = signed_in(world.admin)
    words = {"who": demo.MARC.email, "to": demo.AMAPIENS, "subject": "Covoiturage", "text": "Bonjour"}
    page = client.post(reverse("try"), words, follow=True)
    post = Post.objects.get()
    assert (post.state, post.subject) == ("received", "")
    assert "Covoiturage" in page.content.decode()
    judge_due(post.received_at)
    assert "Covoiturage" in client.get(reverse("try-post", args=[post.pk])).content.decode()
