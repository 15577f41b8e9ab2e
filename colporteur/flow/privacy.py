"""What is known about somebody, handed out and erased.

Erasing ends memberships and roles, empties names and addresses, and leaves keyed hashes: rows that count copies or say who
decided stay true, nobody can read who it was, and the opposition list keeps others from adding the address again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from colporteur.domain.addresses import normal
from colporteur.domain.mailings import CopyState, MailingKind
from colporteur.flow import credentials, mailings, memberships, tracking
from colporteur.store import privacy
from colporteur.store.bounces import UnmatchedReport
from colporteur.store.enrolments import Enrolment
from colporteur.store.imports import OF_OTHERS, Imported
from colporteur.store.joining import JoinRequest
from colporteur.store.journal import JournalEntry
from colporteur.store.leaving import LeaveRequest
from colporteur.store.lists import List, ListState, Role, RoleKind
from colporteur.store.mailings import Copy, Mailing
from colporteur.store.memberships import Membership
from colporteur.store.nesting import Exclusion, OnEvery
from colporteur.store.organisations import Administrator
from colporteur.store.people import Address, Person, SignInAttempt, SignInLink
from colporteur.store.posts import Post
from colporteur.store.privacy import ERASED, Consent, digest
from colporteur.store.requests import ListRequest
from colporteur.store.segments import Details
from colporteur.store.services import ServiceEvent
from colporteur.store.sources import SourceEntry
from colporteur.store.standing import AddressStanding, DeliveryEvent, StandingNews
from colporteur.store.tracking import Link, NamedHit, TrackingConsent

log = logging.getLogger("colporteur.people")

JOURNAL_MOST = 10_000


class Subject(NamedTuple):
    """Somebody known: a person with addresses, or an address nobody claimed."""

    person: Person | None
    addresses: list[Address]

    @property
    def ids(self) -> list[int]:
        """Of the addresses."""
        return [address.pk for address in self.addresses]

    @property
    def emails(self) -> list[str]:
        """Addresses in normal form."""
        return [address.email for address in self.addresses]


def subject(email: str) -> Subject:
    """Whoever has this address. Raises ``ValueError`` when nobody here does."""
    address = Address.objects.select_related("person").filter(email=normal(email)).first()
    if address is None:
        raise ValueError(_("nobody here has the address %(email)s") % {"email": email.strip()})
    return of_person(address.person) if address.person else Subject(None, [address])


def of_person(person: Person) -> Subject:
    """A person with all addresses."""
    return Subject(person, list(person.addresses.order_by("id")))


def export(who: Subject) -> dict[str, Any]:
    """Everything known about somebody, as JSON values."""
    person = who.person
    held = Role.objects.filter(Q(address__in=who.ids) | Q(person=person, person__isnull=False)).select_related("list").order_by("id")
    about = {"name": person.name, "language": person.language, "time_zone": person.time_zone, "administrator": person.is_admin, "active": person.is_active, "created": person.created, "last_sign_in": person.last_login} if person else None
    written = Post.objects.filter(Q(address__in=who.ids) | Q(sender__in=who.emails)).select_related("list").order_by("id")
    found = {
        "person": about,
        "addresses": [{"email": one.email, "name": one.name, "verified": one.verified_at, "paused_until": one.paused_until, "created": one.created} for one in who.addresses],
        "sign_in": _ways(person) if person else None,
        "memberships": [_membership(row) for row in Membership.objects.filter(address__in=who.ids).select_related("list", "address", "source", "consent").order_by("id")],
        "attributes": [{"list": row.list.address, "values": row.values} for row in Details.objects.filter(address__in=who.ids).select_related("list").order_by("list")],
        "roles": [{"list": role.list.address, "role": role.kind, "since": role.created} for role in held],
        "administers": list(Administrator.objects.filter(person=person).values_list("organisation__name", flat=True)) if person else [],
        "requests_to_join": [{"list": row.list.address, "state": row.state, "by": row.door, "asked": row.asked_at, "confirmed": row.confirmed_at, "name": row.name, "words": row.words, "attributes": row.values, "client": row.client, "decided": row.decided_at, "reason": row.reason} for row in JoinRequest.objects.filter(address__in=who.ids).select_related("list").order_by("id")],
        "requests_to_leave": [{"list": row.list.address, "state": row.state, "by": row.door, "asked": row.asked_at, "decided": row.decided_at, "reason": row.reason} for row in LeaveRequest.objects.filter(address__in=who.ids).select_related("list").order_by("id")],
        "lists_asked_for": list(ListRequest.objects.filter(person=person).order_by("id").values("address", "purpose", "state")) if person else [],
        "left_out_of": list(Exclusion.objects.filter(address__in=who.ids).values_list("list__address", flat=True)),
        "on_every_list_of": list(OnEvery.objects.filter(address__in=who.ids).values_list("domain__name", flat=True)),
        "from_sources": [{"list": row.source.list.address, "source": str(row.source), "attributes": row.attributes} for row in SourceEntry.objects.filter(address__in=who.ids).select_related("source__list").order_by("id")],
        "written": [{"list": post.list.address, "subject": post.subject, "message_id": post.message_id, "received": post.received_at, "state": post.state} for post in written],
        "copies": _copies(who),
        "agreed_to_tracking": [{"organisation": row.organisation.name, "address": row.address.email, "since": row.since, "until": row.until, "how": row.how, "wording": row.wording, "client": row.client} for row in TrackingConsent.objects.filter(address__in=who.ids).select_related("organisation", "address").order_by("id")],
        "opened_and_followed": _hits(who),
        "standing": [_standing(row) for row in AddressStanding.objects.filter(address__in=who.ids).select_related("address").order_by("address")],
        "came_back": list(DeliveryEvent.objects.filter(address_id__in=who.ids).order_by("id").values("at", "kind", "reason", "status", "code", "text", "origin")),
        "journal": [{"at": row.at, "event": row.event, **row.values} for row in JournalEntry.objects.filter(_concerns(who)).order_by("id")[:JOURNAL_MOST]],
        "will_not_be_added_by_others": sorted(privacy.opposed(who.emails)),
    }
    return json.loads(json.dumps(found, default=_plain))  # type: ignore[no-any-return]


def obstacles(who: Subject) -> Iterator[str]:
    """Sentences on what must be handed over before somebody is erased."""
    person = who.person
    mine = Q(address__in=who.ids) | (Q(person=person) if person else Q(pk__in=[]))
    owned = List.objects.exclude(state=ListState.DELETED).filter(pk__in=Role.objects.filter(mine, kind=RoleKind.OWNER).values("list"))
    others = Role.objects.filter(kind=RoleKind.OWNER, group__isnull=True).exclude(mine)
    for list_ in owned.exclude(pk__in=others.values("list")).order_by("address"):
        yield _("hand over the list %(list)s first: it has no other owner") % {"list": list_.address}
    if person and person.is_admin and not Person.objects.filter(is_admin=True, is_active=True).exclude(pk=person.pk).exists():
        yield _("make somebody else an administrator of the site first")


@transaction.atomic
def erase(who: Subject, now: datetime, *, by: str) -> None:
    """Forget somebody; cannot be undone. Raises ``ValueError`` naming what must be handed over first.

    ``by`` stands in the journal of what ends. Messages they wrote stay with the lists that distributed them.
    """
    list(List.objects.select_for_update().filter(pk__in=_roles(who).values("list")).order_by("pk"))  # two owners erased at once must not both go
    if found := list(obstacles(who)):
        raise ValueError("; ".join(found))
    for membership in Membership.objects.filter(address__in=who.ids, until__isnull=True).select_related("list__organisation", "address"):
        memberships.leave(membership.list, membership.address, now, by=by)
    _roles(who).delete()
    _stop_letters(who, now)
    privacy.oppose(who.emails, "erased", now)
    _blank_journal(who)
    _blank_rows(who)
    if who.person:
        who.person.delete()
    log.info("erased person=%s addresses=%s by=%s", who.person.pk if who.person else "", [_mark(email) for email in who.emails], by)


# --- how ---


def _roles(who: Subject) -> Any:
    return Role.objects.filter(Q(address__in=who.ids) | (Q(person=who.person) if who.person else Q(pk__in=[])))


def _ways(person: Person) -> dict[str, Any]:
    """How somebody signs in: that there is something and when it was used, never the secret itself."""
    ways = credentials.ways_of(person)
    return {
        "password": ways.password,
        "authenticator_app": {"created": ways.app.created, "used": ways.app.used_at} if ways.app else None,
        "passkeys": [{"name": one.name, "created": one.created, "used": one.used_at} for one in ways.passkeys],
        "recovery_codes_left": ways.codes_left,
        "identity_providers": [{"provider": one.provider.name, "subject": one.subject, "email": one.email, "created": one.created, "used": one.used_at} for one in ways.identities],
    }


def _membership(row: Membership) -> dict[str, Any]:
    told = {"list": row.list.address, "address": row.address.email, "since": row.since, "until": row.until, "left_by": row.left_by, "delivery": row.delivery, "paused": row.paused, "source": str(row.source) if row.source else ""}
    told |= {"pause_from": row.pause_from, "pause_until": row.pause_until, "posting": row.posting, "own_copy": row.own_copy, "hidden": row.hidden, "note": row.note}
    consent = row.consent
    return told | {"consent": {"at": consent.at, "how": consent.how, "by": consent.by, "wording": consent.wording, "client": consent.client, "evidence": consent.evidence} if consent else None}


def _standing(row: AddressStanding) -> dict[str, Any]:
    return {"address": row.address.email, "state": row.standing.word, "since": row.since, "kind": row.kind, "reason": row.reason, "failures": row.failures, "first": row.first_at, "last": row.last_at}


def _copies(who: Subject) -> list[dict[str, Any]]:
    """How many copies of each list's messages and letters there were, by what became of them."""
    of_lists = Mailing.objects.filter(list__in=Membership.objects.filter(address__in=who.ids).values("list"))
    found = Copy.objects.filter(mailing__in=of_lists, address__in=who.ids).values_list("mailing__list__address", "state").annotate(Count("address_id")).order_by("mailing__list__address", "state")
    return [{"list": list_, "state": CopyState(state).name.lower(), "count": count} for list_, state, count in found]


