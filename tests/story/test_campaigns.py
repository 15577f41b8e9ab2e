"""The story of a newsletter: a SPIP site moves in, its letter is written in French with names and links to leave, looked at, tested, sent
evenly, paused, resumed, a worker killed -9, somebody leaving by one click in the middle; finished, counted, its details purged and its
totals kept. Everything is done as people do it: by the command and the screens of a real web server."""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.domain.mailings import CopyState
from colporteur.flow import tracking
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.preflight import Trial
from tests.daemons.delivering import is_in, sound
from tests.flow.dumps import dump
from tests.servers.ports import wait_until
from tests.servers.sink import Sink, Taken
from tests.story.browsing import Browser
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_person, a_transport

MEMBERS, PER_SECOND = (20_000, 150) if FULL else (300, 40)
STEP = MEMBERS // 20
CONNECTIONS = 5
SOURCE = """# Bonjour {{ first_name }}

Les nouvelles de l’été : la fête est **samedi**, à dix heures.

[Le programme](https://gazette.example/programme)
"""
WHEN = "2019-02-03 10:00:00"
LETTER = "gazette@lists.example"


def reader(number: int) -> str:
    return f"member-{number:06}@members.example"


def site() -> bytes:
    """A dump of a SPIP site: one letter, its readers, somebody who left, somebody who never confirmed, and last month's sending."""
    people = [(n, reader(n), f"Zoé{n} Müller", "Inscription : 2019-02-03", WHEN, "valide", "fr") for n in range(1, MEMBERS + 1)]
    people += [(MEMBERS + 1, "partie@members.example", "Claire", "", WHEN, "refuse", "fr"), (MEMBERS + 2, "jamais@members.example", "", "", "2026-11-01 10:00:00", "prop", "fr")]
    return dump({
        "mailsubscribinglists": ("id_mailsubscribinglist identifiant titre titre_public date statut", [(1, "gazette", "La Gazette", "La Gazette", WHEN, "ouverte")]),
        "mailsubscribers": ("id_mailsubscriber email nom optin date statut lang", people),
        "mailsubscriptions": ("id_mailsubscriber id_mailsubscribinglist id_segment statut maj", [(one[0], 1, 0, one[5], WHEN) for one in people]),
        "mailshots": ("id_mailshot id sujet html texte listes total current failed date date_start statut", [(1, "7", "Le printemps", "<p>Bonjour @nom@</p>", "Bonjour @nom@", "gazette", 2, 2, 0, "2026-05-01 11:00:00", "2026-05-01 10:00:00", "end")]),
        "mailshots_destinataires": ("id_mailshot email date statut try", [(1, reader(1), "2026-05-01 10:00:05", "sent", 1), (1, reader(2), "2026-05-01 10:00:06", "sent", 1)]),
    })  # fmt: skip


@pytest.fixture
def installations(tmp_path: Path, transactional_db: None) -> Iterator[list[Installation]]:
    """Two places, a worker in each, on one database."""
    options = {"COLPORTEUR_LEASE": "2", "COLPORTEUR_CONNECTIONS": str(CONNECTIONS), "COLPORTEUR_BASE_URL": "https://gazette.example"}
    made = [Installation(tmp_path / f"host{number}", options=options) for number in range(2)]
    yield made
    for one in made:
        one.stop()


