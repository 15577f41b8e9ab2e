"""Fan-out measured: the product's receive and worker parts as real processes, their CPU and PostgreSQL's from /proc."""

from __future__ import annotations

import contextlib
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep, time
from typing import NamedTuple

import psutil
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from colporteur.domain.signing import Algorithm
from colporteur.flow import signing
from colporteur.store.health import Heartbeat
from colporteur.store.mailings import Mailing
from colporteur.store.people import Address
from tests.servers.ports import free_port, listens, wait_until
from tests.servers.postfix import Sink, smtp_source
from tests.story.scenes import Installation, a_list, a_transport, message


class Run(NamedTuple):
    """One fan-out beside its reference. ``cpu``: ms per copy; ``memory``: MiB at the peak of the worker, and of the receiver."""

    copies: int
    seconds: float
    reference: float
    cpu_worker: float
    cpu_receive: float
    cpu_database: float
    memory: int
    memory_receive: int

    @property
    def rate(self) -> float:
        return self.copies / self.seconds

    @property
    def ratio(self) -> float:
        return self.reference / self.seconds

    @property
    def cpu(self) -> float:
        return self.cpu_worker + self.cpu_receive + self.cpu_database

    def __str__(self) -> str:
        return (
            f"{self.copies} copies in {self.seconds:.2f} s: {self.rate:.0f}/s; smtp-source {self.copies / self.reference:.0f}/s; ratio {self.ratio:.2f}; CPU ms a copy "
            f"{self.cpu:.4f} (worker {self.cpu_worker:.4f}, receiver {self.cpu_receive:.4f}, PostgreSQL {self.cpu_database:.4f}); peak memory worker {self.memory} MiB, receiver {self.memory_receive} MiB"
        )


class Fanout:
    """A list of ``members``, the parts, and a sink; ``run`` posts once and waits until the mailing is done.

    ``wait``: seconds the sink lets pass before each reply (our own sink then; smtp-sink knows whole seconds only).
    ``sign``: what copies are signed with, ``rsa``, ``ed25519`` or ``both``. ``together``: the same copy for all, and
    smtp-source with 50 recipients in a transaction beside it. ``workers``: processes that share the connections, as `colporteur run` starts them.
    """

    def __init__(self, home: Path, members: int, size: int, sessions: int, wait: float = 0.0, sign: str | None = None, *, together: bool = False, workers: int = 1) -> None:
        call_command("migrate", verbosity=0)
        self.members, self.size, self.sessions, self.together = members, size, sessions, together
        options = {"COLPORTEUR_BASE_URL": "https://lists.example", "COLPORTEUR_CONNECTIONS": str(sessions), "COLPORTEUR_SWEEP": "2", "COLPORTEUR_LOG": "warning"}
        self.installation, *self.others = [Installation(home / f"parts-{number}", options=options) for number in range(workers)]
        self.sink, self.wait, self.sign = Sink(home / "sink"), wait, sign
        self.port = free_port()
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Fanout:
        if self.wait:
            self.stack.enter_context(self._slow())
        else:
            self.port = self.stack.enter_context(self.sink.running()).port
        a_transport(f"smtp://127.0.0.1:{self.port}")
        footer = "-- \n{name} <{email}> receives this from {list}.\nTo leave: {unsubscribe}\n"
        list_ = a_list("bench@lists.example", members=self.members, template="discussion", title="Bench", posting="world", stranger="hold", from_form="author", prefix="[bench]", footer=footer, copies="together" if self.together else "individual")
        Address.objects.filter(memberships__list=list_).update(name="Anna Rivoire-Le Goff")
        assert list_.domain
        for algorithm in Algorithm:
            if self.sign in (algorithm, "both"):
                signing.use(signing.make(list_.domain, algorithm, timezone.now(), by="bench"), timezone.now(), by="bench", force=True)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        self.stack.enter_context(self.installation)
        self.installation.start("receive")
        for nth, one in enumerate((self.installation, *self.others), 1):
            (one if nth == 1 else self.stack.enter_context(one)).start(f"worker --share {nth}/{1 + len(self.others)}")
        wait_until(lambda: Heartbeat.objects.filter(part__in=["worker", "delivery"]).count() == 1 + len(self.others), 60, "the workers do not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @contextlib.contextmanager
    def _slow(self) -> Iterator[None]:
        sink = subprocess.Popen([sys.executable, "-m", "tests.bench.slow_sink", str(self.port), str(self.wait)])
        try:
            wait_until(lambda: listens(self.port))
            yield
        finally:
            sink.kill()
            sink.wait()

    def run(self, number: int) -> Run:
        """Post once; the numbers."""
        at_once = 50 if self.together else 1
        words = ["-s", str(self.sessions), "-d", "-l", str(self.size), "-m", str(self.members // at_once), "-r", str(at_once)]
        reference = smtp_source(self.port, *words)
        parts = {"worker": [psutil.Process(one.parts["worker"].pid) for one in (self.installation, *self.others)], "receive": [psutil.Process(self.installation.parts["receive"].pid)]}
        before = {name: cpu(all_) for name, all_ in parts.items()} | {"database": cpu(database())}
        began = time()
        post(self.installation.lmtp_port, "bench@lists.example", number, self.size)
        seconds = done(number + 1, 300, self.installation, every=0.2) - began
        spent = {name: cpu(all_) - before[name] for name, all_ in parts.items()} | {"database": cpu(database()) - before["database"]}
        reference = (reference + smtp_source(self.port, *words)) / 2
        each = 1000 / self.members
        return Run(self.members, seconds, reference, spent["worker"] * each, spent["receive"] * each, spent["database"] * each, max(map(peak, parts["worker"])), peak(parts["receive"][0]))


def post(port: int, to: str, number: int, size: int) -> None:
    """Hand a post of ``size`` bytes over by LMTP; its number makes it new."""
    line = "Forty-two baskets of vegetables will be there on Thursday evening.\r\n"
    head = message("anna@courriel.example", to, f"Baskets {number}", "")
    raw = head + (line * (1 + size // len(line))).encode()[: size - len(head) - 2] + b"\r\n"
    with smtplib.LMTP("127.0.0.1", port) as client:
        client.sendmail("anna@courriel.example", [to], raw)


def done(number: int, seconds: float, installation: Installation, every: float = 0.02) -> float:
    """When the last of so many mailings was done, Unix time. Asked seldom, because that takes from the cores that are measured. Raises ``TimeoutError``."""
    until = time() + seconds
    while Mailing.objects.filter(state="done").count() < number:
        if time() > until:
            raise TimeoutError(installation.words("worker")[-2000:])
        sleep(every)
    finished = Mailing.objects.filter(state="done").latest("finished").finished
    assert finished
    return finished.timestamp()


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of user and system time, ended children included."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def database() -> list[psutil.Process]:
    """The server and its living backends, without the one that measures."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])
    server = backend.parent()
    assert server
    return [server, *(child for child in server.children() if child != backend)]


def peak(process: psutil.Process) -> int:
    """Most memory the process ever had, MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0
