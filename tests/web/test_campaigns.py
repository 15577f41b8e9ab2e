"""Newsletters on the screen: written, saved beside somebody else, looked at, tried, sent; and that what is shown runs nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.domain.campaigns import CampaignState
from colporteur.flow import memberships
from colporteur.flow.campaigns import preflight, writing
from colporteur.store import buckets
from colporteur.store.campaigns import Campaign
from colporteur.store.journal import JournalEntry
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.segments import Segment
from tests.web.conftest import World, signed_in

HOSTILE = "<p>Bonjour {{ first_name }}</p><script>alert(1)</script><img src='https://pisteur.example/x.gif' onerror='alert(2)'><iframe src='https://x.example'></iframe>"


@pytest.fixture
def draft(village: World) -> Campaign:
    """A newsletter of Paul's list."""
    return writing.create(village.list, timezone.now(), by=village.owner, subject="La lettre de décembre", source="Bonjour {{ first_name }},\n\nà **samedi**.", template="letter")


def _form(campaign: Campaign, **changes: object) -> dict[str, object]:
    return {"version": campaign.version, "subject": campaign.subject, "source": campaign.source, "editor": campaign.editor, "template": campaign.template, "public": "on"} | changes


def _url(name: str, campaign: Campaign) -> str:
    return reverse(name, args=[campaign.pk])


def test_a_newsletter_is_begun_and_saved(village: World) -> None:
    paul = signed_in(village.owner)
    answer = paul.post("/newsletters/new", {"list": village.list.pk, "editor": "markdown"})
    made = Campaign.objects.get()
    assert answer["Location"] == f"/newsletters/{made.pk}/" and (made.template, made.created_by) == ("letter", village.owner)
    paul.post(answer["Location"], _form(made, subject="Bonne année", source="Bonjour", own="own", text="Bonjour en texte", sender_name="Le Saule"))
    made.refresh_from_db()
    assert (made.subject, made.source, made.text, made.sender_name, made.version) == ("Bonne année", "Bonjour", "Bonjour en texte", "Le Saule", 1)
    assert "Bonne année" in paul.get("/newsletters/").content.decode()
    assert signed_in(village.stranger).get("/newsletters/").content.decode().count("Bonne année") == 0


def test_the_list_written_for_last_is_offered_first(village: World) -> None:
    browser, chosen = signed_in(village.admin), f'value="{village.other.pk}" selected'
    assert chosen not in browser.get("/newsletters/new").content.decode()
    writing.create(village.other, timezone.now(), by=village.stranger)
    assert chosen in browser.get("/newsletters/new").content.decode()


def test_one_that_waits_for_its_time_says_so_in_the_list_and_a_fault_stands_alone_in_its_preview(village: World, draft: Campaign) -> None:
    Campaign.objects.filter(pk=draft.pk).update(state=CampaignState.SCHEDULED, send_at=timezone.now() + timedelta(days=9), source="{{ }}")
    paul = signed_in(village.owner)
    page = paul.get("/newsletters/").content.decode()
    assert "<span>Scheduled</span>" in page and "Leaves on " in page
    page = paul.get(_url("campaign-preview", draft)).content.decode()
    assert "Line 1: nothing stands between" in page and "<iframe" not in page and "How it is made" not in page


def test_what_two_write_at_once_is_lost_to_neither(village: World, draft: Campaign) -> None:
    signed_in(village.owner).post(_url("campaign", draft), _form(draft, source="Paul était là"))
    answer = signed_in(village.organiser).post(_url("campaign", draft), _form(draft, source="Yann écrivait aussi"))
    page = answer.content.decode()
    assert answer.status_code == 409 and "Somebody else saved" in page
    assert "Paul était là" in page and "Yann écrivait aussi" in page
    draft.refresh_from_db()
    assert draft.source == "Paul était là" and f'name="version" value="{draft.version}"' in page  # the next save is deliberate
    assert signed_in(village.organiser).post(_url("campaign", draft), _form(draft, source="Les deux")).status_code == 302


