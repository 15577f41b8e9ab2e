"""The pages behind the links of subjects and digests, and choosing how to receive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from colporteur.domain import tokens
from colporteur.flow import memberships
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from tests.flow.test_digests import ANNA, BEA, EVENING, MORNING, choose, posted, tick
from tests.story.scenes import a_list, a_person, message

pytestmark = pytest.mark.django_db
MIXED = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe plan.\r\n--b\r\nContent-Type: application/pdf; name="plan.pdf"\r\nContent-Disposition: attachment; filename="plan.pdf"\r\n\r\n%PDF\r\n--b--\r\n'


@pytest.fixture
def amis() -> List:
    return a_list("amis@lists.example", members=[ANNA, BEA], title="Amis", time_zone="UTC")


def link(mailing: Mailing, who: str) -> str:
    address = Copy.objects.get(mailing=mailing, address__email=who).address_id
    return f"/d/{tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, address)}"


def test_the_link_of_a_digest_opens_its_messages_for_a_member_and_for_nobody_else(amis: List, client: Client) -> None:
    choose(amis, ANNA, "daily-plain", MORNING)
    raw = b"From: dora@members.example\r\nTo: amis@lists.example\r\nSubject: plans\r\n" + MIXED.encode()
    posted(amis, "plans", MORNING + timedelta(hours=1), raw)
    posted(amis, "other", MORNING + timedelta(hours=2))
    tick(EVENING)
    mailing = Mailing.objects.get(kind="digest")
    place = link(mailing, ANNA)
    assert "plans" in (page := client.get(place).content.decode()) and "other" in page
    assert "The plan." in client.get(f"{place}/1").content.decode() and b"%PDF" in client.get(f"{place}/1/attachments/0").content
    assert client.get(f"{place}/3").status_code == 404 and client.get(f"{place}/1/html").status_code == 404
    forged = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Membership.objects.get(address__email=BEA).address_id)
    assert client.get(f"/d/{forged}").status_code == 410  # a good token of somebody who has no copy
    assert client.get("/d/" + "a" * 24).status_code == 410 and client.get("/d/" + "a" * 24 + "/1").status_code == 404
    memberships.remove(amis, [ANNA], EVENING, by="test")
    assert client.get(place).status_code == 410 and client.get(f"{place}/1").status_code == 404 and client.get(f"{place}/1/attachments/0").status_code == 404


def test_the_link_of_a_subject_opens_its_message_at_once(amis: List, client: Client) -> None:
    choose(amis, ANNA, "subjects", MORNING)
    posted(amis, "one", MORNING + timedelta(hours=1), message("dora@members.example", amis.address, "one", "Words.\r\n"))
    place = link(Mailing.objects.get(delivery="subjects"), ANNA)
    assert client.get(place, follow=True).content.decode().count("Words.") == 1


def test_members_choose_among_what_the_list_offers(amis: List, client: Client) -> None:
    List.objects.update(policy=amis.policy | {"digests": "weekly", "subjects": False})
    anna = a_person(ANNA)
    client.force_login(anna, backend="colporteur.web.signin.backend.AddressBackend")
    page = client.get("/me").content.decode()
    membership = Membership.objects.get(address__email=ANNA)
    assert 'value="weekly-mime"' in page and 'value="daily-mime"' not in page and 'value="subjects"' not in page
    for wish, held in (("weekly-plain", "weekly-plain"), ("daily-mime", "weekly-plain"), ("nonsense", "weekly-plain"), ("none", "none")):
        client.post(f"/me/{membership.pk}", {"wish": "delivery", "delivery": wish})
        membership.refresh_from_db()
        assert membership.delivery == held
