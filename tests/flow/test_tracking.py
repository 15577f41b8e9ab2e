"""Opens and clicks: counted for nobody, named with consent, forgotten when it is taken back."""

from __future__ import annotations

import email
import email.policy
import json
from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import Client

from colporteur.domain import tokens
from colporteur.domain.campaigns import Tracking
from colporteur.domain.tracking import Hit, Why
from colporteur.flow import privacy, tracking
from colporteur.flow.campaigns import readers as readers_of
from colporteur.flow.campaigns.composing import composed
from colporteur.flow.leaving import by_token
from colporteur.flow.tracking import Asked
from colporteur.mail.campaigns.message import Manner, prepare
from colporteur.store.people import Address
from colporteur.store.tracking import Hits, Link, NamedHit, TrackingConsent, fold, sums
from tests.flow.tracked import FARM, HTML, NOW, READER, RECIPE, copy_of, link_key, newsletter, readers, reads

pytestmark = pytest.mark.django_db
ANNA, BEA = readers(2)
ROBOT = Asked("Mimecast URL Protect", client="203.0.113.9")


def counted(campaign: object) -> dict[tuple[int, int, int], int]:
    """(link, what, who) -> how many."""
    found: dict[tuple[int, int, int], int] = {}
    for one in sums(campaign.pk):  # type: ignore[attr-defined]
        found[one.link, one.what, one.who] = found.get((one.link, one.what, one.who), 0) + one.n
    return found


def everything() -> set[tuple[str, str]]:
    """Every row of every table, as JSON."""
    found: set[tuple[str, str]] = set()
    with connection.cursor() as cursor:
        for model in apps.get_app_config("store").get_models():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{model._meta.db_table}" t')
            found |= {(model._meta.db_table, row[0]) for row in cursor.fetchall()}
    return found


def test_totals_leave_no_trace_of_anybody_in_any_table(client: Client) -> None:
    campaign = newsletter()
    html, text = tracking.track(campaign, HTML, f"La visite : {FARM}")
    assert "reader_mark" not in html + text and html.count(f"{settings.BASE_URL}/l/") == 2 and f"{settings.BASE_URL}/o/" in html and "{{ url_unsubscribe }}" in html
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="test", wording="yes")
    before = everything()
    anna = copy_of(campaign, ANNA)  # somebody puts his or her token behind the address: it is not read
    for place in (f"/l/{link_key(campaign, FARM)}", f"/l/{link_key(campaign, FARM)}-{anna}", f"/o/{link_key(campaign, '')}-{anna}"):
        assert client.get(place, headers={"User-Agent": READER.agent}, REMOTE_ADDR="192.0.2.77").status_code in (200, 302)
    new = everything() - before
    assert {table for table, _row in new} == {"campaign_hits"} and len(new) == 3
    assert {tuple(sorted(json.loads(row))) for _table, row in new} == {("campaign_id", "hour", "id", "link", "loose", "n", "what", "who")}
    assert all(json.loads(row)["hour"].endswith(":00:00+00:00") for _table, row in new)


def test_the_same_links_again_are_the_same_rows_and_off_changes_nothing() -> None:
    campaign = newsletter()
    assert tracking.track(campaign, HTML, "") == tracking.track(campaign, HTML, "") and Link.objects.count() == 2
    assert set(Link.objects.values_list("url", "words")) == {(FARM, "La visite"), (RECIPE, "Recette")}
    campaign.tracking = Tracking.OFF
    campaign.save()
    assert tracking.track(campaign, HTML, FARM) == (HTML, FARM)
    reads(campaign, url=FARM)  # a mail that left before still leads on
    reads(campaign)
    assert not Hits.objects.exists()


def test_a_newsletter_learns_less_than_its_list_never_more() -> None:
    campaign = newsletter(tracking=Tracking.TOTALS)
    campaign.tracking = Tracking.PEOPLE
    assert tracking.mode(campaign) is Tracking.TOTALS and "reader_mark" not in tracking.track(campaign, HTML, "")[0]


def test_only_who_agreed_is_named() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    html, text = tracking.track(campaign, HTML, FARM)
    assert html.count("{{reader_mark}}") == 3 and text.endswith("{{reader_mark}}")
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="preferences", wording="I agree", client="192.0.2.1")
    for who in (ANNA, BEA):
        reads(campaign, who)
        reads(campaign, who, FARM)
    reads(campaign, ANNA, at=NOW + timedelta(hours=2))
    farm = Link.objects.get(url=FARM).pk
    assert counted(campaign) == {(0, Hit.OPENED, Why.READER): 3, (farm, Hit.CLICKED, Why.READER): 2}
    assert set(NamedHit.objects.values_list("address__email", "link", "n")) == {(ANNA, 0, 2), (ANNA, farm, 1)}


