"""Reports that name none of our copies are shown to those who manage the list, with why they count for nothing."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from colporteur.store.arrivals import Arrival, keep
from colporteur.store.bounces import UnmatchedReport
from tests.web.conftest import World, signed_in

pytestmark = pytest.mark.django_db


def test_reports_without_a_copy_are_shown_and_escaped(world: World) -> None:
    now = timezone.now()
    arrival = Arrival.objects.create(blob_id=keep(b"Subject: failure notice\r\n\r\n<script>x</script>\r\n"), door="lmtp", received_at=now)
    for why in ("unsigned", "forged"):
        UnmatchedReport.objects.create(arrival=arrival, list=world.list, at=now, to="x@y.example", why=why, kind="dead", reason="no_mailbox", recipients=["anna.rivoire@courriel.example"], text="550 <b>no</b>")
    client = signed_in(world.owner, "fr")
    page = client.get(reverse("reports", args=[world.list.pk])).content.decode()
    assert "anna.rivoire" in page and "&lt;b&gt;no" in page and "Cette adresse n’existe pas" in page
    found = client.get(reverse("report", args=[world.list.pk, UnmatchedReport.objects.latest("id").pk])).content.decode()
    assert "&lt;script&gt;" in found
    world.list.policy["members_shown"] = "nobody"
    world.list.save()
    page = client.get(reverse("reports", args=[world.list.pk])).content.decode()
    assert "anna.rivoire" not in page and "&lt;b&gt;no" not in page
    assert client.get(reverse("report", args=[world.list.pk, UnmatchedReport.objects.latest("id").pk])).status_code == 404
