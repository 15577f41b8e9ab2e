"""Statistics on a page, details that go, newsletters read in the browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.campaigns import Tracking
from colporteur.flow import privacy, tracking
from colporteur.flow.campaigns.composing import composed
from colporteur.flow.tracking.pages import page_of
from colporteur.store.arrivals import keep
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import CopyRow
from colporteur.store.people import Address
from tests.flow.test_statistics import ANNA, YEARS, a_life
from tests.flow.tracked import FARM, NOW, copy_of, newsletter, readers, reads
from tests.story.scenes import a_person, give_role

pytestmark = pytest.mark.django_db
OWNER = "paul@members.example"


def owner_of(list_: List, client: Client) -> Client:
    """Paul looks after the list."""
    give_role(list_, RoleKind.OWNER, OWNER)
    client.force_login(Address.objects.get(email=OWNER).person, backend="colporteur.web.signin.backend.AddressBackend")  # type: ignore[arg-type]
    return client


def written(mode: Tracking = Tracking.TOTALS) -> Campaign:
    """A newsletter composed as it goes out."""
    campaign = newsletter(tracking=mode, subject="Pour {{ name }}")
    campaign.source, campaign.editor = f"Bonjour {{{{ name }}}}, {{{{ email }}}}\n\n[La visite]({FARM}) [Partir]({{{{ url_unsubscribe }}}}) [Ici]({{{{ url_web }}}})\n\n<script>alert(1)</script>", "markdown"
    campaign.save()
    assert campaign.mailing
    made = composed(campaign, NOW)
    campaign.mailing.blob_id, campaign.mailing.rewriting = keep(made.raw), made.rewriting
    campaign.mailing.save()
    Address.objects.filter(email=ANNA).update(name="Anna Rivoire")
    return campaign


def test_statistics_say_it_to_the_owner_and_nobody_else(client: Client) -> None:
    campaign = a_life()
    place = f"/newsletters/{campaign.pk}/statistics"
    assert client.get(place).status_code == 302
    client.force_login(a_person("zoe@x.example"), backend="colporteur.web.signin.backend.AddressBackend")
    assert client.get(place).status_code == client.get(f"{place}.csv").status_code == client.get("/newsletters/details").status_code == 404
    page = owner_of(campaign.list, client).get(place, {"destinations": 1}).content.decode()
    assert "2 to 3" in page and ANNA in page and "La visite" in page and "1 complaint" in page and "members.example" in page and "<svg class=\"chart\"" in page
    rows = [line.split(",") for line in client.get(f"{place}.csv").content.decode().splitlines()]
    assert ["people", "received", "10"] in rows and ["opened", "readers at most", "3"] in rows and ["link", FARM, "1"] in rows and ["opened in hour", "31", "1"] in rows


def test_of_few_recipients_the_page_and_the_file_say_nothing_of_reading(client: Client) -> None:
    campaign = newsletter(readers(9))
    reads(campaign)
    owner_of(campaign.list, client)
    assert "fewer than 10" in client.get(f"/newsletters/{campaign.pk}/statistics").content.decode()
    assert "opened" not in client.get(f"/newsletters/{campaign.pk}/statistics.csv").content.decode()


def test_details_are_shown_before_they_go_and_the_page_keeps_its_totals(client: Client) -> None:
    campaign = a_life()
    owner_of(campaign.list, client)
    assert "Nothing is due" in client.get("/newsletters/details").content.decode()
    Campaign.objects.update(changed=NOW)
    campaign.mailing.finished = timezone.now() - timedelta(days=70)  # type: ignore[union-attr]
    campaign.mailing.save()  # type: ignore[union-attr]
    assert "12 copies" in client.get("/newsletters/details?months=2").content.decode() and "Nothing is due" in client.get("/newsletters/details?months=3").content.decode()
    client.post("/newsletters/details?months=2", {})  # none chosen
    assert CopyRow.objects.exists()
    client.post("/newsletters/details?months=2", {"campaign": campaign.pk})
    assert not CopyRow.objects.exists()
    page = client.get(f"/newsletters/{campaign.pk}/statistics?destinations=1").content.decode()
    assert "2 to 3" in page and "The details went" in page and "members.example" in page and ANNA not in page


def test_a_copy_is_read_in_the_browser_with_its_own_values_and_nothing_runs_or_counts(client: Client) -> None:
    campaign = written()
    token = copy_of(campaign, ANNA)
    answer = client.get(f"/n/{token}")
    page = answer.content.decode()
    assert "Anna Rivoire" in page and ANNA in page and f"/u/{token}" in page and f'href="{FARM}"' in page
    assert "/l/" not in page and "/o/" not in page and "<script" not in page
    assert answer["Content-Security-Policy"].startswith("sandbox ") and "script" not in answer["Content-Security-Policy"] and answer["X-Robots-Tag"].startswith("noindex") and answer["Cache-Control"] == "no-store"
    nobody = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, campaign.mailing_id or 0, 10**9)
    assert ANNA not in client.get(f"/n/{nobody}").content.decode() and client.get("/n/" + "a" * 24).status_code == 404


def test_the_public_page_has_nothing_of_anybody(client: Client) -> None:
    campaign = written(Tracking.PEOPLE)
    place = page_of(campaign).removeprefix(settings.BASE_URL)
    page = client.get(place).content.decode()
    assert "dear reader" in page and "@members.example" not in page and copy_of(campaign, ANNA) not in page and f'href="{FARM}"' in page and "reader_mark" not in page
    assert re.search(r'href="[^"]*/leave/lists\.example/lettre"', page)
    Campaign.objects.update(public=False)
    assert client.get(place).status_code == 404 and client.get(f"/n/{copy_of(campaign, ANNA)}").status_code == 200
    tracking.purge([campaign], YEARS, by="test")
    assert client.get(f"/n/{copy_of(campaign, ANNA)}").status_code == 404  # nobody can tell any more whose it was
    Campaign.objects.update(public=True)
    assert "dear reader" in client.get(f"/n/{copy_of(campaign, ANNA)}").content.decode()


def test_who_was_erased_is_not_written_to_by_name_on_the_page(client: Client) -> None:
    campaign = written()
    token = copy_of(campaign, ANNA)
    privacy.erase(privacy.subject(ANNA), NOW, by="test")
    assert "erased" not in (page := client.get(f"/n/{token}").content.decode()) and "dear reader" in page


def test_an_archive_is_public_only_where_the_list_says_so(client: Client) -> None:
    campaign = written()
    hidden = newsletter(list_=campaign.list, subject="Entre nous", public=False)
    assert client.get("/archive/lists.example/lettre").status_code == client.get("/archive/lists.example/lettre/feed").status_code == 404
    assert client.get(page_of(campaign).removeprefix(settings.BASE_URL))["X-Robots-Tag"].startswith("noindex")
    List.objects.filter(pk=campaign.list_id).update(policy={"public_archive": True, "tracking": "totals"})
    page = client.get("/archive/lists.example/lettre").content.decode()
    assert page_of(campaign).removeprefix(settings.BASE_URL) in page and hidden.subject not in page
    feed = client.get("/archive/lists.example/lettre/feed")
    assert feed["Content-Type"].startswith("application/atom+xml") and page_of(campaign) in feed.content.decode() and hidden.subject not in feed.content.decode()
    assert "X-Robots-Tag" not in client.get(page_of(campaign).removeprefix(settings.BASE_URL)) and "X-Robots-Tag" in client.get(f"/n/{copy_of(campaign, ANNA)}")
    assert client.get("/archive/lists.example/nothing").status_code == 404


def test_the_subject_on_public_pages_is_nobodys(client: Client) -> None:
    campaign = written()
    Campaign.objects.filter(pk=campaign.pk).update(preheader="Leeks <3 & more, {{ first_name }}")
    List.objects.filter(pk=campaign.list_id).update(policy={"public_archive": True})
    assert "{{" not in client.get("/archive/lists.example/lettre").content.decode() and "{{" not in client.get("/archive/lists.example/lettre/feed").content.decode()
    assert "Leeks &amp;lt;3 &amp;amp; more, dear reader" in client.get("/archive/lists.example/lettre/feed").content.decode()