def test_saving_by_itself_hands_back_the_version_and_the_preview(village: World, draft: Campaign) -> None:
    answer = signed_in(village.owner).post(_url("campaign", draft), _form(draft, subject="Encore"), headers={"hx-request": "true"}).content.decode()
    assert 'id="saved" hx-swap-oob="true"' in answer and 'value="1"' in answer and "Encore" in answer and "<iframe" in answer
    late = signed_in(village.owner).post(_url("campaign", draft), _form(draft, subject="Trop tard"), headers={"hx-request": "true"}).content.decode()
    assert "somebody else changed" in late and "<iframe" not in late and 'value="0"' in late  # its version stays: pressing save shows both texts


def test_a_wrong_address_is_said_and_nothing_typed_is_lost(village: World, draft: Campaign) -> None:
    answer = signed_in(village.owner).post(_url("campaign", draft), _form(draft, source="Long travail", reply_to="nulle part"))
    assert answer.status_code == 422 and "Long travail" in answer.content.decode() and "not an e-mail address" in answer.content.decode()
    other = signed_in(village.owner).post(_url("campaign", draft), _form(draft, source="Long travail", sender_address="x@gmail.com"))
    assert other.status_code == 422 and "Long travail" in other.content.decode() and "not at a domain" in other.content.decode()


def test_the_preview_is_of_a_real_person_and_runs_nothing(village: World, draft: Campaign) -> None:
    Campaign.objects.filter(pk=draft.pk).update(source=HOSTILE, editor="html", preheader="Pour {{ name }}")
    memberships.add(village.list, [("zelie@courriel.example", "Zélie Martin")], timezone.now(), by="test")
    paul = signed_in(village.owner)
    page = paul.get(_url("campaign-preview", draft) + "?as=zel").content.decode()
    assert "As Zélie Martin would read it" in page and "Pour Zélie Martin" in page and "Fast lane" in page and 'sandbox="allow-popups"' in page
    frame = paul.get(_url("campaign-seen", draft) + "?as=zelie@courriel.example&scheme=dark")
    html, policy = frame.content.decode(), frame["Content-Security-Policy"]
    assert "Bonjour Zélie" in html
    assert "<script" not in html and "onerror" not in html and "<iframe" not in html
    assert policy.startswith("sandbox allow-popups;") and "script-src" not in policy and "default-src 'none'" in policy and "https:" not in policy.replace("https://testserver", "")
    text = paul.get(_url("campaign-preview", draft) + "?way=text&as=zel").content.decode()
    assert "Bonjour Zélie" in text


def test_a_condition_takes_the_slow_lane_and_the_page_says_why(village: World, draft: Campaign) -> None:
    Campaign.objects.filter(pk=draft.pk).update(source="{% if first_name %}Cher {{ first_name }}{% else %}Bonjour{% endif %}")
    page = signed_in(village.owner).get(_url("campaign-preview", draft)).content.decode()
    assert "Slow lane" in page and "a condition" in page


def test_a_field_nobody_knows_is_said_not_thrown(village: World, draft: Campaign) -> None:
    Campaign.objects.filter(pk=draft.pk).update(source="Bonjour {{ prenom }}")
    paul = signed_in(village.owner)
    assert "no field called “prenom”" in paul.get(_url("campaign-preview", draft)).content.decode()
    assert paul.get(_url("campaign", draft)).status_code == 200 and "prenom" in paul.get(_url("campaign-seen", draft)).content.decode()


def test_a_test_and_one_copy_leave(village: World, draft: Campaign) -> None:
    paul = signed_in(village.owner)
    paul.post(_url("campaign-try", draft), {"wish": "test", "emails": "paul@saule.example, anna.rivoire@courriel.example"})
    paul.post(_url("campaign-try", draft), {"wish": "one", "email": "jamais.inscrite@courriel.example"})
    assert sorted(Mailing.objects.filter(campaign=draft).values_list("letter", flat=True)) == ["campaign-copy", "campaign-test", "campaign-test"]
    page = paul.get(_url("campaign-try", draft)).content.decode()
    assert "jamais.inscrite<wbr>@courriel.example" in page
    wrong = paul.post(_url("campaign-try", draft), {"wish": "test", "emails": "personne"})
    assert wrong.status_code == 422 and "Nothing was sent" in wrong.content.decode()


