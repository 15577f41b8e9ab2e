"""CPU microseconds of ``copy_for`` and ``wire_for`` for a post of 4 KiB: ``python tests/bench/bench_render.py``. No test: it prints."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from colporteur.mail.render import Prepared, Rewriting, prepare

COPIES = 100_000
ONE_CLICK = Rewriting(
    list_address="amap@list.example", list_title="Les Paniers du Saule", list_id="amap.list.example", prefix="[amap]", post="amap@list.example", owner="amap-owner@list.example",
    unsubscribe_mailto="amap-unsubscribe+{token}@list.example", unsubscribe_url="https://list.example/u/{token}",
)  # fmt: skip
FOOTER = Rewriting(**{**{name: getattr(ONE_CLICK, name) for name in ONE_CLICK.__dataclass_fields__}, "footer": "-- \n{list}, {name} <{email}>\nSe désabonner : {unsubscribe}"})
HEAD = b"From: Marc <marc@example.org>\nTo: amap@list.example\nSubject: Les paniers\nMessage-ID: <1@x>\nDate: Mon, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n"
TEXT = b"Bonjour a tous, voici la liste des legumes.\n" * 93


def post(way: str) -> bytes:
    """About 4 KiB of text."""
    body = base64.encodebytes(TEXT[:3000]) if way == "base64" else TEXT
    return HEAD + f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {way}\n\n".encode() + body


def microseconds(make: Callable[[str, str, str], bytes]) -> float:
    """One copy, the average of many."""
    began = time.process_time()
    for _ in range(COPIES):
        make("anna@example.org", "Anna Martin", "abcdefghabcdefghabcdefgh")
    return (time.process_time() - began) / COPIES * 1e6


def main() -> None:
    """Print a line for each case."""
    for title, rules, way in (("header slots only", ONE_CLICK, "7bit"), ("and a footer with names", FOOTER, "7bit"), ("the same, quoted-printable", FOOTER, "quoted-printable"), ("the same, base64", FOOTER, "base64")):
        began = time.process_time()
        prepared: Prepared = prepare(post(way), rules)
        once = (time.process_time() - began) * 1e6
        size = len(prepared.copy_for("anna@example.org", "Anna Martin", "abcdefghabcdefghabcdefgh"))
        print(f"{title:28} {size:5} bytes  prepare {once:6.0f} us  copy {microseconds(prepared.copy_for):5.2f} us  wire {microseconds(prepared.wire_for):5.2f} us")


if __name__ == "__main__":
    main()
