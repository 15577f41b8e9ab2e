"""A crowded installation in a moment: thousands of rows in every table that grows, none of which is due.

Rows of a kind are copies of one that its model made, with some columns changed, and the n-th of every table belong to each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from colporteur.store.archive import Weight
from colporteur.store.arrivals import Arrival, Blob, Errand
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.buckets import BucketRow, SlotsOut
from colporteur.store.campaigns import Campaign, CampaignAudience, CampaignFile
from colporteur.store.copies.parking import PARKED
from colporteur.store.credentials import Credential
from colporteur.store.destinations import MailDomain
from colporteur.store.digests import DigestEntry, DigestSeries, DigestWaiting
from colporteur.store.enrolments import Enrolment
from colporteur.store.identities import Identity
from colporteur.store.imports import Imported
from colporteur.store.joining import JoinRequest
from colporteur.store.journal import JournalEntry
from colporteur.store.leaving import LeaveRequest
from colporteur.store.lists import Alias, List, Role
from colporteur.store.mailboxes import Collected, LeftBehind, Mailbox
from colporteur.store.mailings import CopyRow, Mailing, Refusal, Slice
from colporteur.store.memberships import FormerDelivery, Membership, Tally
from colporteur.store.nesting import Exclusion, Nesting, OnEvery, Passage
from colporteur.store.organisations import Administrator, Domain, Organisation, Site
from colporteur.store.people import Address, Person, SignInAttempt, SignInLink
from colporteur.store.posts import Finding, Post
from colporteur.store.preflight import LinkCheck, Trial
from colporteur.store.privacy import Consent, Opposition
from colporteur.store.requests import ListRequest
from colporteur.store.routes import RouteStep
from colporteur.store.segments import Attribute, Details, Segment
from colporteur.store.senders import AuthorPolicy
from colporteur.store.services import ServiceEvent, ServiceMessage
from colporteur.store.signing import SigningKey
from colporteur.store.sources import Source, SourceEntry
from colporteur.store.standing import AddressStanding, DeliveryEvent, StandingNews
from colporteur.store.tracking import CampaignTotals, Hits, Link, NamedHit, TrackingConsent
from colporteur.store.transports import Transport
from colporteur.store.wordings import Wording

MANY = 2_000
FIRST = 1_000_000
"""Number of the first row of every table; ``FIRST + n`` is that of the n-th."""

NOW = datetime(2026, 11, 21, 9, 27, tzinfo=UTC)
DAY = timedelta(days=1)
AGO, LATELY, LATER = NOW - 5 * DAY, NOW - DAY / 24, NOW + 30 * DAY
"""Long enough ago to be over and not to be forgotten; today; not due yet."""
_N = f"{FIRST} + n"


def fill() -> None:
    """All of it, in the caller's transaction, with figures for the planner. On the empty database Django knows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # neither foreign keys nor triggers: rows are written as they end up
    Site.objects.get_or_create(id=1)
    _places()
    _people()
    _messages()
    _mailings()
    _what_came_back()
    _newsletters()
    _beside()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        for model in apps.get_app_config("store").get_models():
            key = model._meta.pk
            if isinstance(key, models.AutoField):
                cursor.execute(f"ALTER SEQUENCE {model._meta.db_table}_{key.column}_seq RESTART WITH {2 * FIRST}")
        cursor.execute("ANALYZE")


def _many(row: models.Model, *, first: int = 0, times: int = MANY, **changes: str) -> None:
    """Rows like this one, with these columns changed: SQL in which ``n`` is the number of a row, from ``first`` + 1."""
    table, key = row._meta.db_table, row._meta.pk
    if isinstance(key, models.AutoField):
        row.pk, changes = FIRST + first, {key.column: _N, **changes}
    row.save(force_insert=True)
    where = " AND ".join(f"t.{field.column} = %s" for field in row._meta.pk_fields)
    changed = ", ".join(f"'{column}', {sql}" for column, sql in changes.items()).replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} SELECT r.* FROM (SELECT jsonb_build_object({changed}) AS changed FROM generate_series(%s, %s) n) s CROSS JOIN {table} t CROSS JOIN LATERAL jsonb_populate_record(t, s.changed) r WHERE {where}",
            [first + 1, first + times - 1, *(field.get_db_prep_value(getattr(row, field.attname), connection) for field in row._meta.pk_fields)],
        )


