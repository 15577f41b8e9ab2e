"""Many machines against one database: they share the work, and one that is cut off is replaced by the others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from colporteur import options
from colporteur.daemons.postgresql import Server
from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.flow import mailings
from colporteur.store.mailings import Mailing
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.machines import Machine, Network
from tests.servers.ports import wait_until
from tests.servers.sink import Sink
from tests.story.databases import elsewhere, open_folder
from tests.story.numbers import FULL
from tests.story.scenes import Installation, a_list, a_transport

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: run as root")

CONNECTIONS = 20
ANSWER = 0.05  # seconds the far server takes for every reply
BOUND = MOST_UNSETTLED + CONNECTIONS


class Site:
    """A machine with the database, one with the mail server everything goes to, and three for workers."""

    def __init__(self, folder: Path, network: Network, stack: ExitStack, blocker: Any) -> None:
        self.folder, self.stack = folder, stack
        self.database, far = network.machine("db"), network.machine("far")
        self.hosts = [network.machine(f"host{number}") for number in (1, 2, 3)]
        stack.enter_context(elsewhere(Server(folder / "postgres"), blocker, self.database))
        self.sink = Sink(keep_data=False, host=far.address, pause=ANSWER)
        with far.inside():
            stack.enter_context(self.sink)
        stack.callback(self._stop)
        self.workers = {host: self._worker(host) for host in self.hosts}
        a_transport(f"smtp://{far.address}:{self.sink.port}?tls=none")

    def _worker(self, host: Machine) -> Installation:
        own = {"COLPORTEUR_CONNECTIONS": str(CONNECTIONS), "COLPORTEUR_SWEEP": str(options.read("COLPORTEUR_SWEEP", {}))}
        return Installation(self.folder / host.name, database=f"postgresql://colporteur@{self.database.address}:5432/colporteur", options=own)

    def start(self, *hosts: Machine) -> None:
        """A worker on each of the machines."""
        for host in hosts:
            with host.inside():
                self.workers[host].start("worker")

    def words(self) -> str:
        """What the workers said last."""
        return "\n".join(f"{host.name}:\n{worker.words('worker')[-1500:]}" for host, worker in self.workers.items())

    def rate(self, connections: int, copies: int) -> float:
        """Copies taken a second, counted over so many once so many connections are open."""
        wait_until(lambda: self.sink.open == connections, 60, self.words)
        first, began = len(self.sink.taken), time.monotonic()
        wait_until(lambda: len(self.sink.taken) >= first + copies, 300, self.words)
        return (len(self.sink.taken) - first) / (time.monotonic() - began)

    def _stop(self) -> None:
        for worker in self.workers.values():
            worker.kill(*worker.parts)


@pytest.fixture
def site(django_db_blocker: Any) -> Iterator[Site]:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        yield Site(stack.enter_context(open_folder()), network, stack, django_db_blocker)


def done(site: Site, mailing: Mailing, seconds: float) -> None:
    wait_until(is_in(mailing, "done"), seconds, site.words())


def test_three_machines_send_about_three_times_as_much_as_one_and_no_copy_twice(site: Site) -> None:
    members, counted = 20_000, 2_000 if FULL else 250
    mailing = a_mailing(a_list(members=members))
    site.start(site.hosts[0])
    alone = site.rate(CONNECTIONS, counted)
    site.start(*site.hosts[1:])
    together = site.rate(3 * CONNECTIONS, counted * 3)
    wait_until(lambda: sum(session.taken > 0 for session in site.sink.sessions) >= 3 * CONNECTIONS, 60, lambda: f"a machine sends nothing\n{site.words()}")
    if not FULL:
        mailings.cancel(mailing.id, timezone.now(), "somebody")
    wait_until(is_in(mailing, "done", "cancelled"), 300, site.words())
    for worker in site.workers.values():
        assert worker.stop("worker") == {"worker": 0}
    print(f"one machine {alone:.0f}/s, three {together:.0f}/s: {together / alone:.2f}")
    if FULL:  # on a machine that is busy elsewhere it says nothing
        assert together > 1.8 * alone, "the machines wait for each other"
    assert len(site.sink.taken) == mailings.totals(mailing.id).sent and site.sink.repeated() == 0
    assert len(site.sink.taken) == members or not FULL
    sound(mailing)


def test_what_a_machine_held_that_was_cut_off_is_taken_over_without_help(site: Site) -> None:
    members = 10_000 if FULL else 2500
    mailing = a_mailing(a_list(members=members))
    site.sink.limit = 0  # until all three are there
    site.start(*site.hosts)
    wait_until(lambda: site.sink.open == 3 * CONNECTIONS, 60, site.words)
    site.sink.limit = inf
    wait_until(lambda: len(site.sink.taken) > members / 5, 60, site.words)
    lost = site.hosts[2]
    lost.cut_off()
    cut = time.monotonic()
    worker = site.workers[lost].parts["worker"]
    wait_until(lambda: worker.poll() is not None, 90, f"it goes on without its database:\n{site.words()}")
    assert worker.returncode == 1
    done(site, mailing, 180)
    print(f"done {time.monotonic() - cut:.1f} s after the cut, {site.sink.repeated()} copies repeated")
    assert len(site.sink.received()) == members, "somebody is missing"
    assert site.sink.repeated() <= BOUND
    assert mailings.totals(mailing.id).sent == members
    lost.plug()
    site.start(lost)  # whoever supervises it does
    wait_until(lambda: "working" in site.workers[lost].words("worker").rpartition("refused")[2], 60, site.words())
    sound(mailing)


def test_what_was_held_is_taken_over_within_thirty_seconds() -> None:
    """The lease, the sweep after it, and a second for the claim."""
    assert options.read("COLPORTEUR_LEASE", {}) + options.read("COLPORTEUR_SWEEP", {}) + 1 < 30