def test_a_token_of_another_mailing_names_nobody() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    other = newsletter(list_=campaign.list, subject="La lettre de septembre")
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="test", wording="yes")
    assert tracking.seen(f"{link_key(campaign, '')}-{copy_of(other, ANNA)}", READER, NOW + timedelta(hours=1))
    assert tracking.seen(f"{link_key(campaign, '')}-{'a' * 24}", READER, NOW + timedelta(hours=1))
    assert not NamedHit.objects.exists() and counted(campaign) == {(0, Hit.OPENED, Why.READER): 2}


def test_taking_it_back_works_backwards_and_totals_stay() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    tracking.track(campaign, HTML, "")
    anna, organisation = Address.objects.get(email=ANNA), campaign.list.organisation
    assert tracking.agree(anna, organisation, NOW, how="preferences", wording=tracking.wording(organisation)) and not tracking.agree(anna, organisation, NOW, how="again", wording="")
    reads(campaign, ANNA)
    reads(campaign, ANNA, FARM)
    before = counted(campaign)
    assert privacy.export(privacy.subject(ANNA))["opened_and_followed"][1]["link"] == FARM
    assert tracking.withdraw(anna, organisation, NOW + timedelta(days=1), how="preferences") and not tracking.agrees(anna, organisation)
    assert not NamedHit.objects.exists() and counted(campaign) == before
    reads(campaign, ANNA, at=NOW + timedelta(days=2))  # the image of a mail already sent
    assert not NamedHit.objects.exists() and counted(campaign)[0, Hit.OPENED, Why.READER] == 2
    told = privacy.export(privacy.subject(ANNA))
    assert told["opened_and_followed"] == [] and told["agreed_to_tracking"][0]["until"] and "Essai" in told["agreed_to_tracking"][0]["wording"]
    assert not tracking.withdraw(anna, organisation, NOW, how="again") and tracking.agree(anna, organisation, NOW, how="preferences", wording="yes")
    assert TrackingConsent.objects.filter(address=anna).count() == 2


def test_erasing_somebody_forgets_what_was_opened() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="test", wording="yes")
    reads(campaign, ANNA)
    privacy.erase(privacy.subject(ANNA), NOW, by="test")
    assert not NamedHit.objects.exists() and not TrackingConsent.objects.exists() and counted(campaign) == {(0, Hit.OPENED, Why.READER): 1}


def test_programs_are_counted_apart_and_never_named() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    tracking.track(campaign, HTML, "")
    tracking.agree(Address.objects.get(email=ANNA), campaign.list.organisation, NOW, how="test", wording="yes")
    farm = Link.objects.get(url=FARM).pk
    reads(campaign, ANNA, FARM, asked=ROBOT)
    reads(campaign, ANNA, FARM, asked=READER._replace(method="HEAD"))
    reads(campaign, ANNA, asked=Asked("Mozilla/5.0"))
    reads(campaign, ANNA, asked=READER, at=NOW + timedelta(seconds=1))
    assert counted(campaign) == {(farm, Hit.CLICKED, Why.SCANNER): 1, (farm, Hit.CLICKED, Why.ASKED): 1, (0, Hit.OPENED, Why.PREFETCH): 1, (0, Hit.OPENED, Why.HASTE): 1}
    assert not NamedHit.objects.exists()


def test_whoever_follows_every_link_at_once_is_a_program() -> None:
    campaign = newsletter()
    urls = [f"https://x.example/{number}" for number in range(4)]
    tracking.track(campaign, "".join(f'<a href="{url}">x</a>' for url in urls), "")
    for url in (urls[0], urls[0], *urls[1:]):  # the first one twice: pressed twice, counted once
        reads(campaign, url=url, asked=READER._replace(client="198.51.100.4"))
    assert set(counted(campaign)) == {(pk, Hit.CLICKED, Why.HASTE) for pk in Link.objects.values_list("pk", flat=True)} and set(counted(campaign).values()) == {1}


def test_loose_counts_are_folded_without_changing_a_sum() -> None:
    campaign = newsletter()
    for hours in (1, 1, 2):
        reads(campaign, at=NOW + timedelta(hours=hours))
    before = sums(campaign.pk)
    assert fold() == 3 and Hits.objects.count() == 2 and sums(campaign.pk) == before
    reads(campaign)
    assert fold() == 1 and fold() == 0 and Hits.objects.count() == 2 and [one.n for one in sums(campaign.pk)] == [3, 1]


