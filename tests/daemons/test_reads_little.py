"""Nothing the daemons do reads a whole big table, however crowded the installation is: rows are counted, not seconds.

Everything happens in one transaction on a connection like a worker's, where PostgreSQL says how much of which table was read (``reading``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.test import Client

from colporteur.daemons import work
from colporteur.domain import tokens
from colporteur.domain.mailings import Priority
from colporteur.domain.posts import Decision, PostState
from colporteur.flow import (
    archive,
    campaigns,
    clock,
    collecting,
    copies,
    destinations,
    digests,
    enrolments,
    errands,
    intake,
    life,
    mailings,
    moderation,
    personal,
    planning,
    routes,
    senders,
    services,
    signing,
    sources,
    standing,
    tracking,
)  # fmt: skip
from colporteur.flow.campaigns import preflight
from colporteur.flow.copies import Refused
from colporteur.flow.intake import Incoming
from colporteur.store import health, jobs
from colporteur.store import preflight as trials
from colporteur.store.arrivals import Arrival, Errand, keep
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List, RoleKind
from colporteur.store.mailings import Mailing
from colporteur.store.memberships import Membership
from colporteur.store.people import Address
from colporteur.store.posts import Post
from colporteur.store.standing import AddressStanding
from tests.daemons import crowd
from tests.daemons.crowd import AGO, FIRST, NOW
from tests.daemons.reading import Reading
from tests.flow.posts import letters, text
from tests.mail.reports_written import WRITTEN, dsn
from tests.story.scenes import a_list, a_transport, give_role, message

pytestmark = pytest.mark.django_db

UNDER_WAY = "each mailing that is under way is asked for what is left of it: as many as there are of these, however many were sent"
WATCHED = "each mailbox has a watcher of its own, which knows from these rows that it goes on"
KNOWN = {
    ("deliver: sweep", "mailing"): UNDER_WAY, ("deliver: sweep", "slice"): UNDER_WAY, ("deliver: sweep", "index mailing_open"): UNDER_WAY,
    ("mailboxes", "mailbox"): WATCHED, ("mailboxes", "list"): WATCHED, ("mailboxes", "domain"): WATCHED,
}  # fmt: skip
"""(step, table or index): why it may read more."""

PERSON, AT_WORK, READER, STRANGER = "anna@small.example", "anna@work.example", "ben@small.example", "stranger@away.example"
MODERATOR = "mia@small.example"
REPORTS = {one.name: one.raw for one in WRITTEN} | {"failed": dsn("failed", "5.1.1", "550 no such user", READER)}


@pytest.fixture(scope="module", autouse=True)
def crowded(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A crowded installation, and a connection of a worker that knows no plans yet and makes those it keeps in the end."""
    with django_db_blocker.unblock():
        connection.close()
        work._as_worker(connection)
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
            cursor.execute("VACUUM")  # rows that other tests took back are still found by indexes, and counted
        with transaction.atomic():
            crowd.fill()
            with connection.cursor() as cursor:
                cursor.execute("SET plan_cache_mode = force_generic_plan")
            connection.connection.prepare_threshold = 0
            yield
            transaction.set_rollback(True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # other tests find the tables as small as they were
        connection.close()


@pytest.fixture
def reading() -> Iterator[Reading]:
    """Of one test, which fails when a step read too much."""
    found = Reading(KNOWN)
    yield found
    assert found.much == {}


def test_what_reads_a_whole_table_is_noticed() -> None:
    """Rows that are read whole, by a walk through an index, and entries of an index that are looked at and lead to nothing."""
    found = Reading()
    with found.step("or"):
        list(Address.objects.filter(Q(email=PERSON) | Q(person__addresses__email=PERSON)).distinct())
    with found.step("key"):
        list(Address.objects.filter(email=PERSON))
    with found.step("second column"), connection.cursor() as cursor:
        cursor.execute("SELECT mailing_id FROM copy_row WHERE address_id = 7")
    assert {"or: address", "second column: index copy_pkey"} <= found.much.keys() and not any(name.startswith("key") for name in found.much)


ROUNDS: dict[str, Callable[[], object]] = {
    "judge": lambda: moderation.judge_due(NOW),
    "plan": lambda: planning.plan_due(NOW, known_only=True),
    "cancel": lambda: planning.cancel_due(NOW),
    "authors": lambda: senders.domains_to_look_up(NOW),
    "sources": lambda: sources.claim(NOW),
    "errands": lambda: errands.do_due(NOW),
    "enrol": lambda: enrolments.do_due(NOW),
    "deliver: sweep": lambda: copies.sweep(NOW),
    "deliver: ways": lambda: copies.ways_due(NOW),
    "deliver: claim": lambda: copies.claim(FIRST, NOW, 60.0),
    "expire": lambda: moderation.expire_due(NOW),
    "pauses": lambda: personal.pauses_due(NOW),
    "digests": lambda: digests.make_due(NOW),
    "forget": jobs.forget_dead,
    "learn: ship": destinations.ship,
    "learn: look up": lambda: destinations.domains_to_look_up(NOW),
    "check": lambda: routes.checks_due(NOW),
    "clock": clock.look,
    "purge": lambda: life.purge_due(NOW),
    "standing": lambda: standing.look_due(NOW),
    "archive": lambda: archive.look(NOW),
    "records": lambda: signing.to_look_up(NOW),
    "handed-over": lambda: enrolments.forget(NOW),
    "hits": lambda: tracking.add_up(NOW),
    "campaigns": lambda: campaigns.start_due(NOW),
    "watched": lambda: campaigns.look(NOW),
    "details": lambda: tracking.purge_due(NOW),
    "trials": lambda: preflight.try_more(NOW),
    "links: wanted": lambda: trials.wanted(NOW, 8),
    "links: authors": lambda: preflight.domains_to_look_up(NOW),
    "answers": lambda: preflight.forget(NOW),
    "told": lambda: services.look(NOW),
    "aside": lambda: copies.put_aside(NOW),
    "mailboxes": lambda: collecting.due(NOW),
    "health": health.look,
}


@pytest.mark.parametrize("name", ROUNDS)
def test_a_round_with_nothing_to_do(reading: Reading, name: str) -> None:
    with reading.step(name):
        ROUNDS[name]()


@pytest.fixture
def small() -> List:
    """A list of few, among many others. One of its members is a person with several addresses."""
    a_transport("folder:///tmp/colporteur-tests-outbox")
    found = a_list("small@small.example", members=[PERSON, READER, "carla@small.example"], template="discussion", joining="open", joining_web=True)
    Address.objects.create(email=AT_WORK, person=give_role(found, RoleKind.FREE_SENDER, PERSON).person, created=NOW)
    give_role(found, RoleKind.MODERATOR, MODERATOR)
    give_role(found, RoleKind.OWNER, "olga@small.example")
    return found


def comes_in(reading: Reading, sender: str, to: str, raw: bytes | None = None, mail_from: str | None = None) -> None:
    """One message by the door of our mail server."""
    with reading.step("rcpt"):
        assert intake.known(to).code == 250
    with reading.step("intake"):
        [[reply]] = intake.receive([Incoming(raw or message(sender, to), sender if mail_from is None else mail_from, (to,), "lmtp")], NOW)
    assert reply.code == 250


def leaves(reading: Reading) -> None:
    """Everything that is to leave does, as lanes have it; one reader's server refuses."""
    with reading.step("authors"):
        senders.domains_to_look_up(NOW)
    with reading.step("plan"):
        while planning.plan_due(NOW):
            pass
    with reading.step("deliver: ways"):
        ways = copies.ways_due(NOW)
    for way in ways:
        while works := _claimed(reading, way.transport):
            for one in works:
                _sent(reading, one)
    with reading.step("deliver: sweep"):
        copies.sweep(NOW)


def _claimed(reading: Reading, transport: int) -> list[copies.Work]:
    with reading.step("deliver: claim"):
        return copies.claim(transport, NOW, 60.0)


def _sent(reading: Reading, one: copies.Work) -> None:
    refused = [Refused(due.address, 550, "5.1.1 no such user", final=True) for due in one.copies if due.email == READER]
    with reading.step("prepare"):
        copies.message_of(one.slice.mailing)
    with reading.step("renew"):
        copies.renew([one.slice], 60.0)
    with reading.step("refused"):
        copies.refused(one.slice, refused, NOW, lambda: 0.0)
    with reading.step("accepted"):
        copies.accepted(one.slice, [due.address for due in one.copies if due.email != READER], 60.0, NOW)
    with reading.step("finish"):
        copies.finish(one.slice.mailing, NOW)


@pytest.mark.parametrize(("sender", "state"), [(PERSON, PostState.ACCEPTED), (AT_WORK, PostState.ACCEPTED), (STRANGER, PostState.HELD)])
def test_a_message_to_a_small_list(reading: Reading, small: List, sender: str, state: PostState) -> None:
    comes_in(reading, sender, small.address)
    with reading.step("judge"):
        assert moderation.judge_due(NOW) == 1
    post = Post.objects.get(list=small)
    assert post.state == state
    leaves(reading)
    if state is PostState.HELD:
        with reading.step("decide"):
            assert moderation.decide(post.pk, Decision.RELEASE, NOW, address=MODERATOR).won
        leaves(reading)
    assert Mailing.objects.get(post=post).state == "done"


def test_a_held_message_nobody_decides_about(reading: Reading, small: List) -> None:
    comes_in(reading, STRANGER, small.address)
    moderation.judge_due(NOW)
    with reading.step("expire"):
        assert moderation.expire_due(NOW + timedelta(days=20)) == 1
    assert Post.objects.get(list=small).state == PostState.EXPIRED


def done(reading: Reading, name: str, box: str, raw: bytes, sender: str) -> None:
    """One errand by mail, from the door to its letters."""
    comes_in(reading, sender, box, raw, sender)
    with reading.step(name):
        assert errands.do_due(NOW) == 1
    assert Errand.objects.latest("id").state == "done"


@pytest.mark.parametrize(
    ("sender", "service", "subject"),
    [
        (AT_WORK, "unsubscribe", ""), (READER, "unsubscribe", ""), (STRANGER, "unsubscribe", ""), (STRANGER, "subscribe", ""), (AT_WORK, "request", "which"), (STRANGER, "request", "help"),
        (READER, "request", "unsubscribe"), (READER, "request", "set digest"), (STRANGER, "owner", "a question"),
    ],
)  # fmt: skip
def test_an_errand_by_mail(reading: Reading, small: List, sender: str, service: str, subject: str) -> None:
    box = f"small-{service}@small.example"
    done(reading, service, box, message(sender, box, subject, ""), sender)
    for _name, _to, letter in letters():
        if link := re.search(r"small-confirm\+[a-z2-7]+@small\.example", str(letter["Reply-To"])):
            done(reading, "confirm", link[0], message(sender, link[0], "yes", ""), sender)
    leaves(reading)


@pytest.fixture
def copy(small: List) -> str:
    """The token of a copy somebody got."""
    arrival = Arrival.objects.create(blob_id=keep(message(PERSON, small.address)), door="lmtp", mail_from=PERSON, recipients=[small.address], received_at=NOW)
    mailing = mailings.create_for_post(Post.objects.create(list=small, arrival=arrival, state="accepted", content_key=b"k", size=80, sender=PERSON, received_at=NOW), NOW)
    leaves(Reading())
    return tokens.sign(settings.TOKEN_KEY, tokens.Purpose.COPY, mailing.pk, Address.objects.get(email=READER).pk)


@pytest.mark.parametrize("name", ["failed", "rfc3464 delayed", "complaint without a name", "absence: Hello"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_report(reading: Reading, copy: str, name: str, signed: bool) -> None:
    done(reading, "report", f"small-bounces+{copy}@small.example" if signed else "small-bounces@small.example", REPORTS[name].encode(), "")
    with reading.step("standing"):
        standing.look_due(NOW)


def test_an_address_is_judged_again_and_probed(reading: Reading, copy: str) -> None:
    reader = Address.objects.get(email=READER)
    AddressStanding.objects.update_or_create(address=reader, defaults={"state": 1, "since": AGO, "kind": "dead", "reason": "no_mailbox", "review_at": AGO})
    with reading.step("standing"):
        assert standing.look_due(NOW) == 1
    AddressStanding.objects.filter(address=reader).update(state=2, next_probe=AGO, review_at=None)
    with reading.step("standing"):
        assert standing.look_due(NOW) == 1
    leaves(reading)
    AddressStanding.objects.filter(address=reader).update(probed_at=NOW - timedelta(days=10))
    with reading.step("standing"):
        standing.look_due(NOW)


def test_leaving_by_a_link(reading: Reading, small: List, copy: str) -> None:
    browser = Client()
    for page in (f"/u/{copy}", f"/p/{copy}"):
        with reading.step(page[:2]):
            assert browser.get(page).status_code == 200
    with reading.step("one click"):
        assert browser.post(f"/u/{copy}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not Membership.objects.filter(list=small, address__email=READER, until=None).exists()
    with reading.step("my page"):
        assert browser.post("/mine", {"email": PERSON}).status_code == 200
    path = _link("mine", "/mine/")
    with reading.step("my page by its link"):
        assert browser.get(path).status_code == 200


def test_joining_and_leaving_by_a_form(reading: Reading, small: List) -> None:
    browser = Client()
    with reading.step("join"):
        assert browser.post("/join/small.example/small", {"email": STRANGER, "name": ""}).status_code == 200
    path = _link("joining", "/j/")
    with reading.step("confirm"):
        assert browser.get(path).status_code == 200
    with reading.step("confirmed"):
        browser.post(path)
    assert Membership.objects.filter(list=small, address__email=STRANGER, until=None).exists()
    with reading.step("leave"):
        assert browser.post("/leave/small.example/small", {"email": READER}).status_code == 200
    path = _link("leaving", "/u/")
    with reading.step("left"):
        browser.post(path)
    assert not Membership.objects.filter(list=small, address__email=READER, until=None).exists()


def _link(letter: str, beginning: str) -> str:
    """The path of a link in the last letter of a name."""
    found = re.search(rf"http://testserver({beginning}\S+)", text(letters(letter)[-1][2]))
    assert found
    return found[1]


def test_a_newsletter_to_few(reading: Reading, small: List) -> None:
    campaign = Campaign.objects.create(list=small, subject="News", source="Hello {{ name }}", created=NOW, changed=NOW, state="draft")
    with reading.step("start"):
        mailing = campaigns.start(campaign.pk, NOW, "test")
    assert mailing and mailing.priority == Priority.NEWSLETTER
    leaves(reading)
    with reading.step("watched"):
        campaigns.look(NOW)
    mailing.refresh_from_db()
    assert mailing.state == "done"


def test_a_digest_for_few(reading: Reading, small: List) -> None:
    Membership.objects.filter(list=small, address__email=READER).update(delivery="daily-mime", delivery_since=AGO)
    List.objects.filter(pk=small.pk).update(policy=small.policy | {"digest_messages": 1})
    comes_in(reading, PERSON, small.address)
    with reading.step("judge"):
        moderation.judge_due(NOW)
    leaves(reading)
    with reading.step("digests"):
        assert digests.make_due(NOW) == 1
    leaves(reading)
    assert Mailing.objects.filter(list=small, kind="digest", state="done").exists()


def test_a_deleted_list_is_purged(reading: Reading, small: List, copy: str) -> None:
    life.delete(small, NOW, by="test")
    List.objects.filter(pk=small.pk).update(purge_at=AGO)
    with reading.step("purge"):
        assert life.purge_due(NOW) == 1
