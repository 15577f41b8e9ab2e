"""Pictures and attachments of newsletters: what is taken, how it is shown, and what is left of it."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from django.test import Client
from PIL import Image

from colporteur.domain.campaigns import CampaignState, FileUse
from colporteur.domain.words import Invalid
from colporteur.flow import lists, organisations, quotas
from colporteur.flow.campaigns import content, files, sending, writing
from colporteur.store import archive, purging
from colporteur.store.arrivals import Blob
from colporteur.store.campaigns import Campaign, CampaignAudience, CampaignFile
from colporteur.store.segments import Segment

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def campaign() -> Campaign:
    organisations.add_domain("saule.example", organisations.organisation_called("Les Paniers"), NOW, by="test")
    list_ = lists.create("lettre@saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    return writing.create(list_, NOW, by="test", subject="Mars")


def drawn(kind: str = "PNG", size: tuple[int, int] = (80, 40), colour: str = "red", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def test_a_picture_is_written_anew_and_shown_from_our_address(campaign: Campaign) -> None:
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    file = files.add(campaign, "C:\\photos\\Été.PNG", drawn("JPEG", (3000, 1500), exif=exif), FileUse.SERVED, NOW)
    assert (file.name, file.content_type, file.width, file.height) == ("Été.jpg", "image/jpeg", 1600, 800)
    assert b"secret" not in bytes(file.blob.raw)
    assert files.address_of(file) == f"http://testserver/f/{file.key}"
    answer = Client().get(f"/f/{file.key}")
    assert answer.status_code == 200 and answer.content == bytes(file.blob.raw)
    assert answer["X-Content-Type-Options"] == "nosniff" and "immutable" in answer["Cache-Control"] and not answer.cookies and "sandbox" in answer["Content-Security-Policy"]
    assert Client().get("/f/nothing").status_code == 404


def test_an_embedded_picture_goes_in_the_message_and_stands_in_the_html(campaign: Campaign) -> None:
    file = files.add(campaign, "a.png", drawn(), "served", NOW)
    campaign = writing.change(campaign.pk, campaign.version, NOW, "test", source=f"![Rouge]({files.address_of(file)})")
    assert not files.parts_of(campaign) and 'width="80"' in content.rendered(campaign).html
    file = files.use_as(file, FileUse.EMBEDDED)
    campaign.refresh_from_db()
    [part] = files.parts_of(campaign)
    html = content.rendered(campaign).html
    assert f'src="cid:{part.content_id}"' in html and part.raw == bytes(file.blob.raw)
    assert f'src="http://testserver/f/{file.key}"' in files.on_a_page(html, campaign)
    other = files.put_in_place(file, "b.png", drawn(colour="blue"), NOW)
    campaign.refresh_from_db()
    assert files.address_of(other) in campaign.source and file.key not in campaign.source


def test_attachments_are_what_their_name_says_and_no_programs(campaign: Campaign) -> None:
    file = files.add(campaign, "../../statuts.pdf", b"%PDF-1.7 x", FileUse.ATTACHED, NOW)
    assert (file.name, file.content_type) == ("statuts.pdf", "application/pdf")
    assert [part.content_id for part in files.parts_of(campaign)] == [""] and Client().get(f"/f/{file.key}").status_code == 404
    for name, data in (("a.exe", b"MZ"), ("a.pdf", b"MZ\x90"), ("a.pdf", b"<html>"), ("a.html", b"<html>"), ("a.svg", b"<svg>"), ("a", b"x"), ("a.docx", b"PK\x03\x04 word/vbaProject.bin"), ("x.pdf.js", b"%PDF-")):
        with pytest.raises(Invalid):
            files.add(campaign, name, data, FileUse.ATTACHED, NOW)
    with pytest.raises(Invalid, match="the most this list allows"):
        files.add(campaign, "a.txt", b"x" * 11_000_000, FileUse.ATTACHED, NOW)


def test_files_weigh_in_the_archive_and_go_with_it(campaign: Campaign) -> None:
    organisation = campaign.list.organisation
    before = archive.of_organisations([organisation.pk]).get(organisation.pk, 0)
    same = drawn(colour="green")
    one, two = files.add(campaign, "a.png", same, "served", NOW), files.add(campaign, "b.png", same, "served", NOW)
    assert archive.of_organisations([organisation.pk])[organisation.pk] == before + one.size + two.size
    files.remove(one)
    assert Blob.objects.filter(pk=bytes(two.blob_id)).exists()
    quotas.change(organisation, {"archive": "1"}, NOW, by="test")
    with pytest.raises(ValueError, match="is full"):
        files.add(campaign, "c.png", same, "served", NOW)
    purging.purge(campaign.list)
    assert not CampaignFile.objects.exists() and not Blob.objects.filter(pk=bytes(two.blob_id)).exists()


def test_a_purged_list_takes_its_segments_from_others_newsletters_which_wait_then(campaign: Campaign) -> None:
    other = lists.create("autre@saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    segment = Segment.objects.create(list=other, name="Nantes", rule={}, created=NOW)
    CampaignAudience.objects.create(campaign=campaign, segment=segment)
    CampaignAudience.objects.create(campaign=writing.create(other, NOW, by="test"), segment=segment)
    Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.SCHEDULED, send_at=NOW)
    purging.purge(other)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.send_at) == (CampaignState.DRAFT, None) and not CampaignAudience.objects.exists() and not Segment.objects.exists()


def test_what_cannot_be_made_is_not_sent_even_for_a_test(campaign: Campaign) -> None:
    broken = writing.change(campaign.pk, campaign.version, NOW, "test", source="<mjml><mj-body>\n<mj-section></mj-body></mjml>", editor="mjml")
    with pytest.raises(Invalid, match="line 2: <mj-section> is not ended"):
        sending.test(broken, ["helene@saule.example"], NOW, "test")


def test_what_was_sent_is_kept(campaign: Campaign) -> None:
    file = files.add(campaign, "a.png", drawn(), "served", NOW)
    Campaign.objects.filter(pk=campaign.pk).update(state=CampaignState.STARTED)
    file.refresh_from_db()
    for change in (lambda: files.remove(file), lambda: files.use_as(file, "embedded"), lambda: files.add(file.campaign, "b.png", drawn(), "served", NOW)):
        with pytest.raises(Invalid, match="was sent"):
            change()
