"""Mailings ready to leave, and a worker's delivery run in this process until something is true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import uvloop
from django.db import transaction
from django.utils import timezone

from colporteur.daemons.deliver import Delivery
from colporteur.daemons.threads import close_connections, in_thread
from colporteur.domain.posts import PostState
from colporteur.domain.transports import ALONE, Share
from colporteur.flow import mailings, planning
from colporteur.store.arrivals import Arrival, keep
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Slice
from colporteur.store.posts import Post
from tests.story.scenes import message


def a_post(list_: List, raw: bytes = b"", *, sender: str = "anna@members.example") -> Post:
    """An accepted post."""
    now = timezone.now()
    raw = raw or message(sender, list_.address)
    arrival = Arrival.objects.create(blob_id=keep(raw), door="lmtp", mail_from=sender, recipients=[list_.address], received_at=now)
    return Post.objects.create(list=list_, arrival=arrival, state=PostState.ACCEPTED, message_id="<x@y>", content_key=b"k", size=len(raw), subject="Hello", sender=sender, received_at=now)


def a_mailing(list_: List, raw: bytes = b"", *, now: datetime | None = None, sender: str = "anna@members.example") -> Mailing:
    """The planned mailing of a post."""
    now = now or timezone.now()
    with transaction.atomic():
        mailing = mailings.create_for_post(a_post(list_, raw, sender=sender), now)
    while planning.plan_due(now):
        pass
    mailing.refresh_from_db()
    return mailing


def deliver_until(true: Callable[[], Any], seconds: float = 120, share: Share = ALONE, *, beside: Share | None = None) -> None:
    """Run lanes until ``true()`` (asked on a thread with its own connection), then drain. ``beside``: another worker. Raises ``TimeoutError``."""

    async def work() -> None:
        workers = [Delivery(one) for one in (share, beside) if one]
        deadline = time.monotonic() + seconds
        try:
            while not await in_thread(true):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{true}; {[list(m.items()) for m in await in_thread(lambda: list(Mailing.objects.values('id', 'state', 'pause_reason', 'error')))]}")
                for one in workers:
                    await one.look()
                await asyncio.sleep(0.02)
        finally:
            for one in workers:
                await one.drain()

    try:
        uvloop.run(work())
    finally:
        close_connections()


def is_in(mailing: Mailing, *states: str) -> Callable[[], bool]:
    """Whether the mailing has one of the states."""
    return lambda: Mailing.objects.filter(id=mailing.id, state__in=states).exists()


def sound(mailing: Mailing) -> None:
    """The totals of every slice equal its copies; nothing is leased."""
    for slice_ in Slice.objects.filter(mailing=mailing):
        states = list(Copy.objects.filter(mailing=mailing, slice=slice_.number).values_list("state", flat=True))
        found = (slice_.size, slice_.deferred, slice_.sent, slice_.failed, slice_.cancelled)
        assert found == (len(states), states.count(1), states.count(2), states.count(3), states.count(4)), slice_.number
        assert slice_.done == (states.count(0) + states.count(1) == 0)
        assert slice_.lease_until is None or slice_.done, slice_.number
