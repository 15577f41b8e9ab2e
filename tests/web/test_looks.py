"""The pages in a real Chromium: axe-core finds nothing, nothing overflows a phone, the content policy stops nothing of ours,
and everything important works without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connections
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from colporteur.domain import tokens
from colporteur.domain.campaigns import Editor
from colporteur.domain.mailings import CopyState
from colporteur.domain.signing import Algorithm
from colporteur.domain.sources import Kind, Setting, table_of
from colporteur.flow import (
    attributes,
    credentials,
    destinations,
    identities,
    joining,
    life,
    limits,
    lists,
    mailboxes,
    mine,
    nesting,
    organisations,
    people,
    requests,
    segments,
    signing,
    signup,
    sources,
    standing,
    streams,
    templates,
    transports,
)
from colporteur.flow.campaigns import writing as campaigns
from colporteur.flow.enrolments import begin as hand_over
from colporteur.flow.moderation import judge_due, moderation_token
from colporteur.flow.planning import plan_due
from colporteur.store.arrivals import Arrival, Errand, keep
from colporteur.store.credentials import Credential
from colporteur.store.destinations import DestinationGroup
from colporteur.store.joining import JoinRequest
from colporteur.store.lists import List
from colporteur.store.mailboxes import Mailbox
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from colporteur.store.sources import Source
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.store.transports import Transport
from tests.flow.test_statistics import a_life
from tests.flow.tracked import newsletter
from tests.servers import browser
from tests.story.scenes import message
from tests.web.conftest import World, signed_in, write_to

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for the whole file: starting it takes a second."""
    with browser.chromium() as started:
        yield started


