"""A newsletter is looked at before it is sent: every copy is made for trial, links are followed, and a verdict is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.domain.campaigns import Editor, FileUse
from colporteur.domain.words import Invalid
from colporteur.flow import attributes, lists, memberships, organisations, senders
from colporteur.flow.campaigns import files, preflight, sending, writing
from colporteur.store import preflight as rows
from colporteur.store.campaigns import Campaign
from colporteur.store.people import Address
from colporteur.store.preflight import LinkCheck, Trial

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GOOD = "# Bonjour {{ name }}\n\nVoir [notre page](https://amap.example/page).\n"


@pytest.fixture
def campaign() -> Campaign:
    organisations.add_domain("saule.example", organisations.organisation_called("Les Paniers"), NOW, by="test")
    list_ = lists.create("lettre@saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    lists.set_policy(list_, {"identity": "Les Paniers du Saule\n3 rue du Four, Nantes"}, "test", NOW)
    attributes.define(list_, NOW, by="test", label="Panier", key="panier", kind="number")
    memberships.add(list_, [(f"m{number}@saule.example", f"Membre {number}") for number in range(6)], NOW, by="test")
    for number in range(6):
        attributes.write(list_, Address.objects.get(email=f"m{number}@saule.example"), {"panier": number % 3}, NOW, by="test")
    return writing.create(list_, NOW, by="test", subject="Mars", source=GOOD, template="letter")


def changed(campaign: Campaign, **fields: object) -> Campaign:
    return writing.change(campaign.pk, Campaign.objects.get(pk=campaign.pk).version, NOW, "test", **fields)


def codes(found: preflight.Preflight) -> set[str]:
    return {finding.code for finding in found.findings}


def test_links_are_waited_for_and_what_they_answer_is_believed_for_an_hour(campaign: Campaign) -> None:
    first = preflight.preflight(campaign, NOW)
    assert first.checking and first.waiting == 1 and (first.recipients, first.tried, first.failing_count) == (6, 6, 0)
    assert rows.wanted(NOW, 10) == ["https://amap.example/page"]
    rows.answered({"https://amap.example/page": (404, "Not Found")}, NOW)
    second = preflight.preflight(campaign, NOW)
    assert not second.checking and "links" in codes(second) and not second.blocked and "https://amap.example/page (404)" in "".join(one.words for one in second.findings)
    assert not rows.wanted(NOW, 10)
    preflight.preflight(campaign, NOW + timedelta(hours=2))
    assert rows.wanted(NOW + timedelta(hours=2), 10)
    assert preflight.forget(NOW + timedelta(days=2)) == 2 and not LinkCheck.objects.exists() and not Trial.objects.exists()


def test_who_fails_is_named_with_the_reason(campaign: Campaign) -> None:
    found = preflight.preflight(changed(campaign, source="{{ 10 / panier }} paniers"), NOW)
    assert found.blocked and found.verdict.startswith("not ready: the newsletter cannot be made for some recipients (2)")
    assert [one.email for one in found.failing] == ["m0@saule.example", "m3@saule.example"] and all(one.reason for one in found.failing)
    Address.objects.filter(email="m0@saule.example").update(email="gone@saule.example")
    assert "m0@saule.example" not in str(Trial.objects.values_list("failures", flat=True))


def test_a_worker_goes_on_where_nobody_can_wait(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "AT_ONCE_SECONDS", 0.0)
    monkeypatch.setattr(preflight, "_RANGE", 2)
    first = preflight.preflight(campaign, NOW)
    assert first.checking and first.verdict == "copies are being tried" and first.tried == 0
    assert preflight.try_more(NOW) == 6 and preflight.try_more(NOW) == 0
    assert preflight.preflight(campaign, NOW).tried == 6
    changed(campaign, subject="Avril")
    assert preflight.preflight(Campaign.objects.select_related("list").get(pk=campaign.pk), NOW).tried == 0
    changed(campaign, subject="Mai")
    assert preflight.try_more(NOW) == 1 and preflight.try_more(NOW) == 0  # another version: asked about anew when somebody looks


@pytest.mark.parametrize(("fields", "code", "blocked"), [
    ({"source": "{{ nickname }}"}, "fields", True), ({"source": "{% if name %}x"}, "fields", True), ({"subject": ""}, "subject", True), ({"template": ""}, "unsubscribe", False), ({"template": ""}, "identity", False),
    ({"source": "![](https://amap.example/a.png)"}, "alt", False), ({"source": '<img src="https://amap.example/a.png">', "editor": Editor.HTML}, "alt", False), ({"source": "<mjml><mj-body></mjml>", "editor": Editor.MJML}, "content", True),
    ({"source": '<img src="http://amap.example/a.png" alt="a">', "editor": Editor.HTML}, "content", False), ({"source": "x " * 60_000}, "clipped", False), ({"source": "x" * 600_000}, "content", True),
])  # fmt: skip
def test_what_is_wrong_is_found(campaign: Campaign, fields: dict[str, object], code: str, blocked: bool) -> None:
    found = preflight.preflight(changed(campaign, **fields), NOW)
    assert code in codes(found) and found.blocked is blocked, found
    assert all(one.words and one.mend for one in found.findings)


def test_who_sends_from_anothers_domain_is_told_what_that_domain_says(campaign: Campaign) -> None:
    campaign.list.address, campaign.list.domain = "amis@courrier.org", None
    campaign.list.save()
    preflight.preflight(campaign, NOW)
    assert preflight.domains_to_look_up(NOW) == ["courrier.org"]
    senders.remember("courrier.org", "reject", NOW)
    assert not preflight.domains_to_look_up(NOW) and "from" in codes(preflight.preflight(campaign, NOW))


def test_heavy_files_are_remarked_and_an_empty_list_cannot_be_written_to(campaign: Campaign) -> None:
    files.add(campaign, "a.pdf", b"%PDF-" + bytes(3_000_000), FileUse.ATTACHED, NOW)
    assert "attachments" in codes(preflight.preflight(campaign, NOW))
    campaign.list.memberships.all().delete()
    found = preflight.preflight(campaign, NOW)
    assert found.blocked and "recipients" in codes(found)


def test_a_start_waits_for_the_trial_of_every_copy_unless_it_is_told_not_to(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "AT_ONCE_SECONDS", 0.0)
    for at in (None, NOW + timedelta(hours=1)):
        with pytest.raises(Invalid, match="still made for trial, 0 of 6 so far"):
            sending.start(campaign.pk, NOW, "test", at=at)
    changed(campaign, pace="even", per_day=500)
    assert preflight.try_more(NOW) == 6, "how fast it leaves changes no copy: the trial that was asked for goes on"
    assert sending.start(campaign.pk, NOW, "test")
    other = writing.create(campaign.list, NOW, by="test", subject="Avril", source=GOOD, template="letter")
    assert sending.start(other.pk, NOW, "test", untried=True)
    third = writing.create(campaign.list, NOW, by="test", subject="Mai", source=GOOD, template="letter")
    assert preflight.to_the_end(third, NOW).tried == 6 and sending.start(third.pk, NOW, "test")


def test_one_that_breaks_keeps_no_other_waiting(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "AT_ONCE_SECONDS", 0.0)
    preflight.preflight(campaign, NOW)

    def breaks(_campaign: Campaign) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(preflight.content, "rendered", breaks)
    assert preflight.try_more(NOW) == 1 and preflight.try_more(NOW) == 0