def _bytes(words: str = "") -> str:
    return f"'\\x' || encode(sha256(('{words}' || n)::bytea), 'hex')"


def _places() -> None:
    """Organisations with a domain, which has a list, which has what lists have."""
    a_day: dict[str, Any] = {"created": AGO}
    _many(Organisation(name="organisation", **a_day), name="'organisation ' || n")
    _many(Domain(organisation_id=FIRST, name="d.example", **a_day), organisation_id=_N, name="'d' || n || '.example'")
    values = {"organisation_id": FIRST, "domain_id": FIRST, **a_day}
    _many(List(address="talk@d.example", list_id="talk.d.example", **values), organisation_id=_N, domain_id=_N, address="'talk@d' || n || '.example'", list_id="'talk.d' || n || '.example'")
    _many(Alias(address="chat@d.example", list_id=FIRST), list_id=_N, address="'chat@d' || n || '.example'")
    _many(Nesting(outer_id=FIRST, inner_id=FIRST + 1, since=AGO), outer_id=_N, inner_id=f"{_N} + 1")
    _many(Source(list_id=FIRST, kind="ldap", next_run=LATER, last_good=AGO, last_run=AGO), list_id=_N)
    _many(Mailbox(list_id=FIRST, kind="imap", host="mail.example", port=993, user="talk", password_sealed="x", only_reports=True, next_try=LATER, last_success=AGO), list_id=_N)
    _many(SigningKey(domain_id=FIRST, selector="s", algorithm="rsa", private_sealed="x", record="v=DKIM1", state="used", looked_at=NOW, created=AGO, used_at=AGO), domain_id=_N)
    _many(Attribute(list_id=FIRST, key="town", label="Town"), list_id=_N)
    _many(Segment(list_id=FIRST, name="here", rule={}, created=AGO), list_id=_N)
    _many(Wording(letter="welcome", language="en", list_id=FIRST, subject="s", text="t"), list_id=_N)
    _many(Tally(list_id=FIRST, paused=False, delivery="each", n=1), list_id=_N)
    _many(Weight(list_id=FIRST, size=80), list_id=_N)
    _many(BucketRow(kind="list", key="0", number=100, seconds=60), key=f"({_N})::text")
    _many(SlotsOut(bucket_id=FIRST, lane=1, number=1, burst=0, touched=0.0), bucket_id=_N)
    Transport.objects.create(id=FIRST, name="another way out", kind="folder", url_sealed="x", last_success=NOW, checked_at=NOW)
    _many(RouteStep(transport_id=FIRST, list_id=FIRST), list_id=_N)