def test_providers_tell_of_openings_too() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    tracking.track(campaign, HTML, "")
    anna, bea = Address.objects.get(email=ANNA), Address.objects.get(email=BEA)
    tracking.agree(anna, campaign.list.organisation, NOW, how="test", wording="yes")
    assert campaign.mailing
    tracking.opened(campaign.mailing, anna, NOW)
    tracking.opened(campaign.mailing, bea, NOW)
    tracking.opened(campaign.mailing, bea, NOW, agent="Mozilla/5.0")
    tracking.clicked(campaign.mailing, anna, NOW, url=RECIPE)
    tracking.clicked(campaign.mailing, anna, NOW, url=f"{settings.BASE_URL}/l/x")  # ours: counted when it comes to us
    recipe = Link.objects.get(url=RECIPE).pk
    assert counted(campaign) == {(0, Hit.OPENED, Why.READER): 2, (0, Hit.OPENED, Why.PREFETCH): 1, (recipe, Hit.CLICKED, Why.READER): 1}
    assert set(NamedHit.objects.values_list("address__email", "link")) == {(ANNA, 0), (ANNA, recipe)}


def test_who_leaves_by_a_newsletter_is_counted_there() -> None:
    campaign = newsletter()
    by_token(copy_of(campaign, ANNA), NOW)
    by_token(copy_of(campaign, ANNA), NOW)
    assert counted(campaign) == {(0, Hit.LEFT, Why.READER): 1}


def test_no_link_leads_where_the_newsletter_did_not(client: Client) -> None:
    campaign = newsletter()
    tracking.track(campaign, HTML, "")
    key = link_key(campaign, RECIPE)
    good = client.get(f"/l/{key}")
    assert (good.status_code, good["Location"], good["Cache-Control"], good["Referrer-Policy"]) == (302, RECIPE, "no-store", "no-referrer")
    other = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.LINK, campaign.pk + 1, Link.objects.get(url=RECIPE).pk)
    wrong = tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, campaign.pk, Link.objects.get(url=RECIPE).pk)
    for place in (f"/l/{'a' * 24}", f"/l/{key[:-1]}{'a' if key[-1] != 'a' else 'b'}", f"/l/{other}", f"/l/{wrong}", f"/l/{link_key(campaign, '')}", f"/l/{key}?url=https://evil.example/x&u=//evil.example"):
        answer = client.get(place)
        assert answer.status_code == (302 if "?" in place else 404) and "evil" not in answer.get("Location", "")
    assert client.post(f"/l/{key}").status_code == 405 and client.head(f"/l/{key}").status_code == 302


def test_the_image_is_a_point_whoever_asks(client: Client) -> None:
    campaign = newsletter()
    for place in (f"/o/{link_key(campaign, '')}", f"/o/{'a' * 24}-{'b' * 24}", f"/o/{link_key(campaign, '')}-nonsense"):
        answer = client.get(place, headers={"User-Agent": READER.agent})
        assert (answer.status_code, answer["Content-Type"], len(answer.content), answer["Cache-Control"]) == (200, "image/gif", 43, "no-store") and not answer.cookies
    assert counted(campaign) == {(0, Hit.OPENED, Why.READER): 2}


def test_only_the_copies_of_those_who_agreed_have_a_mark_in_their_links() -> None:
    campaign = newsletter(tracking=Tracking.PEOPLE)
    campaign.source, campaign.editor = f"[La visite]({FARM})", "markdown"
    anna, bea = Address.objects.get(email=ANNA), Address.objects.get(email=BEA)
    tracking.agree(anna, campaign.list.organisation, NOW, how="test", wording="yes")
    made = composed(campaign, NOW)
    assert campaign.mailing
    campaign.mailing.rewriting = made.rewriting
    campaign.mailing.save()
    ready = prepare(made.raw, Manner.from_json(made.rewriting))
    known = readers_of.for_copies(campaign.mailing.pk, [readers_of.Asked(one.pk, one.email, "") for one in (anna, bea)])
    for one, marked in ((anna, True), (bea, False)):
        copy = ready.copy_for({**known[one.pk], "copy_token": copy_of(campaign, one.email)})
        parts = email.message_from_bytes(copy, policy=email.policy.default)
        text = "".join(part.get_content() for part in parts.walk() if part.get_content_maintype() == "text")
        assert text.count(f"/l/{link_key(campaign, FARM)}") == 2 and text.count(f"/o/{link_key(campaign, '')}") == 1
        assert text.count(f"-{copy_of(campaign, one.email)}") == (3 if marked else 0)