@pytest.fixture
def scene(transactional_db: None, world: World) -> dict[str, str]:
    """One of everything the screens show; name -> address."""
    now = timezone.now()
    held = write_to(world.list, "marc.legoff@courriel.example", "Marc Le Goff", "Covoiturage pour la visite de la ferme samedi", html="<p>Bonjour</p>", original=b"Subject: x\r\n\r\ny\r\n")
    write_to(world.list, "coop@troisrives.example", "Coopérative des Trois Rives", "Offre spéciale paniers d’hiver")
    stuck = write_to(world.list, "odile.p@courriel.example", "Odile", "Mal formé")
    Post.objects.filter(pk=stuck.pk).update(state="quarantined", error="ValueError: x")
    write_to(world.list, "anna.rivoire@courriel.example", "Anna Rivoire", "La lettre du Saule, novembre")
    plan_due(now)
    mailing = Mailing.objects.get(post__isnull=False)
    Mailing.objects.filter(pk=mailing.pk).update(started=now - timedelta(minutes=2))
    mailing.slices.update(sent=80, failed=3, deferred=5)
    first = list(Copy.objects.filter(mailing=mailing).order_by("address_id").values_list("address_id", flat=True)[:4])
    for address, state in zip(first, (CopyState.SENT, CopyState.FAILED, CopyState.DEFERRED, CopyState.CANCELLED), strict=True):
        Copy.objects.filter(mailing=mailing, address_id=address).update(state=state)
    arrival = Arrival.objects.create(blob_id=keep(b"From: a@b.example\r\nSubject: x\r\n\r\ny\r\n"), door="lmtp", received_at=now)
    for list_, recipient in ((world.list, "amapiens-unsubscribe+aaaaaaaaaaaaaaaaaaaaaaaa@paniersdusaule.example"), (None, "lists@paniersdusaule.example")):
        Errand.objects.create(arrival=arrival, list=list_, service="owner", recipient=recipient, state="quarantined", error="ValueError: x", received_at=now)
    mailboxes.set_mailbox(world.list, "imaps://user:secret@imap.invalid/INBOX", now, by="test", traits={"plus_part": False, "from_address": True})
    Mailbox.objects.update(failures=3, last_error="Le serveur refuse le mot de passe", next_try=now)
    odile = Address.objects.get(email="odile.perrin@courriel.example")
    for algorithm in (Algorithm.ED25519, Algorithm.RSA, Algorithm.RSA):
        signing.use(signing.make(world.list.domain, algorithm, now, by="test"), now, by="test", force=True)  # type: ignore[arg-type]
    signing.make(world.list.domain, Algorithm.RSA, now, by="test")  # type: ignore[arg-type]
    ended = lists.create("ancienne-liste-des-adherents@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", now, by="test")
    life.delete(ended, now, by="test")
    lists.add_alias(world.list, "abonnes-des-paniers@paniersdusaule.example", now, by="test")
    organisations.change_domain(world.list.domain, {"creation": "request", "name_begins": "amap", "name_reason": "Nos listes commencent ainsi.", "forbidden_names": "direction*"}, now, by="test")  # type: ignore[arg-type]
    asked = requests.ask(world.member, "amap-chorale@paniersdusaule.example", "discussion", "Les choristes s’écrivent entre eux, et avec le chef de chœur.", now, title="Chorale")
    own = templates.make("Groupes de distribution", "working-group", now, by="test", organisation=world.list.organisation, sentence="Pour les lieux de distribution.")
    lists.set_policy(world.list, {"members_shown": "members"}, "test", now)
    names = {
        "organisation": [world.list.organisation_id], "templates": [], "template-add": [], "template": [own.pk], "template-policy": [own.pk],
        "requests": [], "request": [asked.pk], "domain": [world.list.domain_id],
        "home": [], "lists-deleted": [], "list-addresses": [world.list.pk], "list-copy": [world.list.pk], "waiting": [], "waiting-post": [held.pk], "lists": [], "list-new": [], "list": [world.list.pk], "members": [world.list.pk], "members-add": [world.list.pk], "members-box": [world.list.pk], "member": [world.list.pk, world.list.memberships.filter(until__isnull=True).values_list("pk", flat=True)[0]], "members-seen": [world.list.pk], "members-everywhere": [], "list-settings": [world.list.pk],
        "list-about": [world.list.pk], "list-delete": [world.list.pk], "roles": [world.list.pk], "list-inside": [world.list.pk], "mailbox": [world.list.pk], "list-transport": [world.list.pk], "activity": [world.list.pk], "errands": [], "post": [stuck.pk],
        "sending": [], "mailing": [mailing.pk], "mailing-abandon": [mailing.pk], "people": [], "person": [world.owner.pk], "person-add": [], "settings": [], "site-policy": [], "domain-add": [], "domain-signing": [world.list.domain_id], "transport-add": [],
        "transport": [mailing.transport_id], "transport-remove": [mailing.transport_id], "site-route": [], "domain-route": [world.list.domain_id], "mailing-again": [mailing.pk], "try": [], "try-post": [held.pk], "outbox": [], "my-page": [], "account": [], "password": [],
    }  # fmt: skip
    names |= {"sources": [world.list.pk], "source-add": [world.list.pk, "ldap"], "source": [_source(world.list, now).pk]}
    nesting.put_inside(world.list, List.objects.get(address="bureau@paniersdusaule.example"), now, by="test")
    nesting.exclude(world.list, "une-adresse-au-nom-bien-long@courriel.example", now, by="test")
    found = {name: reverse(name, args=arguments) for name, arguments in names.items()}
    found |= {"my-erase": reverse("my-erase"), "my-address": reverse("my-address", args=[people.address_token(world.admin, odile, now)]), "mine": "/mine", "mine-link": mine.link(odile, now).removeprefix(settings.BASE_URL)}
    wishes = joining.invite(world.list, "zoe.le-goff@courriel.example", now, by=world.owner)
    assert wishes is joining.Outcome.ASKED
    newcomer = Address.objects.create(email="une.nouvelle.personne@courriel.example")
    row = JoinRequest.objects.create(list=world.list, address=newcomer, name="Une nouvelle personne", state="waiting", door="mail", asked_at=now)
    invited = JoinRequest.objects.get(state="invited")
    found["joining"] = reverse("joining", args=[world.list.pk])
    place = [world.list.host, world.list.name]
    found |= {"join-list": reverse("join-list", args=place), "leave-list": reverse("leave-list", args=place), "join-domain": reverse("join-domain", args=place[:1]), "join-mine": "/join", "consents": reverse("consents"), "oppositions": reverse("oppositions")}
    handed = hand_over(world.list, "nouvelle@courriel.example Nouvelle Venue\nune ligne que personne ne peut lire\n", now, person=world.owner, file="membres.csv")
    found |= {"members-adding": reverse("members-adding", args=[world.list.pk, handed.pk]), "member-note": reverse("member-note", args=names["member"])}
    found["join-link"] = reverse("join-link", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.JOIN, invited.pk, invited.address_id)])
    found["admit-link"] = reverse("join-link", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.ADMIT, row.pk, Address.objects.get(email=world.owner.primary_email).pk)])
    found |= _standing(world.list, odile, arrival, now)
    errand = Errand.objects.create(arrival=Arrival.objects.create(blob_id=keep(message("odile.perrin@courriel.example", subject="suspend amapiens")), door="lmtp", received_at=now), list=None, service="request", recipient="lists@paniersdusaule.example", state="done", received_at=now)
    found["commands-link"] = reverse("commands-link", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.CONFIRM, errand.pk, odile.pk)])
    found |= {"list-wordings": reverse("list-wordings", args=[world.list.pk]), "list-wording": reverse("list-wording", args=[world.list.pk, "held", "fr"]), "site-wording": reverse("site-wording", args=["footer", "fr"])}
    found |= _segments(world, now) | {"preferences": reverse("preferences", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=world.member.primary_email).pk)]), "join-embedded": reverse("join-embedded", args=place)}
    found["moderate"] = reverse("moderate", args=[moderation_token(held.pk, odile.pk)])
    found |= _campaigns(world, now)
    found |= _limits(Transport.objects.get(pk=mailing.transport_id), now)
    found["unsubscribe"] = reverse("unsubscribe", args=[tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, odile.pk)])
    found["request-link"] = reverse("request-link", args=[requests.token(asked, Address.objects.get(email=world.organiser.primary_email))])
    elsewhere = organisations.add_domain("demandes.example", organisations.organisation_called("Ailleurs"), now, by="test")
    organisations.change_domain(elsewhere, {"creation": "request"}, now, by="test")
    found |= {"signin": "/signin", "signin-password": "/signin/password", "signin-link": "/s/nothing"}
    provider = identities.add("Le Saule", "https://login.saule.example/realms/saule", "colporteur", "", now, by="test")
    credentials.new_codes(world.admin, now)
    Credential.objects.create(person=world.admin, kind="passkey", name="Mon téléphone", handle=b"h", public=b"p", created=now)
    found |= {name: reverse(name, args=numbers) for name, numbers in {"my-security": [], "my-app": [], "identities": [], "identity": [provider.pk], "person-merge": [world.owner.pk]}.items()}
    found["signup"] = signup.link(newcomer, now).removeprefix(settings.BASE_URL)
    return found