def test_it_is_sent_by_post_with_the_count_in_the_button(village: World, draft: Campaign) -> None:
    memberships.add(village.list, [("zelie@courriel.example", "Zélie Martin")], timezone.now(), by="test")
    paul = signed_in(village.owner)
    page = paul.get(_url("campaign-send", draft)).content.decode()
    assert "Send to 2 subscribers now" in page
    assert paul.get(_url("campaign-send", draft) + "?wish=now").status_code == 200 and not Mailing.objects.exists()
    for wrong in ("500/j", "0"):
        assert paul.post(_url("campaign-send", draft), {"wish": "now", "version": 0, "pace": "even", "per_day": wrong}).status_code == 422 and not Mailing.objects.exists()
    once = {"wish": "now", "version": 0, "pace": "even", "per_day": "5\u202f00", "sample": ""}
    answer = paul.post(_url("campaign-send", draft), once)
    mailing = Mailing.objects.get(kind="campaign")
    assert paul.post(_url("campaign-send", draft), once)["Location"] == f"/sending/{mailing.pk}/", "a double click is no fault"
    draft.refresh_from_db()
    assert answer["Location"] == f"/sending/{mailing.pk}/" and (draft.mailing, draft.per_day, draft.state) == (mailing, 500, CampaignState.STARTED)
    assert paul.get(_url("campaign", draft))["Location"] == f"/sending/{mailing.pk}/"
    sending = paul.get(f"/sending/{mailing.pk}/").content.decode()
    assert _url("campaign-preview", draft) in sending and _url("campaign-copy", draft) in sending
    went = paul.get(_url("campaign-preview", draft)).content.decode()
    assert "What went out" in went
    assert paul.get(_url("campaign-delete", draft)).status_code == 404


def test_a_start_says_that_not_every_copy_was_tried_and_the_copies_a_day_change_on_the_page_of_the_sending(village: World, draft: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "AT_ONCE_SECONDS", 0.0)
    memberships.add(village.list, [("zelie@courriel.example", "Zélie Martin")], timezone.now(), by="test")
    paul = signed_in(village.owner)
    told = paul.post(_url("campaign-send", draft), {"wish": "now", "version": 0, "pace": "usual"})
    assert told.status_code == 422 and "still made for trial, 0 of 2 so far" in told.content.decode() and 'name="untried"' in told.content.decode()
    draft.refresh_from_db()
    assert paul.post(_url("campaign-send", draft), {"wish": "now", "version": draft.version, "pace": "usual", "untried": "1"}).status_code == 302
    mailing = Mailing.objects.get(kind="campaign")
    for written, kept, words in (("2 000", 2000, "are changed"), ("x", 2000, "write digits only"), ("2000", 2000, "Nothing changed"), ("", None, "are changed")):
        page = paul.post(f"/sending/{mailing.pk}/move", {"move": "per_day", "per_day": written}, follow=True).content.decode()
        assert words in page and buckets.limit_of_mailing(mailing.pk) == kept
    assert "changed how many copies of" in page and "2000 → as limits allow" in page


def test_it_is_scheduled_in_the_zone_of_the_person_and_taken_back(village: World, draft: Campaign) -> None:
    village.owner.time_zone = "America/Montreal"
    village.owner.save()
    paul, day = signed_in(village.owner), (timezone.now() + timedelta(days=3)).date()
    paul.post(_url("campaign-send", draft), {"wish": "later", "version": 0, "day": day.isoformat(), "time": "09:00"})
    draft.refresh_from_db()
    assert draft.state == CampaignState.SCHEDULED and draft.send_at and draft.send_at.isoformat().startswith(f"{day.isoformat()}T1")  # 13 or 14 h UTC
    assert "09:00" in paul.get(_url("campaign-send", draft)).content.decode()
    assert "It leaves on " in paul.get(_url("campaign", draft)).content.decode()
    paul.post(_url("campaign-send", draft), {"wish": "stay"})
    draft.refresh_from_db()
    assert draft.state == CampaignState.DRAFT and draft.send_at is None
    wrong = paul.post(_url("campaign-send", draft), {"wish": "later", "version": draft.version, "day": "2020-01-01", "time": "09:00"})
    assert wrong.status_code == 422 and "This moment is over" in wrong.content.decode()


