"""A newsletter leaves by a service that sends for others, and what the service tells later by its webhook ends where bounces do: a real
worker asks a server that answers as each service does by its documentation, and a real web server hears it tell."""

from __future__ import annotations

import email
import email.policy
import re
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils import timezone

from colporteur.domain.campaigns import Editor
from colporteur.flow import campaigns, mailings, services, tracking
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Slice
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.standing import DeliveryEvent
from colporteur.store.transports import Transport
from tests.daemons.delivering import is_in, sound
from tests.servers.ports import wait_until
from tests.servers.services import Services, Taken, tells
from tests.story.browsing import Browser
from tests.story.scenes import Installation, a_list, a_transport, give_role

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS, PER_SECOND = 40, 20
BASE = "https://gazette.example"
KEY = "webhook key"
LATE = f"member-{MEMBERS:06}@members.example"


@pytest.mark.parametrize("kind", ["mailjet", "sparkpost", "mandrill"])
def test_a_newsletter_leaves_by_a_service_and_its_bounces_come_back_by_webhook(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BASE_URL", BASE)
    monkeypatch.setattr(settings, "PUBLIC_HTTPS", True)
    with Services() as server, Installation(tmp_path, options={"COLPORTEUR_BASE_URL": BASE, "COLPORTEUR_CONNECTIONS": "5"}) as installation:
        list_ = a_list("gazette@lists.example", template="newsletter", title="La Gazette", language="fr", members=MEMBERS, identity="La Gazette, 1 rue des Tilleuls, 35000 Rennes")
        for number in range(1, MEMBERS + 1):
            Address.objects.filter(email=f"member-{number:06}@members.example").update(name=f"Lea{number} Petit")
        give_role(list_, RoleKind.OWNER, "helene@gazette.example")
        transport = a_transport(server.url(kind), name=f"by {kind}")
        campaign = campaigns.create(list_, timezone.now(), by="story", subject="L’été à {{ email }}", editor=Editor.MARKDOWN, source="# Bonjour {{ first_name }}\n\nLa fête est **samedi**.")
        installation.start("web", "worker")

        campaigns.test(campaign, [LATE], timezone.now(), "story")
        wait_until(lambda: server.taken, 60, lambda: installation.words("worker")[-3000:])
        way_out = urlsplit(re.findall(rf"{BASE}/u/[a-z0-9]+", str(server.taken.pop().request))[0]).path

        rested, began = threading.Event(), time.monotonic()
        server.before = lambda _: None if len(server.taken) < MEMBERS // 2 else rested.wait(180)  # however slow we are, much is left
        mailing = campaigns.start(campaign.pk, timezone.now(), "story", per_day=PER_SECOND * 86400)
        assert mailing
        wait_until(lambda: len(server.taken) > 5, 60, lambda: installation.words("worker")[-3000:])
        assert mailings.pause(mailing.pk, timezone.now(), "story")
        wait_until(lambda: not Slice.objects.filter(mailing=mailing, done=False, lease_until__gt=timezone.now()).exists(), 60)
        assert len(server.taken) <= PER_SECOND * (time.monotonic() - began + 3), "it is even"
        assert Browser(installation).send(way_out, b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded").status == 200
        rested.set()
        assert mailings.resume(mailing.pk, timezone.now(), "story")
        wait_until(is_in(mailing, "done"), 90, lambda: installation.words("worker")[-3000:])

        sound(mailing)
        assert Counter(one.recipient for one in server.taken) == {f"member-{number:06}@members.example": 1 for number in range(1, MEMBERS)}, "who left is skipped, nobody is missing, nobody has it twice"
        taken = sorted(server.taken, key=lambda one: one.recipient)
        for number, one in enumerate(taken, 1):
            assert f"Bonjour Lea{number}\n" in text(one), text(one)
        comes_back(installation, transport, list_, taken)
        figures = tracking.figures(campaign)
        assert (figures.fates.total, figures.complaints) == (MEMBERS, 1)


def text(taken: Taken) -> str:
    """The text part, from the parts the service was given or from the message."""
    if not taken.raw:
        return str(taken.request["TextPart"])
    part = email.message_from_bytes(taken.raw, policy=email.policy.default).get_body(("plain",))
    assert part
    return str(part.get_content()).replace("\r\n", "\n")


def comes_back(installation: Installation, transport: Transport, list_: List, taken: list[Taken]) -> None:
    """The service tells, twice as services do; each of it counts once, and nobody else is heard."""
    hook = services.hook_of(transport, timezone.now())
    services.sign_with(transport, KEY if transport.kind == "mandrill" else "", timezone.now(), by="story")
    where, web = urlsplit(services.url_of(hook)).path, Browser(installation)
    told = [(taken[0], "hard"), (taken[1], "full"), (taken[2], "complaint"), (taken[3], "unsubscribe"), (taken[4], "suppressed"), (taken[5], "delivered")]
    post = tells(told, key=KEY, url=services.url_of(hook))
    assert web.send(f"{where.rstrip('/')}x/", post.body, post.content_type, post.headers).status == 404, "another secret"
    for _twice in range(2):
        assert web.send(where, post.body, post.content_type, post.headers).status == 200
    assert Counter(DeliveryEvent.objects.values_list("kind", "origin")) == {("dead", "webhook"): 1, ("mailbox_state", "webhook"): 1, ("complaint", "webhook"): 1, ("unknown", "webhook"): 1}
    gone = set(Membership.objects.filter(list=list_, until__isnull=False).values_list("address__email", flat=True))
    assert gone == {taken[2].recipient, taken[3].recipient, LATE}
