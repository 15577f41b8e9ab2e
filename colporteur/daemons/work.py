"""The worker: judges, plans, does errands, expires, delivers. As many as you like, on as many machines.

Wake-ups come through Procrastinate (``store.jobs``); they only make a round begin at once. Without any the rounds find
what is due by themselves. A worker that loses PostgreSQL ends with an error and is started again.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from datetime import datetime

import procrastinate
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone
from procrastinate.contrib.django.utils import connector_params

from colporteur.adapters import dns
from colporteur.daemons import checks, links
from colporteur.daemons.deliver import Delivery
from colporteur.daemons.sources import Asking
from colporteur.daemons.threads import close_connections, in_thread
from colporteur.daemons.tick import Round
from colporteur.domain.transports import ALONE, Share
from colporteur.flow import (
    archive,
    campaigns,
    clock,
    copies,
    destinations,
    digests,
    enrolments,
    errands,
    life,
    moderation,
    personal,
    planning,
    senders,
    services,
    signing,
    standing,
    tracking,
)
from colporteur.flow.campaigns import preflight
from colporteur.store.jobs import Wake, forget_dead

log = logging.getLogger("colporteur.work")

_DRAIN_SECONDS = 8.0
_CLOSE_SECONDS = 1.0  # what is to be done was done; a statement that takes longer is not waited for
_EXPIRE_SECONDS = 60.0
_DIGEST_SECONDS = 20.0
_LEARN_SECONDS = 15.0
_CLOCK_SECONDS = 5.0
_PURGE_SECONDS = 600.0
_DETAILS_SECONDS = 3600.0
_RECORDS_SECONDS = 30.0
_STANDING_SECONDS = 60.0
_CAMPAIGN_SECONDS = 10.0
_TRIAL_SECONDS = 3.0
_ASIDE_SECONDS = 10.0
_SILENT_MILLISECONDS = 15_000  # longer than any work between two statements of a transaction
_COLLECT = (100_000, 20, 20)  # copies come and go by the thousand and make no cycles
_SWITCH_SECONDS = 0.0005  # a thread that settles waits this long for the event loop's interpreter lock, not 5 ms


async def main(share: Share = ALONE) -> None:
    """Work until SIGTERM or SIGINT, then drain: nothing is lost and nothing will be sent twice. Of several that share a machine the first
    one does everything, the others only deliver.

    Raises what made it fail, after draining as far as possible.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connection_created.connect(_as_worker)
    await run(stop, share)


def _as_worker(connection: BaseDatabaseWrapper, **_: object) -> None:
    """A worker that stands still in mid-transaction (a frozen machine) must not keep its rows locked past its leases; and it
    reads rows by their keys: a plan made while a table was empty is kept when it has a million rows a minute later."""
    with connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = %s; SET enable_seqscan = off; SET jit = off", [_SILENT_MILLISECONDS])