def _campaigns(world: World, now: datetime) -> dict[str, str]:
    """A newsletter with everything in it, being written."""
    draft = campaigns.create(world.list, now, by=world.owner, subject="Les paniers de Noël, et une fête le 12", source="# Bonjour {{ first_name }}\n\n**[Commander](https://x.example)**", template="letter", preheader="Avant le 5")
    names = ("campaign", "campaign-audience", "campaign-preview", "campaign-try", "campaign-send", "campaign-copy", "campaign-delete")
    faulty = campaigns.create(world.list, now, by=world.owner, subject="Sans fin", editor=Editor.HTML, source="<p style='position:fixed'>Bonjour</p><script>1</script><p>{{ }}</p>")
    found = {name: reverse(name, args=[draft.pk]) for name in names} | {"campaigns": reverse("campaigns"), "campaign-new": reverse("campaign-new")}
    preview = found["campaign-preview"]
    return found | {"campaign-preview-text": f"{preview}?way=text", "campaign-faulty": reverse("campaign-preview", args=[faulty.pk]), "campaign-faulty-send": reverse("campaign-send", args=[faulty.pk])} | _sent(now)


def _sent(now: datetime) -> dict[str, str]:
    """A newsletter that was read, with one before it whose details may go, on every page about them; and a service that sends them."""
    campaign = a_life()
    List.objects.filter(pk=campaign.list_id).update(policy={"public_archive": True, "tracking": "people"})
    newsletter(list_=campaign.list, now=now - timedelta(days=90), subject="La lettre d’août, avec les courges de l’été et une assemblée générale extraordinaire")
    service = transports.add("lettres", "mandrill://KEY@", now, by="test")
    list_, statistics = campaign.list, reverse("statistics", args=[campaign.pk])
    return {
        "statistics": f"{statistics}?destinations=1", "campaign-details": f"{reverse('campaign-details')}?months=2", "campaign-archive": reverse("campaign-archive", args=[list_.host, list_.name]),
        "campaign-sending": reverse("mailing", args=[campaign.mailing_id]), "campaign-sent-preview": f"{reverse('campaign-preview', args=[campaign.pk])}?way=text", "service": reverse("transport", args=[service.pk]),
        "service-add": f"{reverse('transport-add')}?kind=mailjet",
    }  # fmt: skip