def _people() -> None:
    """Persons with an address each; addresses without a person; memberships of both, roles, and what they asked for."""
    _many(Person(password="!", name="Somebody", created=AGO), key="md5(n::text)::uuid", name="'Somebody ' || n")
    _many(Address(email="a@m.example", person_id=FIRST, verified_at=AGO, created=AGO), person_id=_N, email="'a' || n || '@m.example'")
    _many(Address(email="b@m.example", created=AGO), first=MANY, email="'b' || n || '@m.example'")
    _many(Administrator(organisation_id=FIRST, person_id=FIRST, since=AGO), organisation_id=_N, person_id=_N)
    _many(Role(list_id=FIRST, kind="owner", person_id=FIRST, created=AGO), list_id=_N, person_id=_N)
    _many(Role(list_id=FIRST, kind="moderator", address_id=FIRST + MANY, created=AGO), first=MANY, list_id=f"{_N} - {MANY}", address_id=_N)
    _many(Role(list_id=FIRST, kind="free_sender", group_id=FIRST + 1, created=AGO), first=2 * MANY, list_id=f"{_N} - {2 * MANY}", group_id=f"{_N} - {2 * MANY} + 1")
    _many(Role(list_id=FIRST, kind="refused_sender", domain="spam.example", created=AGO), first=3 * MANY, list_id=f"{_N} - {3 * MANY}")
    _many(Consent(at=AGO, how="added"))
    belongs: dict[str, Any] = {"list_id": FIRST, "since": AGO, "called": "x"}
    _many(Membership(address_id=FIRST, email="a@m.example", consent_id=FIRST, source_id=FIRST, **belongs), list_id=_N, address_id=_N, consent_id=_N, source_id=_N, email="'a' || n || '@m.example'")
    waits = {"paused": True, "pause_until": LATER, "delivery": "daily-mime"}
    _many(Membership(address_id=FIRST + MANY, email="b@m.example", **belongs | waits), first=MANY, list_id=f"{_N} - {MANY}", address_id=_N, email="'b' || n || '@m.example'")
    begins = {"pause_from": LATER, "list_id": FIRST - 1}  # all on one list
    _many(Membership(address_id=FIRST, email="a@m.example", **belongs | begins), first=2 * MANY, address_id=f"{_N} - {2 * MANY}", email="'a' || n || '@m.example'")
    _many(Membership(address_id=FIRST, email="a@m.example", until=LATELY, left_by="bounce", **belongs), first=3 * MANY, list_id=f"{_N} - {3 * MANY}", address_id=f"{_N} - {3 * MANY}", email="'a' || n || '@m.example'")
    List.objects.create(id=FIRST - 1, organisation_id=FIRST, domain_id=FIRST, address="everybody@d.example", list_id="everybody.d.example", created=AGO)
    Tally.objects.create(list_id=FIRST - 1, paused=False, delivery="each", n=MANY)
    _many(FormerDelivery(membership_id=FIRST, list_id=FIRST, delivery="daily-mime", since=AGO, until=LATELY), membership_id=_N, list_id=_N)
    one: dict[str, Any] = {"list_id": FIRST, "address_id": FIRST}
    each = {"list_id": _N, "address_id": _N}
    _many(SourceEntry(source_id=FIRST, address_id=FIRST), source_id=_N, address_id=_N)
    _many(Exclusion(since=AGO, **one), **each)
    _many(OnEvery(domain_id=FIRST, address_id=FIRST, since=AGO), domain_id=_N, address_id=_N)
    _many(Details(values={}, **one), **each)
    _many(JoinRequest(door="web", state="waiting", asked_at=AGO, **one), **each)
    _many(LeaveRequest(door="web", state="waiting", asked_at=AGO, **one), **each)
    _many(ListRequest(organisation_id=FIRST, address="new@d.example", template="discussion", purpose="x", person_id=FIRST, asked_at=AGO, state="open"), organisation_id=_N, person_id=_N)
    _many(Enrolment(list_id=FIRST, person_id=FIRST, text="", state="done", created=AGO, finished=AGO), list_id=_N, person_id=_N)
    _many(Opposition(digest=b"0", at=AGO), digest=_bytes())
    _many(SignInLink(digest=b"0", person_id=FIRST, expires=LATER), digest=_bytes(), person_id=_N)
    _many(SignInAttempt(of="address:a@m.example", at=timezone.now()), of="'address:a' || n || '@m.example'")
    _many(Credential(person_id=FIRST, kind="passkey", handle=b"0", created=AGO), person_id=_N, handle=_bytes())
    _many(Identity(provider_id=FIRST, subject="s", person_id=FIRST, created=AGO), person_id=_N, subject="'s' || n")