def _hits(who: Subject) -> list[dict[str, Any]]:
    """What is known of newsletters they opened and links they followed; only what they agreed to."""
    rows = NamedHit.objects.filter(address__in=who.ids).select_related("campaign__list").order_by("campaign", "link")
    urls = dict(Link.objects.filter(pk__in=[row.link for row in rows]).values_list("pk", "url"))
    return [{"list": row.campaign.list.address, "subject": row.campaign.subject, "link": urls.get(row.link, ""), "first": row.first_at, "last": row.last_at, "times": row.n} for row in rows]


def _concerns(who: Subject) -> Q:
    words = Q(address_id__in=who.ids)
    for name in ("email", "who", "by"):
        words |= Q(**{f"values__{name}__in": who.emails})
    return words | (Q(actor_id=who.person.pk) if who.person else Q(pk__in=[]))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _mark(email: str) -> str:
    """What stands in the place of an address."""
    return digest(email).hex()[:24]


def _stop_letters(who: Subject, now: datetime) -> None:
    open_letters = Mailing.objects.filter(kind=MailingKind.LETTER, state__in=("planned", "running", "paused"))
    for number in Copy.objects.filter(mailing__in=open_letters, address__in=who.ids).values_list("mailing", flat=True):
        mailings.cancel(number, now, "")


