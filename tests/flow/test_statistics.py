"""Figures of a newsletter, and what stays of them when its details go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from colporteur.domain import tokens
from colporteur.domain.campaigns import Tracking
from colporteur.domain.mailings import MailingKind, MailingState
from colporteur.domain.tracking import Range, Why
from colporteur.flow import memberships, resending, tracking
from colporteur.flow.leaving import by_token
from colporteur.flow.resending import Whom
from colporteur.flow.tracking import Asked
from colporteur.store.campaigns import Campaign
from colporteur.store.journal import JournalEntry
from colporteur.store.mailings import CopyRow, Mailing, Refusal, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import DeliveryEvent
from colporteur.store.statistics import Fates
from colporteur.store.tracking import CampaignTotals, NamedHit
from tests.flow.tracked import FARM, HTML, NOW, RECIPE, copy_of, link_key, newsletter, readers, reads

pytestmark = pytest.mark.django_db
ANNA, BEA, CARL, DORA = readers(4)
YEARS = NOW + timedelta(days=800)


def event(campaign: Campaign, email: str, kind: str, reason: str, severity: str = "hard") -> None:
    """Something came back about somebody's copy."""
    assert campaign.mailing
    DeliveryEvent.objects.create(
        key=f"{campaign.pk} {email} {reason}", at=NOW, address_id=Address.objects.get(email=email).pk, mailing_id=campaign.mailing.pk, list_id=campaign.list_id, kind=kind,
        severity=severity, fault="mailbox", reason=reason, origin="report",
    )  # fmt: skip


def a_life(mode: Tracking = Tracking.PEOPLE) -> Campaign:
    """A newsletter of which one copy failed in the dialogue and two came back, one was reported, some were read, and one reader left."""
    campaign = newsletter(tracking=mode)
    tracking.track(campaign, HTML, "")
    failed = CopyRow.objects.filter(mailing=campaign.mailing, address__email=DORA)
    failed.update(state=3, code=550)
    Slice.objects.filter(mailing=campaign.mailing).update(sent=11, failed=1)
    Refusal.objects.create(mailing_id=campaign.mailing_id, address_id=failed.get().address_id, at=NOW, code=550, text="5.1.1 no such user")
    event(campaign, DORA, "dead", "no_mailbox")
    event(campaign, CARL, "mailbox_state", "full", "soft")
    event(campaign, BEA, "temporary", "delayed", "none")
    event(campaign, BEA, "complaint", "complaint", "none")
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="test", wording="yes")
    reads(campaign, ANNA)
    reads(campaign, BEA, at=NOW + timedelta(hours=30))
    reads(campaign, BEA, asked=Asked("Mozilla/5.0"))
    reads(campaign, ANNA, FARM)
    reads(campaign, ANNA, RECIPE, asked=Asked("Mimecast"))
    by_token(copy_of(campaign, BEA), NOW)
    return campaign


def test_figures_say_who_got_it_and_how_it_was_read() -> None:
    found = tracking.figures(a_life())
    assert found.fates == Fates(12, 10, 2, 0) and found.causes == [("full", 1), ("no_mailbox", 1)]
    assert (found.opened, found.clicked, found.left, found.complaints, found.named) == (Range(2, 3), Range(1, 1), 1, 1, 1)
    assert found.hours[0] == 0 and found.hours[1] == 1 and found.hours[31] == 2 and found.hours[-1] == 2 and len(found.hours) == 168
    assert [(one.url, one.words, one.readers, one.programs) for one in found.links] == [(FARM, "La visite", 1, 0), (RECIPE, "Recette", 0, 1)]
    assert found.programs == {Why.PREFETCH: 1, Why.SCANNER: 1} and found.shown and found.purged is None


def test_of_few_recipients_no_reading_is_shown() -> None:
    campaign = newsletter(readers(9))
    reads(campaign)
    assert not tracking.figures(campaign).shown and tracking.hours_of(campaign) == [] and tracking.compared(campaign)[0].opened is None


def test_what_was_sent_again_counts_everybody_once() -> None:
    campaign = a_life()
    first = campaign.mailing
    assert first
    again = Mailing.objects.create(kind=MailingKind.CAMPAIGN, list=campaign.list, campaign=campaign, state=MailingState.DONE, blob_id=first.blob_id, audience_at=NOW, planned=True, created=NOW, finished=NOW)
    CopyRow.objects.create(mailing=again, address=Address.objects.get(email=DORA), slice=1, state=2)
    Slice.objects.create(mailing=again, number=1, priority=8, done=True, size=1, sent=1)
    found = tracking.figures(campaign)
    assert found.fates == Fates(12, 11, 1, 0) and found.causes == [("full", 1)]