def _messages() -> None:
    """What came in: a post for each list that was accepted, one that waits for a moderator, errands that were done."""
    _many(Blob(sha256=b"0", size=80, raw=b"From: a@m.example\r\n\r\nx\r\n"), sha256=_bytes())
    _many(Arrival(blob_id=b"0", door="lmtp", mail_from="a@m.example", recipients=["talk@d.example"], received_at=LATELY), blob_id=_bytes())
    _many(Errand(arrival_id=FIRST, list_id=FIRST, service="request", recipient="talk-request@d.example", state="done", received_at=LATELY), arrival_id=_N, list_id=_N)
    _many(Errand(arrival_id=FIRST, list_id=FIRST, service="bounces", recipient="talk-bounces@d.example", state="quarantined", received_at=LATELY), first=MANY, arrival_id=f"{_N} - {MANY}", list_id=f"{_N} - {MANY}")
    sent: dict[str, Any] = {"list_id": FIRST, "arrival_id": FIRST, "message_id": "<x@m.example>", "content_key": b"k", "size": 80, "sender": "a@m.example", "received_at": LATELY, "judged_at": LATELY}
    _many(Post(state="accepted", unkept_at=LATER, **sent), list_id=_N, arrival_id=_N, content_key=_bytes())
    _many(Post(state="held", expires_at=LATER, **sent), first=MANY, list_id=f"{_N} - {MANY}", arrival_id=f"{_N} - {MANY}", content_key=_bytes())
    _many(Finding(post_id=FIRST + MANY, position=0, rule="members", action="hold", reason="no member"), post_id=f"{_N} + {MANY}")
    _many(Collected(mailbox_id=FIRST, uid="0", arrival_id=FIRST, at=LATELY, removed=True), mailbox_id=_N, arrival_id=_N)
    _many(LeftBehind(mailbox_id=FIRST, uid="0", error="x", at=LATELY, next_try=LATER), mailbox_id=_N)
    _many(UnmatchedReport(arrival_id=FIRST, list_id=FIRST, at=LATELY, to="talk-bounces@d.example", why="nobody", kind="dead", reason="no_mailbox"), arrival_id=_N, list_id=_N)
    _many(DigestSeries(list_id=FIRST, cadence="daily", looked_at=NOW), list_id=_N)
    _many(DigestWaiting(list_id=FIRST, cadence="daily", post_id=FIRST, moment=LATELY, size=80), list_id=_N, post_id=_N)
    _many(DigestEntry(mailing_id=FIRST, post_id=FIRST, position=1), mailing_id=_N, post_id=_N)


def _mailings() -> None:
    """Of each list one that has left, one that stands still; letters of today; a copy of each, with what was said about it."""
    made: dict[str, Any] = {"blob_id": b"0", "audience_at": LATELY, "created": LATELY, "started": LATELY, "planned": True, "transport_id": FIRST}
    _many(Mailing(kind="post", list_id=FIRST, post_id=FIRST, state="done", finished=LATELY, **made), list_id=_N, post_id=_N, blob_id=_bytes())
    _many(Mailing(kind="post", list_id=FIRST, post_id=FIRST, state="paused", **made), first=MANY, list_id=f"{_N} - {MANY}", post_id=f"{_N} - {MANY}", blob_id=_bytes())
    letter = {"kind": "letter", "priority": 0, "state": "done", "finished": LATELY}
    _many(Mailing(letter="help", **made | letter), first=2 * MANY, blob_id=_bytes())
    _many(Mailing(letter="answer", list_id=FIRST - 1, **made | letter), first=3 * MANY, blob_id=_bytes())
    _many(Mailing(kind="campaign", list_id=FIRST, campaign_id=FIRST, state="done", finished=LATELY, **made | {"priority": 20}), first=4 * MANY, list_id=f"{_N} - {4 * MANY}", campaign_id=f"{_N} - {4 * MANY}", blob_id=_bytes())
    sent = {"done": True, "size": 1, "sent": 1}
    _many(Slice(mailing_id=FIRST, number=1, transport_id=FIRST, priority=10, **sent), times=5 * MANY, mailing_id=_N)
    Slice.objects.filter(mailing_id__gte=FIRST + MANY, mailing_id__lt=FIRST + 2 * MANY).update(done=False, sent=0, due_at=PARKED)
    _many(CopyRow(mailing_id=FIRST, address_id=FIRST, slice=1, state=2, attempts=1, code=250), times=5 * MANY, mailing_id=_N, address_id=f"{FIRST} + n % {MANY}")
    _many(Refusal(mailing_id=FIRST, address_id=FIRST, at=LATELY, code=450, text="later"), mailing_id=_N, address_id=_N)
    _many(Passage(mailing=FIRST, address=FIRST, through=FIRST), mailing=_N, address=_N, through=_N)
    _many(ServiceMessage(transport_id=FIRST, message="0", mailing_id=FIRST, address_id=FIRST, at=LATELY), message="n::text", mailing_id=_N, address_id=_N)
    _many(ServiceEvent(transport_id=FIRST, key="0", told="delivered", heard_at=LATELY, at=LATELY, mailing_id=FIRST, address_id=FIRST), key="n::text", mailing_id=_N, address_id=_N)
    _many(JournalEntry(at=LATELY, event="mailing.done", list_id=FIRST, post_id=FIRST, mailing_id=FIRST, address_id=FIRST, organisation_id=FIRST), times=3 * MANY, **dict.fromkeys(("list_id", "post_id", "mailing_id", "address_id", "organisation_id"), f"{FIRST} + n % {MANY}"))


