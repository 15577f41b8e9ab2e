"""Somebody opened a newsletter or followed a link: counted, and named only where the person agreed."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from colporteur.domain import tokens, tracking
from colporteur.domain.campaigns import Tracking
from colporteur.domain.tokens import Purpose
from colporteur.domain.tracking import Haste, Hit, Why
from colporteur.flow.tracking.links import mode
from colporteur.store import tracking as store
from colporteur.store.campaigns import Campaign
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from colporteur.store.tracking import Link, Target

_HASTE, _LOCK = Haste(), threading.Lock()
_KEY = secrets.token_bytes(32)  # of this process, kept nowhere: nobody can tell later whom a mark stood for


class Asked(NamedTuple):
    """How a link was fetched. ``purpose``: Sec-Purpose or its elders; ``client``: IP address, which is kept nowhere."""

    agent: str = ""
    method: str = "GET"
    purpose: str = ""
    client: str = ""


def follow(key: str, asked: Asked, now: datetime) -> str | None:
    """Where a link leads, counted; None when it is not ours. ``key``: of the link, with the token of a copy behind it where the reader agreed."""
    found, copy = _read(key)
    if found is None or not found[1]:
        return None
    target = store.target(*found)
    if target is None or target.url is None:
        return None
    _count(found, target, copy, asked, now)
    return target.url


def seen(key: str, asked: Asked, now: datetime) -> bool:
    """A newsletter's image was fetched: counted. False when it is not ours. ``key``: as in ``follow``."""
    found, copy = _read(key)
    target = store.target(*found) if found and not found[1] else None
    if found is None or target is None:
        return False
    _count(found, target, copy, asked, now)
    return True


def opened(mailing: Mailing, to: Address | None, at: datetime, *, agent: str = "") -> None:
    """A provider saw an opening of a copy (its own image, not ours)."""
    _told(mailing, to, Hit.OPENED, 0, at, agent)


def clicked(mailing: Mailing, to: Address | None, at: datetime, *, url: str, agent: str = "") -> None:
    """A provider saw a link followed; one of ours is counted when it comes to us, not twice."""
    if mailing.campaign_id is None or url.startswith(f"{settings.BASE_URL}/"):
        return
    link = Link.objects.filter(campaign=mailing.campaign_id, url=url).first()
    _told(mailing, to, Hit.CLICKED, link.pk if link else 0, at, agent)


def left(mailing: int, now: datetime) -> None:
    """Somebody left a list by a newsletter. In the caller's transaction."""
    if campaign := Mailing.objects.filter(pk=mailing, campaign__isnull=False).values_list("campaign_id", flat=True).first():
        store.count(campaign, Hit.LEFT, tracking.hour(now), [(0, Why.READER, 1)])


# --- how ---


def _read(key: str) -> tuple[tuple[int, int] | None, str]:
    """(campaign, link), None when it is not ours, and the token of the copy, "" for none."""
    link, _dash, copy = key.strip().lower().partition("-")
    return tokens.read(settings.TOKEN_KEY, Purpose.LINK, link), copy


def _count(named: tuple[int, int], target: Target, copy: str, asked: Asked, now: datetime) -> None:
    if target.tracking == Tracking.OFF:
        return
    campaign, link = named
    who = tracking.who(asked.agent, asked.method, asked.purpose, now - target.started if target.started else None)
    hits = [(link, int(who), 1)] if not link or who is not Why.READER else _patient(campaign, link, copy, asked)
    if not hits:
        return
    store.count(campaign, Hit.CLICKED if link else Hit.OPENED, tracking.hour(now), hits, at_once=True)
    if who is Why.READER and copy and hits == [(link, int(Why.READER), 1)]:
        _name(campaign, copy, link, now)


def _patient(campaign: int, link: int, copy: str, asked: Asked) -> list[tuple[int, int, int]]:
    """The hit as a reader's, or as that of a program in haste, whose earlier ones are then taken back; nothing when it is the same once more."""
    said = f"{campaign} {copy or (asked.client, asked.agent)}".encode()
    mark, at = hashlib.blake2s(said, key=_KEY, digest_size=16).digest(), time.monotonic()
    with _LOCK:
        if _HASTE.again(mark, link, at):
            return []
        wrong = _HASTE.noticed(mark, link, at)
    if wrong is None:
        return [(link, int(Why.READER), 1)]
    return [(link, int(Why.HASTE), 1), *((one, int(who), n) for one in wrong for who, n in ((Why.READER, -1), (Why.HASTE, 1)))]


def _name(number: int, copy: str, link: int, now: datetime) -> None:
    """Whose copy it was, when the mode and the person allow it at this moment."""
    named = tokens.read(settings.TOKEN_KEY, Purpose.COPY, copy)
    campaign = Campaign.objects.select_related("list__organisation", "list__domain").defer("source", "text").get(pk=number)
    if named and mode(campaign) is Tracking.PEOPLE and Mailing.objects.filter(pk=named[0], campaign=campaign).exists():
        store.name(campaign.pk, campaign.list.organisation_id, named[1], link, now)


def _told(mailing: Mailing, to: Address | None, what: Hit, link: int, at: datetime, agent: str) -> None:
    campaign = Campaign.objects.select_related("list__organisation").filter(pk=mailing.campaign_id).first() if mailing.campaign_id else None
    if campaign is None or mode(campaign) is Tracking.OFF:
        return
    who = tracking.who(agent) if agent else Why.READER
    store.count(campaign.pk, what, tracking.hour(at), [(link, int(who), 1)])
    if to and who is Why.READER and mode(campaign) is Tracking.PEOPLE:
        store.name(campaign.pk, campaign.list.organisation_id, to.pk, link, at)
