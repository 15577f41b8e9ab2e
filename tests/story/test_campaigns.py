"""The story of a newsletter: written in French with names and links to leave, tested, sent evenly, paused, resumed, a worker killed
-9, somebody leaving by one click in the middle; finished, counted, its details purged and its totals kept."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.domain.campaigns import Editor
from colporteur.domain.mailings import CopyState
from colporteur.flow import campaigns, mailings, tracking
from colporteur.flow.campaigns import preflight
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.people import Address
from tests.daemons.delivering import is_in, sound
from tests.servers.ports import wait_until
from tests.servers.sink import Sink, Taken
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_list, a_transport, give_role

MEMBERS, PER_SECOND = (20_000, 150) if FULL else (300, 40)
CONNECTIONS = 5
LATE = f"member-{MEMBERS:06}@members.example"
SOURCE = """# Bonjour {{ first_name }}

Les nouvelles de l’été : la fête est **samedi**, à dix heures.

[Le programme](https://gazette.example/programme)
"""


@pytest.fixture
def installations(tmp_path: Path, transactional_db: None) -> Iterator[list[Installation]]:
    """Two places, a worker in each, on one database."""
    options = {"COLPORTEUR_LEASE": "2", "COLPORTEUR_CONNECTIONS": str(CONNECTIONS), "COLPORTEUR_BASE_URL": "https://gazette.example"}
    made = [Installation(tmp_path / f"host{number}", options=options) for number in range(2)]
    yield made
    for one in made:
        one.stop()


@pytest.fixture
def gazette(transactional_db: None) -> List:
    list_ = a_list("gazette@lists.example", template="newsletter", title="La Gazette", language="fr", members=MEMBERS, identity="La Gazette, 1 rue des Tilleuls, 35000 Rennes")
    for number in range(0, MEMBERS, MEMBERS // 20):
        Address.objects.filter(email=f"member-{number + 1:06}@members.example").update(name=f"Zoé{number} Müller")
    give_role(list_, RoleKind.OWNER, "helene@gazette.example")
    return list_


def read(taken: Taken) -> tuple[str, str, email.message.EmailMessage]:
    """Text and HTML of a copy, and the whole."""
    message = email.message_from_bytes(taken.data, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    return parts["text/plain"], parts["text/html"], message


def test_a_newsletter_sent_evenly_paused_resumed_and_with_a_worker_killed_reaches_everybody_once(installations: list[Installation], gazette: List, settings: object) -> None:
    settings.BASE_URL, settings.PUBLIC_HTTPS = "https://gazette.example", True  # type: ignore[attr-defined]
    with Sink() as sink:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        campaign = campaigns.create(gazette, timezone.now(), by="story", subject="L’été à {{ email }}", editor=Editor.MARKDOWN, source=SOURCE)
        found = preflight.preflight(campaign, timezone.now())
        assert not found.blocked and found.recipients == MEMBERS, found
        for one in installations:
            one.start("worker")

        campaigns.test(campaign, [LATE], timezone.now(), "story")
        wait_until(lambda: sink.taken, 60, lambda: installations[0].words("worker")[-3000:])
        _text, _html, test = read(sink.taken[0])
        assert test["Subject"] == f"[TEST] L’été à {LATE}"
        way_out = urlsplit(re.findall(r"<(https:[^>]+)>", test["List-Unsubscribe"])[0]).path
        sink.taken.clear()

        mailing = campaigns.start(campaign.pk, timezone.now(), "story", per_day=PER_SECOND * 86400)
        assert mailing
        wait_until(lambda: len(sink.taken) > MEMBERS // 10, 120, lambda: installations[0].words("worker")[-3000:])
        assert mailings.pause(mailing.pk, timezone.now(), "story")
        wait_until(lambda: not Slice.objects.filter(mailing=mailing, done=False, lease_until__gt=timezone.now()).exists(), 60)
        assert len(sink.taken) < MEMBERS, "it is even, so it was not over"

        assert Client().post(way_out, {"List-Unsubscribe": "One-Click"}).status_code == 200
        assert mailings.resume(mailing.pk, timezone.now(), "story")
        wait_until(lambda: len(sink.taken) > MEMBERS // 2, 300, lambda: installations[0].words("worker")[-3000:])
        installations[0].kill("worker")
        wait_until(is_in(mailing, "done"), 600, lambda: installations[1].words("worker")[-3000:])

        received = sink.received()
        assert LATE not in received and len(received) == MEMBERS - 1, "who left is skipped, nobody else is missing"
        assert sink.repeated() <= MOST_UNSETTLED + CONNECTIONS
        assert Copy.objects.get(mailing=mailing, address__email=LATE).state == CopyState.CANCELLED
        sound(mailing)
        look_at_copies(sink, mailing)
        installations[1].stop()
    figures_stay(Campaign.objects.get(pk=campaign.pk), mailing)


def look_at_copies(sink: Sink, mailing: Mailing) -> None:
    links = set()
    for number in range(0, MEMBERS - 1, MEMBERS // 20):
        address = f"member-{number + 1:06}@members.example"
        text, html, message = read(next(one for one in sink.taken if one.recipient == address))
        assert f"Bonjour Zoé{number}" in text and f"Bonjour Zoé{number}" in html
        assert (message["Subject"], message["List-Unsubscribe-Post"], message["To"].addresses[0].addr_spec) == (f"L’été à {address}", "List-Unsubscribe=One-Click", address)
        own = re.findall(r"https://gazette\.example(/u/[a-z0-9]+)", html)[0]
        assert own in text and own in message["List-Unsubscribe"] and "35000 Rennes" in text
        links.add(own)
    assert len(links) == len(range(0, MEMBERS - 1, MEMBERS // 20)), "each their own"


def figures_stay(campaign: Campaign, mailing: Mailing) -> None:
    before = tracking.figures(campaign)
    assert (before.fates.total, before.fates.received) == (MEMBERS, MEMBERS - 1)
    later = timezone.now() + timedelta(days=500)
    (going,) = tracking.purge_preview(later)
    assert going.copies == MEMBERS
    assert tracking.purge([going.campaign], later, by="story") == 1
    assert not Copy.objects.filter(mailing=mailing).exists()
    assert tracking.figures(campaign).fates == before.fates