async def run(stop: asyncio.Event, share: Share = ALONE) -> None:
    """The worker until ``stop`` is set."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # what is loaded stays: the collector need not look at it again and again
    gc.set_threshold(*_COLLECT)
    delivery = Delivery(share)
    deliver = Round(Wake.DELIVER, delivery.look)
    delivery.due = deliver.wake
    plan = Round(Wake.PLAN, _now(lambda now: planning.plan_due(now, known_only=True, unasked=waits)))
    cancel = Round("cancel", _now(planning.cancel_due))
    authors = Round("authors", _ask_about_authors, then=[plan])
    ask = Round("sources", Asking(plan.wake).look)
    waits = _waker([authors, ask])
    judge = Round(Wake.JUDGE, _now(moderation.judge_due), then=[plan], most=moderation.MOST)
    do_errands = Round(Wake.ERRANDS, _now(errands.do_due), then=[plan])
    enrol = Round(Wake.ENROL, _now(enrolments.do_due))
    woken = {Wake.JUDGE: [judge], Wake.PLAN: [plan, cancel, authors], Wake.ERRANDS: [do_errands], Wake.DELIVER: [deliver], Wake.ENROL: [enrol]}
    rounds = [
        *(one for several in woken.values() for one in several), ask, Round("expire", _now(moderation.expire_due), _EXPIRE_SECONDS), Round("pauses", _now(personal.pauses_due), _EXPIRE_SECONDS), Round("digests", _now(digests.make_due), _DIGEST_SECONDS, then=[plan]), Round("forget", _forget, _EXPIRE_SECONDS), Round("learn", _learn, _LEARN_SECONDS), Round("check", checks.check_due, checks.EVERY_SECONDS),
        Round("clock", _look_at_clock, _CLOCK_SECONDS), Round("purge", _now(life.purge_due), _PURGE_SECONDS), Round("standing", _now(standing.look_due), _STANDING_SECONDS), Round("archive", _now(archive.look), _PURGE_SECONDS), Round("records", look_for_records, _RECORDS_SECONDS),
        Round("handed-over", _now(enrolments.forget), _PURGE_SECONDS), Round("hits", _now(tracking.add_up), _EXPIRE_SECONDS), Round("campaigns", _now(campaigns.start_due), _CAMPAIGN_SECONDS, then=[plan]), Round("watched", _now(campaigns.look), _CAMPAIGN_SECONDS), Round("details", _now(tracking.purge_due), _DETAILS_SECONDS),
        Round("trials", _now(preflight.try_more), _TRIAL_SECONDS), Round("links", links.look_due, links.EVERY_SECONDS), Round("answers", _now(preflight.forget), _PURGE_SECONDS), Round("told", _now(services.look), _EXPIRE_SECONDS),
        Round("aside", _now(copies.put_aside), _ASIDE_SECONDS),
    ]  # fmt: skip
    if share.nth > 1:
        rounds, woken = [deliver], {}
    tasks = [asyncio.create_task(one.run(stop)) for one in rounds]
    listener = asyncio.create_task(_listen(woken) if woken else stop.wait())
    log.info("working")
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, listener, stopping], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    for one in rounds:
        one.wake()  # out of its sleep, to see that it is over
    await delivery.drain()
    listener.cancel()
    await asyncio.wait([*tasks, listener], timeout=_DRAIN_SECONDS)
    for task in done - {stopping}:
        task.result()
    await asyncio.to_thread(close_connections, _CLOSE_SECONDS)
    log.info("drained")


def _now(do: Callable[[datetime], int]) -> Callable[[], asyncio.Future[int]]:
    return lambda: asyncio.ensure_future(in_thread(do, timezone.now()))


async def _ask_about_authors() -> int:
    """Ask the DNS about the domains of authors whose mailings wait for it."""
    domains = await in_thread(senders.domains_to_look_up, timezone.now())
    for domain, policy in await dns.policies(domains):
        await in_thread(senders.remember, domain, policy, timezone.now())
    return len(domains)


async def _learn() -> int:
    """Ask the DNS where mail for recipients' domains ends."""
    await in_thread(destinations.ship)
    if domains := await in_thread(destinations.domains_to_look_up, timezone.now()):
        await in_thread(destinations.remember, await dns.exchangers(domains), timezone.now())
    return len(domains)


async def _forget() -> int:
    await in_thread(forget_dead)
    return 0


async def look_for_records() -> int:
    """Ask the DNS for the records of keys that are awaited or in use."""
    wanted = {name: key for key, name in await in_thread(signing.to_look_up, timezone.now())}
    for name, texts in await dns.texts(wanted):
        await in_thread(signing.looked_up, wanted[name], texts, timezone.now())
    return 0


async def _look_at_clock() -> int:
    await in_thread(clock.look)
    return 0


async def _listen(rounds: dict[Wake, list[Round]]) -> None:
    """Turn jobs into wake-ups. They are deleted when done: they carry nothing."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=3))
    for name, woken in rounds.items():
        app.task(name=name.value)(_waker(woken))
    async with app.open_async():
        await app.run_worker_async(
            concurrency=4, install_signal_handlers=False, delete_jobs="always", listen_notify=True, fetch_job_polling_interval=5.0, shutdown_graceful_timeout=1.0
        )


def _waker(rounds: list[Round]) -> Callable[[], None]:
    def wake() -> None:
        for one in rounds:
            loop.call_soon_threadsafe(one.wake)

    loop = asyncio.get_running_loop()
    return wake
