"""Reaching a host, never one of our own network unless that was allowed: the address that was looked at is the one connected to."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from colporteur.adapters.directories import Trouble
from colporteur.adapters.reaching import outside
from colporteur.domain.words import gettext_noop as _

CONNECT_SECONDS = 15.0


def address_of(host: str, port: int, internal: bool, networks: Sequence[str] = ()) -> str:
    """An address of the host that may be connected to; ``networks`` of our own anybody may name. Raises ``Trouble``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Trouble(_("{host} is not found"), host=host, detail=str(error)) from error
    for _family, _type, _protocol, _name, place in found:
        if internal or outside(str(place[0]), networks):
            return str(place[0])
    raise Trouble(_("{host} lies inside a network of its own: only an administrator of the site may allow that"), host=host, lasting=True)


def connect(host: str, port: int, internal: bool, networks: Sequence[str] = ()) -> socket.socket:
    """A connected socket with a timeout. Raises ``Trouble``."""
    address = address_of(host, port, internal, networks)
    try:
        return socket.create_connection((address, port), CONNECT_SECONDS)
    except OSError as error:
        raise Trouble(NO_ANSWER, host=host, port=port, detail=str(error)) from error


NO_ANSWER = _("{host} does not answer on port {port}")
