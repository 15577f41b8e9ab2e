"""Ports of this machine, and waiting for a condition instead of for a time."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody answers on the port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def greets(port: int, seconds: float = 5) -> bool:
    """Whether a server on the port says something by itself: a listening socket alone may have nobody behind it yet."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=seconds) as probe:
        return bool(probe.recv(1))
    return False


def wait_until(true: Callable[[], object], seconds: float = 30, what: str = "") -> None:
    """Return when ``true()`` is; raises ``TimeoutError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what or f"{true} did not become true within {seconds} s")
        time.sleep(0.02)