def _segments(world: World, now: datetime) -> dict[str, str]:
    """Attributes of each kind of control, and a segment with a group."""
    attributes.define(world.list, now, by="test", label="Ville", asked=True)
    part = attributes.define(world.list, now, by="test", label="Lieu de distribution", kind="choice", choices=["Saint-Melaine", "Thabor"], asked=True)
    rule = {"match": "all", "parts": [{"about": "attribute", "key": "ville", "is": "equals", "value": "Rennes"}, {"match": "any", "parts": [{"about": "since", "is": "within", "value": 30}, {"about": "attribute", "key": part.key, "is": "unset"}]}]}
    one = segments.create(world.list, "Nouveaux venus de Rennes", rule, now, by="test")
    named = {"attributes": [], "attribute": [part.pk], "segments": [], "segment-new": [], "segment": [one.pk], "list-form": []}
    return {name: reverse(name, args=[world.list.pk, *more]) for name, more in named.items()}


def _source(list_: List, now: datetime) -> Source:
    """A source that would remove many, and has a line that cannot be taken."""
    source = sources.add(list_, Setting(Kind.CSV, "https://donnees.paniersdusaule.example/export/adherents.csv", "Authorization: Bearer x"), now, by="test")
    for hour, number in ((1, 9), (2, 4)):
        claimed = sources.claim_one(source.pk, now + timedelta(hours=hour))
        assert claimed
        lines = "".join(f"adherente-au-nom-bien-long.{n}@courriel.example;Adhérente {n};grand panier\n" for n in range(number))
        sources.take(claimed, table_of(f"email;nom;panier\n{lines}sans adresse;X;\n".encode(), {}), now + timedelta(hours=hour))
    return source


def _limits(transport: Transport, now: datetime) -> dict[str, str]:
    """A service with limits, and a destination that refuses."""
    limits.use_profile(transport, "ovh", now, "test")
    destinations.ship()
    group = DestinationGroup.objects.get(name="orange")
    for _ in range(3):
        streams.refused(transport.pk, group.pk, "550 5.7.1 opmta1mti01nd1 cmsmtp 192.0.2.4 192.0.2.4 Service refuse. Veuillez essayer plus tard. OFR_999 [999]", timedelta(hours=5), now)
    return {"transport-limits": reverse("transport-limits", args=[transport.pk]), "destinations": reverse("destinations"), "destination": reverse("destination", args=[group.pk])}


def _standing(list_: List, address: Address, arrival: Arrival, now: datetime) -> dict[str, str]:
    """Somebody whose mailbox is full, with the report, the pages about it and the way back."""
    DeliveryEvent.objects.create(key="k", at=now, address_id=address.pk, list_id=list_.pk, kind="mailbox_state", severity="soft", fault="mailbox", reason="full", status="5.2.2", code=552, text="<odile.perrin@courriel.example>: mailbox-full-and-nobody-knows-when-it-will-be-emptied", origin="report", evidence=arrival.pk)
    AddressStanding.objects.create(address=address, state=2, since=now, kind="mailbox_state", reason="full", failures=4, first_at=now - timedelta(days=20), last_at=now, next_probe=now + timedelta(days=3))
    event = DeliveryEvent.objects.get(key="k")
    pages = {"bounces": [list_.pk], "bounce": [list_.pk, address.pk], "bounce-report": [list_.pk, address.pk, event.pk]}
    return {name: reverse(name, args=arguments) for name, arguments in pages.items()} | {"back": standing.link(address, now).removeprefix(settings.BASE_URL)}


