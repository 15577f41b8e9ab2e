"""Sending services tell what became of copies: who may tell it, which copy it is about, and what follows.

Which copy: our signed token, where the service brings it back; else the service's own number of the message together with the address.
Nothing is guessed: what fits neither is kept, shown on the service's page, and counts for nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare

from colporteur.domain import tokens
from colporteur.domain.services import SERVICES, Heard, Told
from colporteur.domain.tokens import Purpose
from colporteur.flow import bounces, leaving, memberships, tracking
from colporteur.flow.bounces.matching import GOOD_FOR
from colporteur.flow.organisations import actor
from colporteur.store import bounces as copies
from colporteur.store import journal
from colporteur.store import services as store
from colporteur.store.bounces import Fitting
from colporteur.store.lists import List, ListState
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address, Person
from colporteur.store.policies import policy
from colporteur.store.routes import RouteStep
from colporteur.store.sealed import SealBroken, seal, unseal
from colporteur.store.services import Hook, ServiceEvent
from colporteur.store.transports import Transport

log = logging.getLogger("colporteur.services")
mail = logging.getLogger("colporteur.mail")

KEPT, NUMBERS_KEPT = timedelta(days=100), timedelta(days=40)
"""How long what was told, and the services' numbers of messages, are kept."""
NEWSLETTER = "newsletter"
"""Template of lists whose mail is a newsletter."""
LATE = timedelta(hours=2)
"""So long it is tried again whose something is: a service may be quicker than our own note of its number."""


_COUNTED = (Told.OPENED, Told.CLICKED)


# --- the door ---------------------------------------------------------------------------------------------------


@transaction.atomic
def hook_of(transport: Transport, now: datetime) -> Hook:
    """The door of a service's transport, made at its first use."""
    return Hook.objects.get_or_create(transport=transport, defaults={"secret_sealed": seal(secrets.token_urlsafe(24)), "made": now})[0]


@transaction.atomic
def renew(transport: Transport, now: datetime, *, by: Person | str) -> Hook:
    """Another secret: what is posted to the old address is refused from now on."""
    hook = hook_of(transport, now)
    hook.secret_sealed, hook.made = seal(secrets.token_urlsafe(24)), now
    hook.save(update_fields=["secret_sealed", "made"])
    journal.write("transport.changed", now, actor=actor(by), organisation=transport.organisation_id, transport=transport.name, by=str(by), change="another webhook address")
    return hook


@transaction.atomic
def sign_with(transport: Transport, key: str, now: datetime, *, by: Person | str) -> None:
    """The key by which the service signs what it posts; "" asks for no signature."""
    hook = hook_of(transport, now)
    hook.key_sealed = seal(key.strip()) if key.strip() else ""
    hook.save(update_fields=["key_sealed"])
    journal.write("transport.changed", now, actor=actor(by), organisation=transport.organisation_id, transport=transport.name, by=str(by), change="webhook key" if key.strip() else "no webhook key")


@transaction.atomic
def registered(transport: Transport, done: str, key: str, now: datetime, *, by: Person | str) -> None:
    """The webhook was entered at the service by its interface. ``done``: "made", "changed" or "there" already; ``key``: by which the
    service signs from now on, "" where it said none: then the one that was entered stays."""
    hook = hook_of(transport, now)
    new = bool(key) and (not hook.key_sealed or not _same_key(hook, key))
    if new:
        hook.key_sealed = seal(key)
        hook.save(update_fields=["key_sealed"])
    if new or done != "there":
        journal.write("transport.changed", now, actor=actor(by), organisation=transport.organisation_id, transport=transport.name, by=str(by), change=f"webhook {done}" if done != "there" else "webhook key")


def _same_key(hook: Hook, key: str) -> bool:
    try:
        return constant_time_compare(unseal(hook.key_sealed), key)
    except SealBroken:
        return False


def url_of(hook: Hook) -> str:
    """The address to enter at the service. Raises ``SealBroken``."""
    return f"{settings.BASE_URL}/hooks/{quote(hook.transport.name, safe='')}/{unseal(hook.secret_sealed)}/"


class Door(NamedTuple):
    """Who posts, when the secret is right. ``key``: by which the service signs, "" for none; ``url``: as it was entered there."""

    transport: Transport
    key: str
    url: str


def door(name: str, secret: str) -> Door | None:
    """The transport that an address names; None when there is none, or the secret is another one."""
    hook = Hook.objects.select_related("transport").filter(transport__name=name, transport__removed__isnull=True).first()
    try:
        known = SERVICES.get(hook.transport.kind) if hook is not None else None
        right = hook is not None and known is not None and known.hooks and constant_time_compare(unseal(hook.secret_sealed).encode(), secret.encode())
        return Door(hook.transport, unseal(hook.key_sealed) if hook.key_sealed else "", url_of(hook)) if hook and right else None
    except SealBroken:
        log.exception("webhook of %s cannot be opened", name)
        return None


def refused(transport: Transport, why: str, now: datetime) -> None:
    """A post that was not taken; shown on the service's page."""
    Hook.objects.filter(transport=transport).update(refused_at=now, refused=why.replace("\x00", "")[:300])
    mail.warning("webhook-refused transport=%s why=%s", transport.name, why)


def mixed(transport: Transport) -> bool:
    """Whether newsletters and other mail leave by this transport together, so that complaints about the ones slow the others down."""
    lists = List.objects.filter(state=ListState.ACTIVE)
    own = lists.filter(steps__transport=transport)
    above = transport.is_default or RouteStep.objects.filter(transport=transport, list__isnull=True).exists()
    rest = lists.filter(steps__isnull=True) if above else lists.none()
    if transport.organisation_id:
        rest = rest.filter(organisation=transport.organisation_id)
    newsletters = own.filter(template=NEWSLETTER).exists() or rest.filter(template=NEWSLETTER).exists()
    return newsletters and (above or own.exclude(template=NEWSLETTER).exists())