def test_a_site_moves_in_and_its_newsletter_reaches_everybody_once_evenly_paused_resumed_and_with_a_worker_killed(installations: list[Installation], tmp_path: Path) -> None:
    here, there = installations
    with Sink() as sink:
        list_ = moves_in(here, tmp_path / "site.sql")
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        here.start("web", "worker")
        helene = Browser(here, Address.objects.get(email="helene@gazette.example").person)
        campaign = written(helene, list_)
        late = Address.objects.filter(memberships__list=list_, memberships__until__isnull=True).latest("pk")
        way_out = tried(helene, campaign, late, sink)

        assert f"{MEMBERS:,}".replace(",", "\u202f") in (page := helene.get(f"/newsletters/{campaign.pk}/send").text), page
        wait_until(lambda: Trial.objects.filter(campaign=campaign, finished__isnull=False).exists(), 120, lambda: here.words("worker")[-3000:])
        sink.limit, began = MEMBERS // 2, time.monotonic()  # however slow we are, much is left
        assert helene.post(f"/newsletters/{campaign.pk}/send", {"wish": "now", "version": Campaign.objects.get(pk=campaign.pk).version, "pace": "even", "per_day": PER_SECOND * 86400}).status == 302
        mailing = Mailing.objects.get(campaign=campaign, kind="campaign")
        wait_until(lambda: len(sink.taken) > MEMBERS // 10, 120, lambda: here.words("worker")[-3000:])
        helene.post(f"/sending/{mailing.pk}/move", {"move": "pause"})
        wait_until(lambda: not Slice.objects.filter(mailing=mailing, done=False, lease_until__gt=timezone.now()).exists(), 60)
        assert len(sink.taken) <= PER_SECOND * (time.monotonic() - began + 3), "it is even"

        sink.limit = len(sink.taken) + 2 * STEP
        helene.post(f"/sending/{mailing.pk}/move", {"move": "resume"})
        wait_until(lambda: len(sink.taken) >= sink.limit, 120, lambda: here.words("worker")[-3000:])
        assert Browser(here).send(way_out, b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded").status == 200, "in the middle of it"
        assert not Membership.objects.filter(list=list_, address=late, until__isnull=True).exists(), "at once"

        sink.limit = inf
        there.start("worker")
        wait_until(lambda: len(sink.taken) > MEMBERS * 3 // 4, 300, lambda: here.words("worker")[-3000:])
        here.kill("worker")
        wait_until(is_in(mailing, "done"), 600, lambda: there.words("worker")[-3000:])

        received = sink.received()
        assert late.email not in received and len(received) == MEMBERS - 1, "who left is skipped, nobody else is missing, who had left over there or never confirmed gets nothing"
        assert sink.repeated() <= MOST_UNSETTLED + CONNECTIONS
        assert Copy.objects.get(mailing=mailing, address=late).state == CopyState.CANCELLED
        sound(mailing)
        look_at_copies(sink, late.email)
        figures_stay(here, helene, Campaign.objects.get(pk=campaign.pk), mailing, sink)


def moves_in(here: Installation, file: Path) -> List:
    """The domain is there and has an owner; the site's lists come to it, looked at first, and nobody is written to."""
    a_person("helene@gazette.example", language="fr")
    here.cli("domain", "add", "lists.example")
    file.write_bytes(site())
    words = ("import", "spip", str(file), "--owner", "helene@gazette.example", "--json")
    dry = json.loads(here.cli(*words, "--dry-run"))
    assert dry == json.loads(here.cli(*words)) and {name: dry[name] for name in ("people", "lists", "memberships", "oppositions", "mailings")} == {"people": MEMBERS + 1, "lists": 1, "memberships": MEMBERS, "oppositions": 1, "mailings": 1}, dry
    here.cli("list", "set", LETTER, "identity=La Gazette, 1 rue des Tilleuls, 35000 Rennes")
    assert not Mailing.objects.exclude(state="done").exists()
    return List.objects.get(address=LETTER)


def written(helene: Browser, list_: List) -> Campaign:
    """Begun, written, looked at as somebody, and found ready."""
    answer = helene.post("/newsletters/new", {"list": list_.pk, "editor": "markdown"})
    assert answer.status == 302, answer.text
    where = answer.headers["Location"]
    campaign = Campaign.objects.get(pk=int(where.split("/")[2]))
    answer = helene.post(where, {"version": campaign.version, "subject": "L’été à {{ email }}", "source": SOURCE, "editor": "markdown", "template": "letter", "public": "on"})
    assert answer.status == 302, answer.text
    seen = helene.get(f"{where}seen?as={reader(1)}").text
    assert "Bonjour Zoé1" in seen and "Les nouvelles de l’été" in seen and "35000 Rennes" in seen
    assert "Bonjour Zoé1" in helene.get(f"{where}preview?way=text&as={reader(1)}").text
    return campaign


def tried(helene: Browser, campaign: Campaign, to: Address, sink: Sink) -> str:
    """A [TEST] copy arrives; the path of its way out."""
    assert helene.post(f"/newsletters/{campaign.pk}/try", {"wish": "test", "emails": to.email}).status == 302
    wait_until(lambda: sink.taken, 60)
    _text, _html, test = read(sink.taken[0])
    assert test["Subject"] == f"[TEST] L’été à {to.email}" and test["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    sink.taken.clear()
    return urlsplit(re.findall(r"<(https:[^>]+)>", test["List-Unsubscribe"])[0]).path


def read(taken: Taken) -> tuple[str, str, email.message.EmailMessage]:
    """Text and HTML of a copy, and the whole."""
    message = email.message_from_bytes(taken.data, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
    return parts["text/plain"], parts["text/html"], message


def look_at_copies(sink: Sink, late: str) -> None:
    links, looked_at = set(), [number for number in range(1, MEMBERS + 1, STEP) if reader(number) != late]
    for number in looked_at:
        address = reader(number)
        text, html, message = read(next(one for one in sink.taken if one.recipient == address))
        assert f"Bonjour Zoé{number}" in text and f"Bonjour Zoé{number}" in html
        assert (message["Subject"], message["List-Unsubscribe-Post"], message["To"].addresses[0].addr_spec) == (f"L’été à {address}", "List-Unsubscribe=One-Click", address)
        own = re.findall(r"https://gazette\.example(/u/[a-z0-9]+)", html)[0]
        assert own in text and own in message["List-Unsubscribe"] and "35000 Rennes" in text
        links.add(own)
    assert len(links) == len(looked_at), "each their own"


def figures_stay(here: Installation, helene: Browser, campaign: Campaign, mailing: Mailing, sink: Sink) -> None:
    """Statistics are shown; long after, the details go and the totals are what they were."""
    _text, html, _message = read(sink.taken[0])
    link = urlsplit(next(one for one in re.findall(r'href="([^"]+)"', html) if "/l/" in one)).path
    assert Browser(here).get(link).headers["Location"] == "https://gazette.example/programme"
    page = f"/newsletters/{campaign.pk}/statistics"
    before, shown = tracking.figures(campaign), helene.get(page)
    assert (before.fates.total, before.fates.received, before.left) == (MEMBERS, MEMBERS - 1, 1)
    assert shown.status == 200 and "https://gazette.example/programme" in shown.text
    rows = helene.get(f"{page}.csv").text.splitlines()
    assert f"people,received,{MEMBERS - 1}" in rows

    Mailing.objects.filter(pk=mailing.pk).update(finished=timezone.now() - timedelta(days=500))
    (going,) = json.loads(here.cli("campaign", "purge", "--list", LETTER, "--months", "14", "--dry-run", "--json"))
    assert going["copies"] == MEMBERS and Copy.objects.filter(mailing=mailing).exists()
    here.cli("campaign", "purge", "--list", LETTER, "--months", "14")
    assert not Copy.objects.filter(mailing=mailing).exists() and tracking.figures(campaign).fates == before.fates
    assert helene.get(page).status == 200 and helene.get(f"{page}.csv").text.splitlines() == rows
