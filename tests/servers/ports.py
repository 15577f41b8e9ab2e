"""Ports of this machine, and waiting for a condition instead of for a time."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

_DICE, _given = random.SystemRandom(), set[int]()
_PATIENCE = 3  # seconds are those of a machine with nothing else to do; another one may take so many times longer


def free_port() -> int:
    """A TCP port nobody listens on now, never the same twice.

    None of those the system gives to clients: a connection on its way out could take it before the server does, and one to
    itself would look like a server. Each process that runs tests has ports of its own.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    number, processes = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = _DICE.randrange(10_240 + number, max(first, 20_480), processes)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def listens(port: int) -> bool:
    """Whether somebody answers on the port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def greets(port: int, seconds: float = 5) -> bool:
    """Whether a server on the port says something by itself: a listening socket alone may have nobody behind it yet."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=seconds) as probe:
        return bool(probe.recv(1))
    return False


def wait_until(true: Callable[[], object], seconds: float = 60, what: str | Callable[[], str] = "") -> None:
    """Return when ``true()`` is; raises ``TimeoutError`` after three times ``seconds``, saying ``what``, or what that answers then."""
    deadline = time.monotonic() + _PATIENCE * seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError((what() if callable(what) else what) or f"{true} did not become true within {_PATIENCE * seconds} s")
        time.sleep(0.02)
