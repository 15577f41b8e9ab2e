"""Every address of the web, tried as everybody who must not get in: somebody without the right gets 404."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from colporteur.domain import tokens
from colporteur.domain.entries import Entries
from colporteur.domain.sources import Kind, Setting
from colporteur.flow import (
    attributes,
    destinations,
    enrolments,
    identities,
    life,
    lists,
    mailboxes,
    merging,
    organisations,
    people,
    requests,
    roster,
    segments,
    sources,
    templates,
    transports,
)
from colporteur.flow.campaigns import writing
from colporteur.flow.moderation import moderation_token
from colporteur.flow.planning import plan_due
from colporteur.store.arrivals import Arrival, Errand, keep
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.campaigns import Campaign
from colporteur.store.destinations import DestinationGroup
from colporteur.store.joining import JoinRequest
from colporteur.store.leaving import LeaveRequest
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.organisations import Domain
from colporteur.store.people import Address, Person
from colporteur.store.posts import Post
from colporteur.store.requests import ListRequest
from colporteur.store.standing import AddressStanding, DeliveryEvent
from colporteur.store.templates import OwnTemplate
from colporteur.store.transports import Transport
from tests.web.conftest import World, signed_in, write_to

ANONYMOUS, STRANGER, MEMBER, MODERATOR, OWNER, ORGANISER, ADMIN = "anonymous", "stranger", "member", "moderator", "owner", "organiser", "admin"
EVERYBODY = (ANONYMOUS, STRANGER, MEMBER, MODERATOR, OWNER, ORGANISER, ADMIN)
SIGNED_IN = EVERYBODY[1:]

# Address -> who may open it. Everybody else must get 404, somebody not signed in the sign-in page.
PUBLIC = {"signin", "signin-password", "signin-link", "language", "moderate", "moderate-html", "moderate-attachment", "unsubscribe", "health-live", "health-ready"}
MAY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("home", "my-page", "account", "password", "lists", "waiting"), SIGNED_IN),
    **dict.fromkeys(("list", "list-by-address"), (MEMBER, MODERATOR, OWNER, ORGANISER, ADMIN)),
    **dict.fromkeys(("waiting-post", "activity", "post", "post-html", "post-attachment", "post-original"), (MODERATOR, OWNER, ORGANISER, ADMIN)),
    **dict.fromkeys(("members", "members-add", "members-csv", "list-settings", "list-about", "list-delete", "roles", "mailbox", "list-transport"), (OWNER, ORGANISER, ADMIN)),
    **dict.fromkeys(("mailing", "mailing-progress", "mailing-failed", "mailing-line", "mailing-abandon", "mailing-again"), (OWNER, ORGANISER, ADMIN)),
    "sending": (STRANGER, OWNER, ORGANISER, ADMIN),  # an owner of any list: the rows are his or her own
    **dict.fromkeys(("people", "person", "person-add", "settings", "site-policy", "domain-add", "site-route", "domain-signing", "errands"), (ADMIN,)),
    **dict.fromkeys(("transport", "transport-add", "transport-remove", "try", "try-post", "try-state", "outbox", "outbox-message", "outbox-html"), (ADMIN,)),
}
MAY["list-addresses"] = (OWNER, ORGANISER, ADMIN)
MAY |= dict.fromkeys(("list-copy", "lists-deleted", "list-new", "request", "domain", "domain-policy", "organisation-policy", "domain-route", "organisation-route"), (ORGANISER, ADMIN))
MAY["requests"] = SIGNED_IN
MAY["list-inside"] = (OWNER, ORGANISER, ADMIN)
MAY["list-ask"] = tuple(who for who in SIGNED_IN if who != ADMIN)  # who makes lists at once need not ask
MAY |= dict.fromkeys(("templates", "template-add", "template", "template-policy", "organisation"), (ORGANISER, ADMIN))
PUBLIC |= {"request-link"}
PUBLIC |= {"mine", "mine-link"}
PUBLIC |= {"unsubscribe-old"}  # the address proves itself or nothing happens: tests/web/test_oldlinks.py
PUBLIC |= {"preferences", "preferences-move"}  # the token is the authority: tests/web/test_preferences.py
PUBLIC |= {"digest-read", "digest-message", "digest-html", "digest-attachment"}  # the token is the authority: tests/web/test_digests.py
PUBLIC |= {"look-style", "look-logo"}
PUBLIC |= {"hook"}  # the secret is the authority: tests/flow/test_services.py
PUBLIC |= {"picture"}  # an address nobody guesses: tests/flow/test_campaign_files.py
PUBLIC |= {"tracked-link", "tracked-image"}  # a signed key names a stored link: tests/flow/test_tracking.py
MAY["member"] = (OWNER, ORGANISER, ADMIN)
MAY["members-box"] = (OWNER, ORGANISER, ADMIN)
MAY["members-seen"] = (MEMBER, MODERATOR, OWNER, ORGANISER, ADMIN)  # where the list shows them
MAY["members-everywhere"] = (STRANGER, OWNER, ORGANISER, ADMIN)  # an owner of any list: the lists are his or her own
MAY |= dict.fromkeys(("transport-limits", "destinations", "destination"), (ADMIN,))
MAY |= {"list-limits": (OWNER, ORGANISER, ADMIN), "organisation-limits": (ORGANISER, ADMIN)}
PUBLIC |= {"join-link", "commands-link", "join-domain", "join-list", "leave-list", "join-embedded"}
MAY["join-mine"] = SIGNED_IN
MAY["member-note"] = (MODERATOR, OWNER, ORGANISER, ADMIN)
MAY |= dict.fromkeys(("consents", "consents-csv"), (ORGANISER, ADMIN)) | {"oppositions": (ADMIN,)}
MAY |= dict.fromkeys(("members-adding", "members-adding-lines"), (OWNER, ORGANISER, ADMIN))
MAY |= dict.fromkeys(("list-wordings", "list-wording"), (OWNER, ORGANISER, ADMIN)) | dict.fromkeys(("site-wordings", "site-wording"), (ADMIN,))
MAY |= dict.fromkeys(("organisation-wordings", "organisation-wording", "domain-wordings", "domain-wording"), (ORGANISER, ADMIN))
MAY["joining"] = (OWNER, ORGANISER, ADMIN)
MAY |= dict.fromkeys(("sources", "source-add", "source"), (OWNER, ORGANISER, ADMIN))
MAY |= dict.fromkeys(("attributes", "attribute", "segments", "segment-new", "segment", "list-form"), (OWNER, ORGANISER, ADMIN))
MAY |= dict.fromkeys(("campaigns", "campaign-new"), (STRANGER, OWNER, ORGANISER, ADMIN))  # an owner of any list: the newsletters are his or her own
NEWSLETTER = ("campaign", "campaign-audience", "campaign-count", "campaign-check", "campaign-preview", "campaign-seen", "campaign-try", "campaign-send", "campaign-copy", "campaign-delete")
MAY |= dict.fromkeys(NEWSLETTER, (OWNER, ORGANISER, ADMIN))
MAY |= dict.fromkeys(("statistics", "statistics-csv"), (OWNER, ORGANISER, ADMIN)) | {"campaign-details": MAY["campaigns"]}
PUBLIC |= {"campaign-read", "campaign-archive", "campaign-feed"}  # a token or the list's own setting is the authority: tests/web/test_tracking.py
# Addresses that only take POST -> the same.
MAY_POST: dict[str, tuple[str, ...]] = {
    "signout": SIGNED_IN, "members-change": (OWNER, ORGANISER, ADMIN), "list-switch": (OWNER, ORGANISER, ADMIN), "mailbox-do": (OWNER, ORGANISER, ADMIN), "mailing-move": (OWNER, ORGANISER, ADMIN),
    "post-quarantine": (OWNER, ORGANISER, ADMIN), "errand-do": (OWNER, ORGANISER, ADMIN), "domain-switch": (ADMIN,), "domain-signing-do": (ADMIN,), "transport-do": (ADMIN,), "my-membership": (MEMBER,),
}  # fmt: skip
MAY_POST |= dict.fromkeys(("campaign-files", "campaign-release"), (OWNER, ORGANISER, ADMIN))
MAY_POST |= {"list-close": (OWNER, ORGANISER, ADMIN), "list-restore": (ORGANISER, ADMIN), "lists-delete": SIGNED_IN}
MAY_POST["destination-resume"] = (ADMIN,)
MAY_POST["my-addresses"] = SIGNED_IN
MAY |= dict.fromkeys(("my-export", "my-erase"), SIGNED_IN)
MAY["my-address"] = (MEMBER,)  # the link works for who asked for it
MAY_POST |= {"source-try": (OWNER, ORGANISER, ADMIN), "source-do": (OWNER, ORGANISER, ADMIN)}
MAY_POST["joining-decide"] = (OWNER, ORGANISER, ADMIN)
MAY_POST["leaving-decide"] = (OWNER, ORGANISER, ADMIN)
MAY_POST["joining-invite"] = (OWNER, ORGANISER, ADMIN)
PUBLIC |= {"back"}
MAY |= dict.fromkeys(("bounces", "bounce", "bounce-report"), (OWNER, ORGANISER, ADMIN))
MAY_POST["bounces-change"] = (OWNER, ORGANISER, ADMIN)
MAY |= dict.fromkeys(("reports", "report"), (OWNER, ORGANISER, ADMIN))
PUBLIC |= {"signup", "signin-second", "signin-passkey", "signin-passkey-options", "signin-with", "signin-back", "signin-connect"}
MAY |= dict.fromkeys(("identities", "identity-add", "identity", "person-merge"), (ADMIN,))
MAY |= dict.fromkeys(("my-security", "my-app"), SIGNED_IN)
MAY["my-merge"] = (MEMBER,)  # the link works for who asked for it
MAY_POST |= dict.fromkeys(("my-codes", "my-way-remove", "my-sessions-end", "my-passkeys", "my-passkeys-options", "my-identity"), SIGNED_IN)


def _patterns(found: list[URLPattern | URLResolver]) -> Iterator[str]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns)
        else:
            assert one.name, one
            yield one.name


def test_every_address_has_its_line_here() -> None:
    assert set(_patterns(get_resolver().url_patterns)) == PUBLIC | set(MAY) | set(MAY_POST)


@pytest.fixture
def arguments(world: World) -> dict[str, list[object]]:
    """What stands in each address, all of it belonging to the list amapiens."""
    held = write_to(world.list, "marc.legoff@courriel.example", "Marc Le Goff", "Secret", html="<p>Secret</p>", original=b"Subject: x\r\n\r\ny\r\n")
    write_to(world.list, "anna.rivoire@courriel.example", "Anna Rivoire", "Parti")
    plan_due(timezone.now())
    mailing = Mailing.objects.get(post__isnull=False)
    mailboxes.set_mailbox(world.list, "imaps://user:secret@imap.invalid/INBOX", timezone.now(), by="test")
    transport = Transport.objects.get()
    anna = Membership.objects.get(list=world.list, address__email="anna.rivoire@courriel.example")
    folder = settings.DATA / "outbox"
    folder.mkdir(exist_ok=True)
    (folder / "one.eml").write_bytes(b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>y</p>\r\n")
    assert transports.url_of(transport) == f"folder://{folder}"
    arrival = Arrival.objects.create(blob_id=keep(b"Subject: x\r\n\r\ny\r\n"), door="lmtp", received_at=timezone.now())
    errand = Errand.objects.create(arrival=arrival, list=world.list, service="owner", recipient="amapiens-owner@paniersdusaule.example", state="quarantined", received_at=timezone.now())
    ended = lists.create("ancienne@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", timezone.now(), by="test")
    life.delete(ended, timezone.now(), by="test")
    post, list_, one = [held.pk], [world.list.pk], [mailing.pk]
    by_noun: dict[str, list[object]] = {
        **dict.fromkeys(("list", "list-switch", "list-about", "list-delete", "roles", "list-transport", "activity", "members", "members-add", "members-change", "members-csv", "list-settings", "mailbox", "mailbox-do"), list_),
        **dict.fromkeys(("waiting-post", "post", "post-html", "post-original", "post-quarantine", "try-post", "try-state"), post), "post-attachment": [held.pk, 0],
        **dict.fromkeys(("mailing", "mailing-progress", "mailing-failed", "mailing-line", "mailing-move", "mailing-abandon", "mailing-again"), one),
        "person": [world.owner.pk], "list-by-address": [world.list.address, "members"], **dict.fromkeys(("organisation-policy", "organisation-route"), [world.list.organisation_id]), **dict.fromkeys(("domain-policy", "domain-route", "domain-signing", "domain-signing-do"), [world.list.domain_id]), "domain-switch": [world.list.domain_id],
        **{key: [transport.pk] for key in ("transport", "transport-do", "transport-remove")}, "my-membership": [anna.pk], "errand-do": [errand.pk],
        **{key: [transport.pk, "one.eml"] for key in ("outbox-message", "outbox-html")},
    }  # fmt: skip
    open_to_all = organisations.add_domain("demandes.example", organisations.organisation_called("Ailleurs"), timezone.now(), by="test")
    organisations.change_domain(open_to_all, {"creation": "request"}, timezone.now(), by="test")
    organisations.change_domain(Domain.objects.get(pk=world.list.domain_id), {"creation": "request"}, timezone.now(), by="test")
    asked = requests.ask(people.add("demandeuse@courriel.example", now=timezone.now()), "chorale@paniersdusaule.example", "discussion", "Secret", timezone.now())
    own = templates.make("À nous", "discussion", timezone.now(), by="test", organisation=world.list.organisation)
    by_noun |= {"template": [own.pk], "template-policy": [own.pk], "organisation": [world.list.organisation_id]}
    by_noun |= dict.fromkeys(("list-close", "list-addresses", "list-copy", "members-box"), list_) | dict.fromkeys(("member", "member-note"), [world.list.pk, anna.pk]) | {"members-seen": list_} | {"list-restore": [ended.pk], "request": [asked.pk], "domain": [world.list.domain_id]}
    newcomer = Address.objects.create(email="nouvelle@courriel.example")
    joins = JoinRequest.objects.create(list=world.list, address=newcomer, state="waiting", door="mail", asked_at=timezone.now())
    leaves = LeaveRequest.objects.create(list=world.list, address=anna.address, door="web", asked_at=timezone.now())
    places = {"list": world.list.pk, "organisation": world.list.organisation_id, "domain": world.list.domain_id}
    by_noun |= {f"{place}-wordings": [number] for place, number in places.items()} | {f"{place}-wording": [number, "waiting", "fr"] for place, number in places.items()}
    by_noun |= {"site-wording": ["signin", "en"], "joining": list_, "joining-invite": list_, "joining-decide": [world.list.pk, joins.pk], "leaving-decide": [world.list.pk, leaves.pk]}
    lists.create("ancienne-des-amis@paniersdusaule.example", "discussion", "paul.kerneis@paniersdusaule.example", timezone.now(), by="test")
    follows = sources.add(world.list, Setting(Kind.LIST, "ancienne-des-amis@paniersdusaule.example"), timezone.now(), by="test")
    by_noun |= {"sources": list_, "source-add": [world.list.pk, "csv"]} | dict.fromkeys(("source", "source-try", "source-do"), [follows.pk])
    further = Address.objects.create(email="encore@courriel.example")
    by_noun["my-address"] = [people.address_token(world.member, further, timezone.now())]
    by_noun["list-inside"] = list_
    town = attributes.define(world.list, timezone.now(), by="test", label="Ville")
    some = segments.create(world.list, "Tous", {"match": "all", "parts": []}, timezone.now(), by="test")
    by_noun |= dict.fromkeys(("attributes", "segments", "segment-new", "list-form"), list_) | {"attribute": [world.list.pk, town.pk], "segment": [world.list.pk, some.pk]}
    double = people.add_address(people.add("anna.bis@courriel.example", now=timezone.now()), "anna.bis@courriel.example", timezone.now())
    provider = identities.add("Le Saule", "https://login.saule.example", "colporteur", "", timezone.now(), by="test")
    by_noun |= {"my-merge": [merging.token(world.member, double, timezone.now())], "identity": [provider.pk], "person-merge": [world.owner.pk]}
    handed = enrolments.begin(world.list, "rien\nencore@courriel.example", timezone.now(), person=world.owner)
    by_noun |= dict.fromkeys(("members-adding", "members-adding-lines"), [world.list.pk, handed.pk])
    AddressStanding.objects.create(address=anna.address, state=1, since=timezone.now())
    event = DeliveryEvent.objects.create(key="k", at=timezone.now(), address_id=anna.address_id, list_id=world.list.pk, kind="dead", severity="hard", fault="mailbox", reason="no_mailbox", origin="report", evidence=arrival.pk)
    by_noun |= dict.fromkeys(("bounces", "bounces-change"), list_) | {"bounce": [world.list.pk, anna.address_id], "bounce-report": [world.list.pk, anna.address_id, event.pk]}
    unmatched = UnmatchedReport.objects.create(arrival=arrival, list=world.list, at=timezone.now(), to="amapiens-bounces@paniersdusaule.example", why="unsigned", kind="dead", reason="no_mailbox")
    by_noun |= {"reports": list_, "report": [world.list.pk, unmatched.pk]}
    destinations.ship()
    group = DestinationGroup.objects.get(name="orange")
    by_noun |= {"list-limits": list_, "organisation-limits": [world.list.organisation_id]}
    newsletter = writing.create(world.list, timezone.now(), by="test", subject="Lettre").pk
    by_noun |= dict.fromkeys((*NEWSLETTER, "campaign-files", "campaign-release"), [newsletter])
    went = writing.create(world.list, timezone.now(), by="test", subject="Partie").pk
    Campaign.objects.filter(pk=went).update(mailing=mailing)
    by_noun |= dict.fromkeys(("statistics", "statistics-csv"), [went])
    return by_noun | {"transport-limits": [transport.pk], "destination": [group.pk], "destination-resume": [group.pk]}


def _people(world: World) -> dict[str, object]:
    return {ANONYMOUS: None, STRANGER: world.stranger, MEMBER: world.member, MODERATOR: world.moderator, OWNER: world.owner, ORGANISER: world.organiser, ADMIN: world.admin}


def test_who_opens_what(world: World, arguments: dict[str, list[object]]) -> None:
    lists.set_policy(world.list, {"members_shown": "members"}, "test", timezone.now())
    wrong = []
    for who, person in _people(world).items():
        client = signed_in(person)  # type: ignore[arg-type]
        for name, may in MAY.items():
            answer = client.get(reverse(name, args=arguments.get(name, [])))
            expected = {200} if who in may else {302} if who == ANONYMOUS else {404}
            if (name == "home" and who == MEMBER) or (name == "list-by-address" and who in may):
                expected = {302}  # to My page, and to the list's own address
            if answer.status_code not in expected or (answer.status_code == 302 and who == ANONYMOUS and not answer["Location"].startswith("/signin?next=")):
                wrong.append((who, name, answer.status_code))
    assert not wrong


def test_who_acts(world: World, arguments: dict[str, list[object]]) -> None:
    wrong = []
    for who, person in _people(world).items():
        for name, may in MAY_POST.items():
            client = signed_in(Person.objects.get(pk=person.pk) if isinstance(person, Person) else None)  # one of them signs out everywhere
            where = reverse(name, args=arguments.get(name, []))
            assert client.get(where).status_code in (302, 404, 405), name
            answer = client.post(where)
            let_in = answer.status_code == 200 or (answer.status_code == 302 and not answer["Location"].startswith("/signin?next="))
            if let_in != (who in may) and name != "signout":
                wrong.append((who, name, answer.status_code))
    assert not wrong


def test_posting_to_a_page_one_may_not_see_changes_nothing(world: World, arguments: dict[str, list[object]]) -> None:
    held = Post.objects.get(subject="Secret")
    for person in (None, world.stranger, world.member):
        client = signed_in(person)
        answer = client.post(reverse("waiting-post", args=[held.pk]), {"decision": "release"})
        assert answer.status_code in (302, 404)
        client.post(reverse("list-delete", args=[world.list.pk]))
        client.post(reverse("request", args=arguments["request"]), {"decision": "activate"})
        client.post(reverse("domain", args=[world.list.domain_id]), {"creation": "anybody"})
        client.post(reverse("template", args=arguments["template"]), {"wish": "delete"})
        client.post(reverse("organisation", args=arguments["organisation"]), {"part": "give", "email": "intrus@courriel.example"})
        client.post(reverse("template-policy", args=arguments["template"]), {"prefix": "[x]"})
        client.post(reverse("lists-delete"), {"who": [world.list.pk], "sure": "1"})
        client.post(reverse("list-addresses", args=[world.list.pk]), {"address": "intrus@paniersdusaule.example"})
        client.post(reverse("members-add", args=[world.list.pk]), {"lines": "intrus@courriel.example"})
        client.post(reverse("members-box", args=[world.list.pk]), {"lines": "intrus@courriel.example", "seen": roster.compare(world.list, Entries([], [])).seen})
        client.post(reverse("list-settings", args=[world.list.pk]), {"posting": "world"})
        client.post(reverse("roles", args=[world.list.pk]), {"email": "intrus@courriel.example", "kind": "owner"})
    held.refresh_from_db()
    world.list.refresh_from_db()
    assert (held.state, world.list.state, world.list.policy.get("posting"), world.list.address) == ("held", "active", None, "amapiens@paniersdusaule.example")
    assert not Address.objects.filter(email="intrus@courriel.example").exists()
    assert OwnTemplate.objects.get().policy.get("prefix") is None
    assert ListRequest.objects.get().state == "open" and Domain.objects.get(pk=world.list.domain_id).creation == "request"


def test_a_member_reads_what_was_distributed_and_nothing_else_of_it(world: World, arguments: dict[str, list[object]]) -> None:
    client = signed_in(world.member)
    sent = Post.objects.get(subject="Parti")
    page = client.get(reverse("post", args=[sent.pk]))
    assert page.status_code == 200 and "Bonjour" in page.content.decode()
    assert client.get(reverse("post-original", args=[sent.pk])).status_code == 404
    for hidden in ("Journal", "verdict", "copies planned"):
        assert hidden not in page.content.decode()
    messages = client.get(reverse("list", args=[world.list.pk])).content.decode()
    assert "Parti" in messages and "Secret" not in messages


def test_lists_of_others_show_nowhere(world: World) -> None:
    page = signed_in(world.stranger).get("/lists/").content.decode()
    assert world.other.address.partition("@")[0] in page and "amapiens" not in page
    assert "choeur" not in signed_in(world.owner).get("/lists/").content.decode()


def test_links_of_letters_open_without_account_and_wrong_ones_say_nothing(world: World, arguments: dict[str, list[object]]) -> None:
    client = signed_in(None)
    held = Post.objects.get(subject="Secret")
    odile = Address.objects.get(email="odile.perrin@courriel.example")
    mailing = Mailing.objects.get(post__isnull=False)
    good = {"moderate": moderation_token(held.pk, odile.pk), "unsubscribe": tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, odile.pk)}
    for name, token in good.items():
        assert client.get(reverse(name, args=[token])).status_code == 200
        assert client.get(reverse(name, args=[token[:-1] + ("a" if token[-1] != "a" else "b")])).status_code == 404
    anna = Address.objects.get(email="anna.rivoire@courriel.example")  # a member decides nothing, even with a well-made token
    assert client.get(reverse("moderate", args=[moderation_token(held.pk, anna.pk)])).status_code == 404


def test_errors_say_what_to_do_and_show_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signed_in(world.member, "fr")
    assert "Il n’y a rien ici" in browser.get("/nulle-part").content.decode()
    browser.handler.enforce_csrf_checks = True
    assert "Rien n’a changé" in browser.post("/language", {"language": "en"}).content.decode()
    monkeypatch.setattr("colporteur.web.memberships.mine.policy", None)
    browser.raise_request_exception = False
    broken = browser.get("/me")
    assert broken.status_code == 500 and "Traceback" not in broken.content.decode() and "de notre côté" in broken.content.decode()