def _blank_journal(who: Subject) -> None:
    marks = {email: _mark(email) for email in who.emails}
    names = {name for name in [who.person.name if who.person else "", *(address.name for address in who.addresses)] if name}
    first = _mark(who.emails[0]) if who.emails else "erased"
    for entry in JournalEntry.objects.filter(_concerns(who)).iterator(chunk_size=2000):
        own = entry.address_id in who.ids or (who.person is not None and entry.actor_id == who.person.pk)
        for key, value in entry.values.items():
            if isinstance(value, str):
                entry.values[key] = marks.get(value, first if own and value in names else value)
        entry.save(update_fields=["values"])
    for email in who.emails:  # among others a test of a newsletter went to
        for entry in JournalEntry.objects.filter(event="campaign.tested", values__emails__icontains=email):
            entry.values["emails"] = ", ".join(marks.get(one, one) for one in entry.values["emails"].split(", "))
            entry.save(update_fields=["values"])


def _blank_rows(who: Subject) -> None:
    """What stays for the sake of others, without the name."""
    JoinRequest.objects.filter(address__in=who.ids).delete()
    LeaveRequest.objects.filter(address__in=who.ids).delete()
    for email in who.emails:  # what was handed over in bulk within a week may name them
        Enrolment.objects.filter(Q(text__icontains=email) | Q(left__contains=[email]) | Q(refused__icontains=email)).delete()
    Details.objects.filter(address__in=who.ids).delete()
    SourceEntry.objects.filter(address__in=who.ids).delete()
    tracking.forget(who.ids)
    TrackingConsent.objects.filter(address__in=who.ids).delete()
    AddressStanding.objects.filter(address__in=who.ids).delete()
    DeliveryEvent.objects.filter(address_id__in=who.ids).delete()
    UnmatchedReport.objects.filter(recipients__overlap=list(who.emails)).delete()
    ServiceEvent.objects.filter(Q(address_id__in=who.ids) | Q(email__in=who.emails)).delete()
    StandingNews.objects.filter(address_id__in=who.ids).delete()
    Exclusion.objects.filter(address__in=who.ids).delete()
    OnEvery.objects.filter(address__in=who.ids).delete()
    Membership.objects.filter(address__in=who.ids).exclude(note="").update(note="")
    SignInLink.objects.filter(address__in=who.ids).delete()
    SignInAttempt.objects.filter(of__in=[f"address:{email}" for email in who.emails]).delete()
    consents = Consent.objects.filter(pk__in=Membership.objects.filter(address__in=who.ids, consent__isnull=False).values("consent"))
    names = {who.person.name if who.person else "", *who.emails} - {""}
    consents.filter(by__in=names).update(by=_mark(who.emails[0]) if who.emails else "", client="")
    consents.filter(how="import", by__startswith=f"{OF_OTHERS} ").update(client="", evidence="")  # of one person each, in another system's words
    Imported.objects.filter(kind="token", ours__in=who.ids).delete()
    Post.objects.filter(decided_by_address__in=who.emails).update(decided_by_address="")
    for address in who.addresses:
        Address.objects.filter(pk=address.pk).update(email=f"{_mark(address.email)}@{ERASED}", name="", person=None, verified_at=None, paused_until=None)
