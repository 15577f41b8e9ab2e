"""A newsletter measured: personalised copies of 40 KB of HTML with 20 counted links, by the fast lane and by the slow one.

A real worker, its CPU and PostgreSQL's from /proc, into smtp-sink; beside it smtp-source sends as many messages of the same size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import NamedTuple

import psutil
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from colporteur.domain.campaigns import Editor, Lane, Tracking
from colporteur.flow import campaigns, copies
from colporteur.mail.campaigns.fields import COPY_TOKEN
from colporteur.mail.campaigns.message import Personal
from colporteur.store.campaigns import Campaign
from colporteur.store.health import Heartbeat
from colporteur.store.lists import List
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from colporteur.store.segments import Attribute, Details
from tests.bench.fanout import cpu, database, peak
from tests.servers.ports import wait_until
from tests.servers.postfix import Sink, smtp_source
from tests.story.scenes import Installation, a_list, a_transport

SIZE, LINKS = 40 * 1024, 20
_LOGIC = "{% if city == 'Brest' %}<p>See you in Brest, {{ first_name }}!</p>{% elif city %}<p>Is {{ city }} far?</p>{% else %}<p>Where do you live?</p>{% endif %}<ul>{% for one in lists %}<li>{{ loop.index }}. {{ one }}</li>{% endfor %}</ul>"


class Measured(NamedTuple):
    """One newsletter sent. CPU in ms a copy; ``alone``: of completing a copy, without anything around it; ``memory``: MiB of the worker."""

    lane: str
    copies: int
    size: int
    seconds: float
    reference: float
    cpu_worker: float
    cpu_database: float
    alone: float
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.lane} lane: {self.copies} copies of {self.size} bytes in {self.seconds:.1f} s: {self.copies / self.seconds:.0f}/s; smtp-source {self.copies / self.reference:.0f}/s; "
            f"CPU ms a copy {self.cpu_worker + self.cpu_database:.4f} (worker {self.cpu_worker:.4f}, PostgreSQL {self.cpu_database:.4f}; completing a copy alone {self.alone:.4f}); peak memory worker {self.memory} MiB"
        )


def run(home: Path, members: int, sessions: int) -> None:
    """Send two newsletters to a list of ``members``; print the figures of each."""
    call_command("migrate", verbosity=0)
    sink = Sink(home / "sink")
    options = {"COLPORTEUR_BASE_URL": "https://lists.example", "COLPORTEUR_CONNECTIONS": str(sessions), "COLPORTEUR_SWEEP": "2", "COLPORTEUR_LOG": "warning"}
    with sink.running() as running, Installation(home / "parts", options=options) as installation:
        a_transport(f"smtp://127.0.0.1:{running.port}")
        list_ = _readers(members)
        for lane in (Lane.FAST, Lane.SLOW):
            with _worker(installation) as worker:
                print(_measure(list_, lane, members, sessions, running.port, installation, worker), flush=True)


def _readers(members: int) -> List:
    list_ = a_list("bench@lists.example", members=members, template="newsletter", title="Bench", tracking=Tracking.PEOPLE.value)
    Attribute.objects.create(list=list_, key="city", label="City")
    Address.objects.filter(memberships__list=list_).update(name="Anna Rivoire-Le Goff")
    Details.objects.bulk_create((Details(list=list_, address_id=pk, values={"city": "Brest" if pk % 2 else "Quimperlé"}) for pk in Address.objects.filter(memberships__list=list_).values_list("pk", flat=True)), batch_size=5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return list_


@contextlib.contextmanager
def _worker(installation: Installation) -> Iterator[psutil.Process]:
    installation.start("worker")
    began = timezone.now()
    wait_until(lambda: Heartbeat.objects.filter(part="worker", at__gt=began).exists(), 60, "the worker does not start")
    try:
        yield psutil.Process(installation.parts["worker"].pid)
    finally:
        installation.stop("worker")


def _source(lane: Lane) -> str:
    links = "".join(f'<p>{{{{ first_name }}}}, look at <a href="https://shop.example/basket/{number}?from=news">basket {number}</a>.</p>' for number in range(LINKS))
    words = "<p>Forty-two baskets of vegetables will be there on Thursday évening.</p>\n"
    body = f"<p>Hello {{{{ name }}}} of {{{{ city|default('nowhere') }}}}</p>{links}{_LOGIC if lane is Lane.SLOW else ''}<p><a href=\"{{{{ url_unsubscribe }}}}\">Leave</a> <a href=\"{{{{ url_web }}}}\">Browser</a></p>"
    return body + words * ((SIZE - len(body) - 4096) // len(words))


def _measure(list_: List, lane: Lane, members: int, sessions: int, port: int, installation: Installation, worker: psutil.Process) -> Measured:
    campaign = campaigns.create(list_, timezone.now(), by="bench", subject="{{ first_name }}, les paniers de l'été", editor=Editor.HTML, source=_source(lane), text="Hello {{ name }}, {{ url_web }}\n", tracking=Tracking.PEOPLE.value)
    spent = {"worker": cpu([worker]), "database": cpu(database())}
    began = monotonic()
    mailing = campaigns.start(campaign.pk, timezone.now(), "bench", untried=True)
    assert mailing
    wait_until(lambda: Mailing.objects.filter(pk=mailing.pk, state="done").exists(), 1800, installation.words("worker")[-2000:])
    seconds = monotonic() - began
    each = 1000 / members
    used = {"worker": (cpu([worker]) - spent["worker"]) * each, "database": (cpu(database()) - spent["database"]) * each}
    alone, size = _alone(campaign, mailing)
    words = ["-s", str(sessions), "-d", "-l", str(size), "-m", str(members)]
    return Measured(lane.value, members, size, seconds, smtp_source(port, *words), used["worker"], used["database"], alone, peak(worker))


def _alone(campaign: Campaign, mailing: Mailing) -> tuple[float, int]:
    """Milliseconds of CPU to complete a copy, in this process, and the size of one."""
    message = copies.message_of(mailing.pk).prepared
    assert isinstance(message, Personal)
    reader = {"email": "anna.rivoire@members.example", "name": "Anna Rivoire-Le Goff", "city": "Brest", "lists": ["Bench"], COPY_TOKEN: "abcdefgh2345abcdefgh2345"}
    number, began, until = 0, process_time(), perf_counter() + 2
    while perf_counter() < until:
        message.wire_for(message.values_for(reader))
        number += 1
    return (process_time() - began) * 1000 / number, len(message.copy_for(reader))