# --- what is told -----------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """``new``: events not told before; ``matched``: of these, about a copy of ours."""

    new: int
    matched: int


@transaction.atomic
def take(transport: Transport, heard: Sequence[Heard], now: datetime) -> Taken:
    """Take in what a service told: written down and acted on in one transaction, each event once however often it is told."""
    once = {one.key: one for one in heard}
    new = store.keep(transport.pk, [_unnamed(one) for one in once.values()], now) if once else set()
    fresh = [one for key, one in once.items() if key in new]
    last = {"told": heard[-1].told.value} if heard else {}
    Hook.objects.filter(transport=transport).update(heard_at=now, heard=F("heard") + len(fresh), **last)
    matched = _act(transport, fresh, now)
    if heard:
        mail.info("webhook transport=%s events=%d new=%d unmatched=%d", transport.name, len(heard), len(fresh), len(fresh) - matched)
    return Taken(len(fresh), matched)


def look(now: datetime) -> int:
    """What came before our note of the service's number is looked at again; what is old is deleted. How much was done."""
    done = 0
    late = ServiceEvent.objects.filter(mailing_id__isnull=True, heard_at__gt=now - LATE).exclude(message="").select_related("transport")
    by_transport: defaultdict[Transport, list[Heard]] = defaultdict(list)
    for row in late.order_by("-id")[:2000]:
        by_transport[row.transport].append(Heard(Told(row.told), row.key, row.at, row.email, message=row.message, reason=row.reason, text=row.text))
    for transport, heard in by_transport.items():
        with transaction.atomic():
            done += _act(transport, heard, now)
    return done + store.forget(now - KEPT, now - NUMBERS_KEPT)


def unmatched(transport: Transport, most: int) -> list[ServiceEvent]:
    """What the service told that fits no copy, the newest first."""
    return list(ServiceEvent.objects.filter(transport=transport, mailing_id__isnull=True).order_by("-id")[:most])


def number(transport: int, rows: Sequence[tuple[str, int, int]], now: datetime) -> None:
    """Numbers the service gave to copies: (number, mailing, address) of each."""
    store.number(transport, rows, now)


def _unnamed(one: Heard) -> Heard:
    """What is kept of an event: who opened or followed something is known only where he or she agreed (``tracking``)."""
    return replace(one, email="", message="", text="", reason="") if one.told in _COUNTED else one


def _act(transport: Transport, fresh: Sequence[Heard], now: datetime) -> int:
    """Whatever follows; how many events were about a copy of ours."""
    found = _copies(transport, fresh, now)
    if not found:
        return 0
    store.name(transport.pk, [(one.key, copy.mailing, None if one.told in _COUNTED else copy.address) for one, copy in found])
    bounces.told([bounces.heeded(copy, one) for one, copy in found if one.told in (Told.BOUNCED, Told.DEFERRED, Told.COMPLAINED, Told.ANSWERED)], now)
    mailings = Mailing.objects.in_bulk({copy.mailing for one, copy in found if one.told in (Told.OPENED, Told.CLICKED)})
    addresses = Address.objects.in_bulk({copy.address for one, copy in found if one.told in (Told.OPENED, Told.CLICKED, Told.UNSUBSCRIBED)})
    for one, copy in found:
        if one.told is Told.UNSUBSCRIBED:
            _leave(transport, copy, addresses[copy.address], everywhere=one.everywhere, now=now)
        elif one.told is Told.OPENED:
            tracking.opened(mailings[copy.mailing], addresses[copy.address], one.at or now, agent=one.agent)
        elif one.told is Told.CLICKED:
            tracking.clicked(mailings[copy.mailing], addresses[copy.address], one.at or now, url=one.url, agent=one.agent)
    return len(found)


def _copies(transport: Transport, fresh: Sequence[Heard], now: datetime) -> list[tuple[Heard, Fitting]]:
    """The copy of each event that is about one of ours."""
    pairs: dict[str, tuple[int, int]] = {}
    for one in fresh:
        if one.token and (named := tokens.read(settings.TOKEN_KEY, Purpose.COPY, one.token.lower())):
            pairs[one.key] = named
    unnamed = [one for one in fresh if not one.token and one.message and one.email]
    known = store.numbered(transport.pk, {one.message for one in unnamed}) if unnamed else {}
    for one in unnamed:
        if (copy := known.get(one.message)) and copy.email == one.email:
            pairs[one.key] = copy.mailing, copy.address
    there = copies.of_numbers(set(pairs.values()), now - GOOD_FOR) if pairs else {}
    return [(one, there[pairs[one.key]]) for one in fresh if one.key in pairs and pairs[one.key] in there]


def _leave(transport: Transport, copy: Fitting, address: Address, *, everywhere: bool, now: datetime) -> None:
    """Whoever unsubscribed at the service leaves the list the copy came by, as by the link of the copy; where the service says that
    all is meant, every list of the organisation that can be left without asking anybody."""
    by = SERVICES[transport.kind].title
    leaving.by_token(tokens.sign(settings.TOKEN_KEY, Purpose.COPY, copy.mailing, copy.address), now, by=by)
    if everywhere and copy.organisation:
        for list_ in List.objects.filter(organisation=copy.organisation, memberships__address=address, memberships__until__isnull=True).exclude(state=ListState.DELETED).select_related("organisation", "domain"):
            if policy(list_).leaving.by_oneself:
                memberships.leave(list_, address, now, by=by)
