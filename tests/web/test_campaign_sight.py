"""A newsletter that an administrator addressed to lists of others, too, shows the owner of its list everything but the addresses of others' readers."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.campaigns import Tracking
from colporteur.flow import campaigns, lists, memberships, planning
from colporteur.store import purging
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import CopyRow, Mailing, Refusal, Slice
from colporteur.store.people import Address
from colporteur.store.segments import Attribute, Details
from colporteur.store.tracking import NamedHit
from tests.story.scenes import a_transport
from tests.web.conftest import World, signed_in

LONG_AGO = timezone.now() - timedelta(days=9)
OURS, THEIRS = "aline@lecteurs.example", "secrete@voisins.example"


class Both(NamedTuple):
    """Paul's list, one of the same organisation that he has nothing to do with, and a newsletter of his list to both."""

    other: List
    campaign: Campaign


@pytest.fixture
def both(village: World) -> Both:
    a_transport("smtp://127.0.0.1:9")
    other = lists.create("voisins@saule.example", "newsletter", "helene@saule.example", LONG_AGO, title="Voisins", by="test")
    memberships.add(village.list, [(OURS, "Aline")], LONG_AGO, by="test")
    memberships.add(other, [(THEIRS, "Secrète Voisine")], LONG_AGO, by="test")
    campaign = campaigns.create(village.list, LONG_AGO, by=village.admin, subject="Aux deux", source="Bonjour {{ first_name }}", template="letter")
    return Both(other, campaigns.address_to(campaign.pk, campaign.version, LONG_AGO, village.admin, to=[village.list, other]))


def _started(both: Both) -> Mailing:
    """Refused by everybody, opened by both all the same."""
    mailing = campaigns.start(both.campaign.pk, timezone.now(), "test")
    assert mailing
    while planning.plan_due(timezone.now()):
        pass
    CopyRow.objects.filter(mailing=mailing).update(state=3, place=None)
    Slice.objects.filter(mailing=mailing).update(failed=3, open=None, done=True)
    Mailing.objects.filter(pk=mailing.pk).update(started=timezone.now())
    for address in Address.objects.filter(email__in=[OURS, THEIRS]):
        Refusal.objects.create(mailing_id=mailing.pk, address_id=address.pk, at=timezone.now(), code=550, text=f"550 <{address.email}> unknown")
        NamedHit.objects.create(campaign=both.campaign, address=address, link=0, first_at=timezone.now(), last_at=timezone.now())
    return mailing


def test_of_a_newsletter_to_lists_of_others_only_own_readers_are_named(village: World, both: Both) -> None:
    mailing = _started(both)
    List.objects.filter(pk=village.list.pk).update(policy=village.list.policy | {"tracking": Tracking.PEOPLE.value})
    paul, yann = signed_in(village.owner), signed_in(village.organiser)
    one, preview, seen = f"/sending/{mailing.pk}/", reverse("campaign-preview", args=[both.campaign.pk]), reverse("campaign-seen", args=[both.campaign.pk])
    pages = [one, f"{one}?q=secr", f"{one}?state=3", f"{one}failed.csv", f"{one}again?whom=failed", f"{one}again?whom=new", preview, f"{preview}?as=secr", f"{seen}?as=secr", reverse("statistics", args=[both.campaign.pk]), reverse("statistics-csv", args=[both.campaign.pk])]
    for page in pages:
        found = _text(paul, page)
        assert "secrete@" not in found.replace('value="secrete@', "") and "Secrète" not in found, page
    assert OURS in _text(paul, one) and "3 recipients" in _text(paul, one) and "others look after" in _text(paul, one)
    assert OURS in _text(paul, f"{one}failed.csv") and OURS in _text(paul, pages[-2])
    assert "it was never on the list" in _text(paul, f"{one}?q={THEIRS}") and "550 &lt;" not in _text(paul, f"{one}?q={THEIRS}")
    assert "refused for good" in _text(paul, f"{one}?q={OURS}") and "550 &lt;" in _text(paul, f"{one}?q={OURS}") and "Bonjour Aline" in _text(paul, f"{seen}?as={OURS}")
    for page in (one, f"{one}failed.csv", pages[-2]):
        assert THEIRS in _text(yann, page), "who looks after both sees both"
    assert "Secrète" in _text(yann, f"{preview}?as=secr")
    assert "others look after" not in _text(yann, one)
    purging.purge(both.other)
    assert "secrete@" not in _text(paul, one), "nor when the other list is gone"


def test_a_draft_to_lists_of_others_is_seen_as_ones_own_readers_only(village: World, both: Both) -> None:
    Attribute.objects.create(list=both.other, key="boxes", label="Boxes", kind="number")
    Details.objects.create(list=both.other, address=Address.objects.get(email=THEIRS), values={"boxes": 0})
    Campaign.objects.filter(pk=both.campaign.pk).update(source="{{ first_name }}{% if boxes is defined %}{{ 1 / boxes }}{% endif %}")
    paul, yann = signed_in(village.owner), signed_in(village.organiser)
    for name in ("campaign", "campaign-preview", "campaign-seen", "campaign-send", "campaign-check", "campaign-audience"):
        found = _text(paul, reverse(name, args=[both.campaign.pk]) + "?as=secr")
        assert "secrete@" not in found and "Secrète" not in found, name
    assert "voisins@saule.example" in _text(paul, reverse("campaign-audience", args=[both.campaign.pk]))
    assert THEIRS in _text(yann, reverse("campaign-check", args=[both.campaign.pk]))


def test_whom_others_left_out_stays_left_out_when_an_owner_chooses_anew(village: World, both: Both) -> None:
    draft = campaigns.address_to(both.campaign.pk, both.campaign.version, LONG_AGO, village.admin, to=[village.list], left_out=[both.other])
    memberships.add(village.list, [(THEIRS, "")], LONG_AGO, by="test")
    paul, url, before = signed_in(village.owner), reverse("campaign-audience", args=[draft.pk]), campaigns.counted(draft)
    assert "Left out by somebody else, and that stays: voisins@saule.example." in _text(paul, url)
    assert paul.post(url, {"version": draft.version, f"list{village.list.pk}": "to", "do": "save"}).status_code == 302
    assert campaigns.counted(Campaign.objects.get(pk=draft.pk)) == before, "what does not stand in his form is not taken away by it"


def _text(client: object, url: str) -> str:
    answer = client.get(url)  # type: ignore[attr-defined]
    return b"".join(answer.streaming_content).decode() if answer.streaming else answer.content.decode().replace("<wbr>", "")