def _page(chromium: Browser, server: LiveServer, person: Person | None, **wishes: object) -> Page:
    context = chromium.new_context(locale="fr-FR", **wishes)  # type: ignore[arg-type]
    if person is not None:
        context.add_cookies([{"name": "colporteur", "value": signed_in(person).cookies["colporteur"].value, "url": server.url}])
    page = context.new_page()
    page.set_default_timeout(60_000)
    return page


@pytest.fixture(autouse=True)
def close(transactional_db: None, chromium: Browser) -> Iterator[None]:
    """Leave no page open and no connection to the test database behind, before it is emptied."""
    yield
    browser.leave(chromium)
    connections.close_all()


PUBLIC = ("moderate", "unsubscribe", "request-link", "join-link", "join-list", "leave-list", "join-domain", "admit-link", "commands-link", "signin", "signin-password", "signin-link", "signup", "mine", "mine-link", "back", "preferences", "join-embedded", "campaign-archive")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_axe_finds_nothing_and_nothing_overflows(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str], width: int, scheme: str) -> None:
    size = {"width": width, "height": 900}
    pages = {True: _page(chromium, live_server, None, viewport=size, color_scheme=scheme), False: _page(chromium, live_server, world.admin, viewport=size, color_scheme=scheme)}
    wrong: list[str] = []
    for page in pages.values():
        page.on("console", lambda said: wrong.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") and "410" not in said.text else None)
    axe = Axe()
    for name, address in scene.items():
        page = pages[name in PUBLIC]
        page.goto(live_server.url + address)
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wrong.append(f"{name}: {over} px too wide")
        if page.evaluate("[...document.querySelectorAll('h1')].some(e => !e.closest('.hidden') && e.offsetWidth < 200 && e.offsetHeight > 100)"):
            wrong.append(f"{name}: the title is squeezed")
        if width > 320:
            # Framed mail has no scripts that could answer axe, and its origin is nobody's: a question to it is an error on the console.
            found = axe.run(page, options={"runOnly": RULES, "iframes": False})
            wrong += [f"{name}: {one['id']} {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found.response["violations"]]
        if width == 390:
            small = page.evaluate(_SMALL)
            if small:
                wrong.append(f"{name}: under 44 px: {small}")
    assert not wrong, "\n".join(wrong)


# Buttons, fields and links that stand alone; links inside a sentence may be as high as their line (WCAG 2.5.8).
_SMALL = """() => [...document.querySelectorAll('button:not(.plain), .button, select, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), .tabsmenu summary, .nav a, label.choice, label.checkcell, .filters a')]
  .filter(e => e.offsetParent && !e.closest('.hidden') && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 90))"""


def test_member_pages_are_small(world: World, scene: dict[str, str]) -> None:
    css = (settings.STATICFILES_DIRS[0] / "colporteur.css").stat().st_size
    for name in PUBLIC:
        body = signed_in(None, "fr").get(scene[name]).content
        assert len(body) + css < 50_000, name
        assert b"<script" not in body


def test_try_it_from_held_to_released_without_javascript(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str]) -> None:
    page = _page(chromium, live_server, world.admin, java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.goto(live_server.url + scene["try"])
    page.get_by_role("button", name="Envoyer le message").click()
    page.wait_for_url(re.compile(r"/try/\d+$"))
    judge_due(timezone.now())
    page.reload()
    page.get_by_role("link", name="Le lire et décider").click()
    page.get_by_role("button", name=re.compile(r"Distribuer aux \d+ abonnés")).click()
    expect(page.locator("main")).to_contain_text("est distribué")
    assert Mailing.objects.filter(post__subject="Covoiturage pour la visite de la ferme samedi").exists()


def test_a_rejection_with_a_word_without_javascript(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str]) -> None:
    page = _page(chromium, live_server, None, java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.goto(live_server.url + scene["moderate"])
    page.get_by_text("Rejeter avec un mot à Marc…").click()
    page.get_by_label("Votre mot à l’auteur").fill("Pas ici, merci.")
    page.get_by_role("button", name="Rejeter et prévenir l’auteur").click()
    expect(page.locator("main")).to_contain_text("son auteur est prévenu")
    post = Post.objects.get(subject="Covoiturage pour la visite de la ferme samedi")
    assert (post.state, post.decision_reason) == ("rejected", "Pas ici, merci.")


def test_progress_refreshes_itself(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str]) -> None:
    page = _page(chromium, live_server, world.admin)
    page.goto(live_server.url + scene["mailing"])
    assert "80 remis" in page.inner_text("#progress")
    Mailing.objects.get(post__isnull=False).slices.update(sent=140, deferred=0)
    expect(page.locator("#progress")).to_contain_text("140 remis")
    Mailing.objects.filter(post__isnull=False).update(state="done", finished=timezone.now())
    expect(page.locator("#progress[hx-get]")).to_have_count(0)  # it ends when there is nothing more to see


def test_search_without_reloading(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str]) -> None:
    page = _page(chromium, live_server, world.admin)
    page.goto(live_server.url + scene["members"])
    page.get_by_label("Début d’un nom, d’une adresse", exact=False).press_sequentially("anna.riv")
    expect(page.locator("#found tbody tr")).to_have_count(1)
    expect(page.locator("#found")).to_contain_text("Anna Rivoire")