def _what_came_back() -> None:
    """Events of copies, and addresses that are watched, paused and probed."""
    said: dict[str, Any] = {"at": LATELY, "address_id": FIRST, "mailing_id": FIRST, "list_id": FIRST, "kind": "dead", "severity": "permanent", "fault": "recipient", "reason": "no_mailbox", "origin": "report"}
    _many(DeliveryEvent(key="0", **said), key="n::text", address_id=_N, mailing_id=_N, list_id=_N)
    a_third = MANY // 3
    stands: dict[str, Any] = {"kind": "dead", "reason": "no_mailbox", "failures": 1, "list_id": FIRST, "since": LATELY}
    _many(AddressStanding(address_id=FIRST, state=1, review_at=LATER, **stands), times=a_third, address_id=_N, list_id=_N)
    _many(AddressStanding(address_id=FIRST + a_third, state=2, next_probe=LATER, **stands), first=a_third, times=a_third, address_id=_N, list_id=_N)
    _many(AddressStanding(address_id=FIRST + 2 * a_third, state=2, probe=FIRST, probed_at=LATELY, **stands), first=2 * a_third, times=a_third, address_id=_N, list_id=_N, probe=f"{_N} + 2 * {MANY}")
    _many(StandingNews(at=LATELY, list_id=FIRST, address_id=FIRST, state=2, kind="dead", reason="no_mailbox"), list_id=_N, address_id=_N)


def _newsletters() -> None:
    """Of each list one that was sent, with what its readers did, one that is written, one that is due later."""
    _many(Campaign(list_id=FIRST, created=AGO, changed=AGO, state="started", sample=10, released_at=AGO, sampled_at=AGO, mailing_id=FIRST + 4 * MANY), list_id=_N, mailing_id=f"{_N} + 4 * {MANY}")
    _many(Campaign(list_id=FIRST, created=AGO, changed=AGO, state="draft"), first=MANY, list_id=f"{_N} - {MANY}")
    _many(Campaign(list_id=FIRST, created=AGO, changed=AGO, state="scheduled", send_at=LATER), first=2 * MANY, list_id=f"{_N} - {2 * MANY}")
    _many(CampaignAudience(campaign_id=FIRST, list_id=FIRST), campaign_id=_N, list_id=_N)
    _many(CampaignFile(campaign_id=FIRST, key="0", name="x.png", content_type="image/png", use="shown", size=1, blob_id=b"0", created=AGO), campaign_id=_N, key="n::text", blob_id=_bytes())
    _many(CampaignTotals(campaign_id=FIRST, at=AGO, values={}, done=True), campaign_id=_N)
    _many(Link(campaign_id=FIRST, url="https://x.example/"), campaign_id=_N)
    _many(Hits(campaign_id=FIRST, link=0, what=0, who=0, hour=LATELY, n=1, loose=False), campaign_id=_N)
    _many(NamedHit(campaign_id=FIRST, address_id=FIRST, link=0, first_at=LATELY, last_at=LATELY), campaign_id=_N, address_id=_N)
    _many(TrackingConsent(organisation_id=FIRST, address_id=FIRST, since=AGO, how="joined", wording="x"), organisation_id=_N, address_id=_N)
    _many(Trial(campaign_id=FIRST, version=1, asked_at=LATELY - DAY / 4, finished=LATELY), campaign_id=_N)
    _many(LinkCheck(digest=b"0", url="https://x.example/", wanted_at=LATELY, checked_at=LATELY, status=200), digest=_bytes())


def _beside() -> None:
    """What is remembered of domains, and where lists moved in from."""
    _many(MailDomain(domain="m.example", expires=LATER, looked_up_at=AGO), domain="'m' || n || '.example'")
    _many(AuthorPolicy(domain="m.example", policy="none", looked_up_at=AGO, expires=LATER), domain="'m' || n || '.example'")
    _many(Imported(source="sympa", kind="token", external="0", ours=FIRST), external="n::text", ours=_N)
