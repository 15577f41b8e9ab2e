"""Whether we can listen where we were told to, and whether somebody answers there."""

from __future__ import annotations

import errno
import socket
import time

from colporteur.options import split_address

_PREDECESSOR_SECONDS = 5.0  # what a killed start left behind may hold its port for a moment


class PortTaken(Exception):
    """Nobody can listen there; the message names the option and says what to do."""


def check_free(variable: str, address: str, patience: float = _PREDECESSOR_SECONDS) -> None:
    """Raise ``PortTaken`` when we cannot listen on ``address`` (``host:port``), the value of option ``variable``."""
    host, port = split_address(address)
    deadline = time.monotonic() + patience
    while True:
        try:
            family, kind, protocol, _name, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(where)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PortTaken(f"cannot listen on {address}: {error.strerror}; set {variable} to another address:port") from None
            if time.monotonic() > deadline:
                raise PortTaken(f"another program listens on {address} already: stop it, or set {variable} to another address:port") from None
        time.sleep(0.1)


def answers(address: str, timeout: float = 3.0) -> bool:
    """Whether somebody takes connections on ``address``."""
    try:
        socket.create_connection(split_address(address), timeout).close()
    except OSError:
        return False
    return True
