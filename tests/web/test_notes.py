"""The note about a member: moderators and owners read it where they decide and write it; the member never sees it here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.flow.moderation import judge_due
from colporteur.store.lists import RoleKind
from colporteur.store.memberships import Membership
from tests.flow.posts import arrives
from tests.story.scenes import a_list, a_person, give_role, message
from tests.web.conftest import signed_in

pytestmark = pytest.mark.django_db


def test_moderators_write_it_and_read_it_beside_the_message() -> None:
    amis = a_list(members=["anna@members.example"], posting="nobody")
    moderator = give_role(amis, RoleKind.MODERATOR, "odile@members.example").person
    anna = a_person("anna@members.example")
    row = Membership.objects.get(list=amis)
    where = reverse("member-note", args=[amis.pk, row.pk])
    browser = signed_in(moderator)
    assert browser.get(reverse("member", args=[amis.pk, row.pk])).status_code == signed_in(anna).get(where).status_code == 404
    browser.post(where, {"note": "Treasurer <b>since</b> May", "posting": "never"})
    row.refresh_from_db()
    assert (row.note, row.posting) == ("Treasurer <b>since</b> May", "")
    post = arrives(amis, message(), timezone.now())
    judge_due(timezone.now() + timedelta(minutes=1))
    page = browser.get(reverse("waiting-post", args=[post.pk])).content.decode()
    assert "Treasurer &lt;b&gt;since" in page and where in page
    assert "Treasurer" not in signed_in(anna).get(reverse("list", args=[amis.pk])).content.decode()