def test_newsletters_of_a_list_are_compared_and_growth_is_told() -> None:
    campaign = a_life()
    newer = newsletter(list_=campaign.list, now=NOW + timedelta(days=30), subject="La lettre de novembre")
    assert [(one.campaign, one.total, one.received, one.left) for one in tracking.compared(campaign)] == [(newer, 12, 12, 0), (campaign, 12, 10, 1)]
    assert tracking.before(newer) == campaign and tracking.before(campaign) is None and tracking.hours_of(campaign)[-1] == 2
    grown = tracking.growth(campaign, NOW + timedelta(minutes=1))
    assert len(grown) == 13 and grown[-1][1] == 11 and grown[0][1] == 0 and grown[-2][1] == 12


def test_details_go_when_the_list_says_and_totals_stay() -> None:
    campaign = a_life()
    before, places = tracking.figures(campaign), tracking.destinations(campaign)
    soon = newsletter(list_=campaign.list, now=YEARS - timedelta(days=40), subject="Young")
    assert [(one.campaign, one.copies) for one in tracking.purge_preview(YEARS)] == [(campaign, 12)] and CopyRow.objects.filter(mailing=campaign.mailing).count() == 12
    assert tracking.purge_preview(NOW + timedelta(days=300)) == []
    assert tracking.purge_due(YEARS) == 1 and tracking.purge_due(YEARS) == 0
    assert not CopyRow.objects.filter(mailing=campaign.mailing).exists() and not Refusal.objects.exists() and not NamedHit.objects.exists()
    assert CopyRow.objects.filter(mailing=soon.mailing).count() == 12 and CampaignTotals.objects.get().done
    DeliveryEvent.objects.all().delete()  # they have a time of their own
    after = tracking.figures(Campaign.objects.get(pk=campaign.pk))
    assert after.purged == YEARS
    assert [getattr(after, name) for name in ("fates", "opened", "clicked", "left", "complaints", "hours", "links", "causes", "programs", "named")] == [
        getattr(before, name) for name in ("fates", "opened", "clicked", "left", "complaints", "hours", "links", "causes", "programs", "named")
    ]
    assert tracking.destinations(campaign) == places and tracking.compared(campaign)[-1].received == 10
    assert "La lettre d'octobre" in JournalEntry.objects.get(event="campaign.purged").values["subject"]


def test_a_purge_that_was_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = a_life()
    monkeypatch.setattr("colporteur.flow.tracking.purging._finish", lambda _campaign: None)
    monkeypatch.setattr("colporteur.store.tracking._DETAILS", ("DELETE FROM copy_row WHERE (mailing_id, address_id) IN (SELECT mailing_id, address_id FROM copy_row WHERE mailing_id = ANY (%(mailings)s) LIMIT 5)",))
    totals = tracking.figures(campaign).fates
    assert tracking.purge([campaign], YEARS, by="test") == 1 and CopyRow.objects.count() == 7 and not CampaignTotals.objects.get().done
    assert tracking.purge([campaign], YEARS, by="test") == 0  # its totals are not counted anew from what is left
    monkeypatch.undo()
    assert tracking.purge_due(YEARS) == 0 and not CopyRow.objects.exists() and CampaignTotals.objects.get().done
    assert tracking.figures(campaign).fates == totals


def test_links_and_the_way_out_of_old_mails_work_when_the_details_are_gone(client: Client) -> None:
    campaign = a_life()
    tracking.purge([campaign], YEARS, by="test")
    assert client.get(f"/l/{link_key(campaign, FARM, ANNA)}")["Location"] == FARM
    assert client.post(f"/u/{copy_of(campaign, ANNA)}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Membership.objects.get(list=campaign.list, address__email=ANNA).until is not None and tracking.figures(campaign).left == 2


def test_nothing_is_sent_again_when_nobody_can_tell_who_has_it() -> None:
    campaign = a_life()
    tracking.purge([campaign], YEARS, by="test")
    assert campaign.mailing
    for whom in (Whom.NEW, Whom.FAILED):
        with pytest.raises(ValueError, match="details"):
            resending.resend(campaign.mailing, whom, YEARS, by="test")


def test_a_campaign_goes_with_its_list_and_everything_that_was_counted() -> None:
    campaign = a_life()
    tracking.purge([campaign], YEARS, by="test")
    second = newsletter(list_=campaign.list, subject="Other")
    reads(second, ANNA)
    Campaign.objects.all().delete()
    assert not NamedHit.objects.exists() and not CampaignTotals.objects.exists()


def test_a_token_for_links_opens_nothing_else(client: Client) -> None:
    campaign = newsletter()
    key = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.LINK, campaign.pk, 0)
    assert memberships.named_by_token(key) is None and client.get(f"/u/{key}").status_code in (404, 410)
