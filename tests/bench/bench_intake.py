"""How fast mail comes in: bursts of small posts from ``smtp-source`` into our receiving process, committed, beside the
same burst into ``smtp-sink``, which stores nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
import psutil
import psycopg

from tests.servers.postfix import Sink, smtp_source

SIZE = 4096
SESSIONS = 20
LIST = "burst@lists.example"


def run(messages: int = 3000) -> dict[str, Any]:
    """Posts per second taken and committed, of smtp-sink, their ratio, our CPU milliseconds per post (receiver, database)
    and the receiver's peak memory in MiB; ``burst_500_s``: seconds 500 posts take right after the start."""
    with tempfile.TemporaryDirectory(prefix="colporteur-bench-", dir="/tmp") as folder:
        place = Path(folder)
        place.chmod(0o755)
        os.environ.setdefault("COLPORTEUR_DATA", str(place / "settings"))  # the settings want a place for their key
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colporteur.settings")
        django.setup()
        from colporteur.daemons.database import Server  # late: they read the settings
        from tests.story.scenes import REPOSITORY, Installation

        server = Server(place / "postgres")
        server.start()
        try:
            with Installation(place / "installation", database=f"postgresql://colporteur@/colporteur?host={server.sockets}&port=5432") as installation:
                installation.cli("migrate")
                arrange = f"import django; django.setup(); from tests.story.scenes import a_list; a_list({LIST!r})"
                subprocess.run([sys.executable, "-c", arrange], env=installation.environment | {"DJANGO_SETTINGS_MODULE": "colporteur.settings"}, cwd=REPOSITORY, check=True)
                installation.start("receive")
                assert server.process
                burst = _feed(installation.lmtp_port, 500)
                receiver, database = psutil.Process(installation.parts["receive"].pid), psutil.Process(server.process.pid)
                before = _cpu(receiver), _cpu(database)
                seconds = _feed(installation.lmtp_port, messages)
                after = _cpu(receiver), _cpu(database)
                with psycopg.connect(server.dsn()) as connection:
                    row = connection.execute("SELECT count(*) FROM post").fetchone()
                if row != (500 + messages,):
                    raise RuntimeError(f"{row} posts are there, not {500 + messages}")
                peak = receiver.memory_info().rss / 2**20
        finally:
            server.stop()
        with Sink(place / "sink", lmtp=True).running() as sink:
            reference = _feed(sink.port, messages)
    return {
        "burst_500_s": round(burst, 3), "posts_per_s": round(messages / seconds, 1), "sink_per_s": round(messages / reference, 1), "ratio": round(reference / seconds, 3),
        "receiver_cpu_ms": round(1000 * (after[0] - before[0]) / messages, 3), "database_cpu_ms": round(1000 * (after[1] - before[1]) / messages, 3), "receiver_mib": round(peak, 1),
    }  # fmt: skip


def _feed(port: int, messages: int) -> float:
    return smtp_source(port, "-L", "-d", "-s", str(SESSIONS), "-m", str(messages), "-l", str(SIZE), "-f", "anna@members.example", "-t", LIST)


def _cpu(process: psutil.Process) -> float:
    """Seconds of user and system time of the process and its children, ended ones included."""
    own = process.cpu_times()
    return float(own.user + own.system + own.children_user + own.children_system + sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True)))


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:20}{value}")
