"""``make bench``: one 4 KiB post to 10,000 members, individual copies, through the real pipeline into smtp-sink.

The post comes in by LMTP; each copy has its own envelope sender, one-click links and a footer with the member's name.
Beside it, in the same run, Postfix's ``smtp-source -s 20 -d`` sends as many messages of the same size to the same sink.
Copies per second count from the first byte of the LMTP dialogue to the mailing being done, planning included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="colporteur-bench-", dir="/tmp"))
HOME.chmod(0o755)
os.environ.update(
    COLPORTEUR_DATA=str(HOME), COLPORTEUR_SECRET_KEY="a key for the bench only, thirty-two characters", DJANGO_SETTINGS_MODULE="colporteur.settings", COLPORTEUR_BASE_URL="https://lists.example"
)
for _name in ("DATABASE_URL", "COLPORTEUR_DEMO", "LC_ALL"):
    os.environ.pop(_name, None)


def main() -> None:
    """Run the bench and print its numbers."""
    words = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--members", type=int, nargs="+", default=[])
    words.add_argument("--runs", type=int, default=3)
    words.add_argument("--size", type=int, default=4096, help="bytes of the post")
    words.add_argument("--sessions", type=int, default=20, help="connections of smtp-source and of ours")
    words.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="what the server lets pass before it answers, as from far away")
    words.add_argument("--sign", choices=("rsa", "ed25519", "both"), help="sign every copy by DKIM")
    words.add_argument("--together", action="store_true", help="the same copy for all, 50 recipients in a transaction")
    words.add_argument("--workers", type=int, default=0, help="processes that deliver; 0: as many as `colporteur run` starts here")
    words.add_argument("--campaign", action="store_true", help="a newsletter of 40 KB with 20 counted links to 200,000 readers (or to --members), by the fast and by the slow lane")
    words.add_argument("--scale", action="store_true", help="lists of 1,000 to 1,000,000 members (or of --members): does size matter?")
    words.add_argument("--sources", action="store_true", help="a source of 100,000 members (or of --members) that did not change")
    words.add_argument("--lists", action="store_true", help="every page of lists and members, with 10,000 lists and one of 1,000,000 members (or of --members); imports")
    words.add_argument("--bounces", action="store_true", help="1,000 delivery reports (or --members) taken in and acted on")
    words.add_argument("--intake", action="store_true", help="measure intake over LMTP instead")
    asked = words.parse_args()
    if asked.intake:
        from tests.bench.bench_intake import run as intake

        for name, value in intake().items():
            print(f"{name:20}{value}")
        return

    import django

    from colporteur.daemons import database
    from colporteur.daemons.postgresql import Server

    server = Server(database.place(HOME))
    server.start()
    try:
        django.setup()
        if asked.sources:
            from tests.bench.sources import run as follow

            print(follow(*asked.members[:1]))
            return
        if asked.lists:
            from tests.bench.pages import run as look

            look(*asked.members[:1])
            return
        if asked.bounces:
            from tests.bench.bounces import run as return_

            print(return_(*asked.members[:1]))
            return
        if asked.campaign:
            from tests.bench.campaign import run as write

            write(HOME, (asked.members or [200_000])[0], asked.sessions)
            return
        if asked.scale:
            from tests.bench.scale import run as scale

            scale(HOME, asked.members or [1_000, 10_000, 100_000, 1_000_000], asked.size, asked.sessions)
            return
        from colporteur.daemons.run import workers_here
        from tests.bench.fanout import Fanout

        with Fanout(HOME, (asked.members or [10_000])[0], asked.size, asked.sessions, asked.wait, asked.sign, together=asked.together, workers=asked.workers or workers_here()) as fanout:
            runs = []
            for number in range(asked.runs):
                runs.append(fanout.run(number))
                print(runs[-1], flush=True)
            ratio = statistics.median(run.ratio for run in runs)
            print(f"median of {len(runs)}: {statistics.median(run.rate for run in runs):.0f} copies/s, ratio {ratio:.2f} of smtp-source, "
                  f"{statistics.median(run.cpu for run in runs):.4f} ms CPU a copy (PostgreSQL included), peak memory of the worker {max(run.memory for run in runs)} MiB")  # fmt: skip
    finally:
        server.stop()
        shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"took {time.monotonic() - began:.0f} s")