def test_the_audience_is_chosen_from_lists_one_may_write_to(village: World, draft: Campaign) -> None:
    paul = signed_in(village.owner)
    page = paul.get(_url("campaign-audience", draft)).content.decode()
    assert "amapiens<wbr>@saule.example" in page and "choeur" not in page
    paul.post(_url("campaign-audience", draft), {"version": 0, f"list{village.list.pk}": "to", f"list{village.other.pk}": "to"})
    assert [row.list_id for row in draft.audience.all()] == [village.list.pk]
    assert paul.post(_url("campaign-audience", draft), {"version": 0, f"list{village.list.pk}": "out"}).status_code == 409


def test_a_copy_and_a_deletion(village: World, draft: Campaign) -> None:
    paul = signed_in(village.owner)
    paul.post(_url("campaign-copy", draft), {"list": village.list.pk})
    copy = Campaign.objects.exclude(pk=draft.pk).get()
    assert (copy.subject, copy.source) == (draft.subject, draft.source)
    assert "for good" in paul.get(_url("campaign-delete", copy)).content.decode() and Campaign.objects.count() == 2
    paul.post(_url("campaign-delete", copy))
    assert list(Campaign.objects.all()) == [draft]
    assert JournalEntry.objects.filter(event="campaign.deleted").exists()


def test_a_file_goes_in_and_out(village: World, draft: Campaign) -> None:
    from io import BytesIO

    from django.core.files.uploadedfile import SimpleUploadedFile
    from PIL import Image

    raw = BytesIO()
    Image.new("RGB", (8, 4), "#134a72").save(raw, "PNG")
    paul = signed_in(village.owner)
    paul.post(_url("campaign-files", draft), {"wish": "add", "use": "served", "upload": SimpleUploadedFile("saule.png", raw.getvalue())})
    file = draft.files.get()
    assert f"/f/{file.key}" in paul.get(_url("campaign", draft)).content.decode()
    paul.post(_url("campaign-files", draft), {"wish": "add", "use": "served", "upload": SimpleUploadedFile("x.png", b"<script>")})
    assert draft.files.count() == 1
    paul.post(_url("campaign-files", draft), {"wish": "delete", "file": file.pk})
    assert not draft.files.exists()


def test_lists_are_found_by_their_beginning_and_what_is_chosen_meanwhile_stays(village: World, draft: Campaign) -> None:
    now, chosen = timezone.now(), List.objects.get(pk=village.list.pk)
    List.objects.bulk_create(
        List(organisation=chosen.organisation, domain=chosen.domain, address=f"quartier-{n:02}@saule.example", title=f"Quartier {n}", template="newsletter", created=now) for n in range(40)
    )  # fmt: skip
    far, farther = List.objects.get(address="quartier-38@saule.example"), List.objects.get(address="quartier-39@saule.example")
    segment = Segment.objects.create(list=far, name="Voisines", created=now, rule={"match": "all", "parts": []})
    memberships.add(far, [("une@courriel.example", ""), ("deux@courriel.example", "")], now, by="test")
    yann, url = signed_in(village.organiser), _url("campaign-audience", draft)
    first = yann.get(url).content.decode()
    assert first.count("<select name=") == 31 and "There are more lists" in first and far.address not in first.replace("<wbr>", "")
    ticked = {"version": 0, f"list{village.list.pk}": "", f"segment{segment.pk}": "to"}
    found = yann.post(url, ticked | {"do": "find", "q": "Quartier 39"}).content.decode().replace("<wbr>", "")
    assert farther.address in found and f'name="list{farther.pk}"' in found and "quartier-01@" not in found
    assert f'name="segment{segment.pk}" aria-label="Voisines"><option value="">–</option><option value="to" selected>' in found and not draft.audience.exists()
    row = found[found.index("Voisines</span>") :]
    assert row[: row.index("<select")].count(">2<") == 1, "segments are counted"
    assert "No list begins like that" in yann.post(url, ticked | {"do": "find", "q": "nulle part"}).content.decode()
    yann.post(url, ticked | {f"list{farther.pk}": "out", "list999999999999999999": "to", "do": "save"})
    assert [(one.list_id, one.segment_id, one.left_out) for one in draft.audience.order_by("id")] == [(None, segment.pk, False), (farther.pk, None, True)]
    assert far.address in yann.get(url).content.decode().replace("<wbr>", ""), "what is chosen is always shown"