def test_html_of_a_message_runs_nothing(chromium: Browser, live_server: LiveServer, world: World, scene: dict[str, str]) -> None:
    write_to(world.list, "marc.legoff@courriel.example", "Marc", "Piège", html="<p>Bonjour</p><script>parent.document.title='x'</script><img src='https://pisteur.example/p.gif'>")
    post = Post.objects.get(subject="Piège")
    page = _page(chromium, live_server, world.admin)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(live_server.url + reverse("waiting-post", args=[post.pk]))
    page.get_by_text("Le voir tel que son auteur l’a mis en page").click()
    frame = page.frame_locator("iframe.html")
    frame.get_by_text("Bonjour").wait_for()
    assert page.title().startswith("Piège") and not [url for url in asked if "pisteur" in url]


def test_a_newsletter_saves_itself_and_its_preview_runs_and_loads_nothing(chromium: Browser, live_server: LiveServer, world: World, transactional_db: None) -> None:
    hostile = "<p>Bonjour {{ first_name }}</p><script>parent.document.title='x'</script><img src='https://pisteur.example/p.gif' onerror='top.location=1'>"
    draft = campaigns.create(world.list, timezone.now(), by=world.owner, subject="Piège", editor=Editor.HTML, source=hostile)
    page = _page(chromium, live_server, world.owner)
    stopped: list[str | None] = []
    page.on("requestfailed", lambda request: stopped.append(request.failure) if "pisteur" in request.url else None)
    page.on("requestfinished", lambda request: stopped.append("loaded") if "pisteur" in request.url else None)
    page.goto(live_server.url + reverse("campaign", args=[draft.pk]))
    page.get_by_label("Objet", exact=True).fill("Décembre")
    expect(page.locator("#phonecase .inbox")).to_contain_text("Décembre")  # nobody pressed anything
    page.frame_locator("iframe.screen").get_by_text("Bonjour").wait_for()
    page.locator("#id_source").fill("<p>Bonne année</p>")
    page.frame_locator("iframe.screen").get_by_text("Bonne année").wait_for()  # saved by itself: what is pressed now meets no other save
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(page).to_have_title(re.compile("^Décembre"))
    draft.refresh_from_db()
    assert (draft.subject, draft.source) == ("Décembre", "<p>Bonne année</p>")
    assert stopped and all("csp" in str(one).lower() for one in stopped)  # the browser itself refuses what is not ours
