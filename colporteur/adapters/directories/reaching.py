"""Reaching a host, never one of our own network unless that was allowed: the address that was looked at is the one connected to."""

from __future__ import annotations

import ipaddress
import socket

from colporteur.adapters.directories import Trouble
from colporteur.domain.words import gettext_noop as _

CONNECT_SECONDS = 15.0
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_EMBEDDED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"), ipaddress.ip_network("::/96"))  # IPv4 in IPv6: RFC 6052, 3056, 4291


def address_of(host: str, port: int, internal: bool) -> str:
    """An address of the host that may be connected to. Raises ``Trouble``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Trouble(_("{host} is not found"), host=host, detail=str(error)) from error
    for _family, _type, _protocol, _name, place in found:
        if internal or outside(str(place[0])):
            return str(place[0])
    raise Trouble(_("{host} lies inside a network of its own: only an administrator of the site may allow that"), host=host, lasting=True)


def outside(address: str) -> bool:
    """Whether an IP address is one of the public Internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in _EMBEDDED):
            return False
    return ip.is_global and not ip.is_multicast and ip not in _SHARED


def connect(host: str, port: int, internal: bool) -> socket.socket:
    """A connected socket with a timeout. Raises ``Trouble``."""
    address = address_of(host, port, internal)
    try:
        return socket.create_connection((address, port), CONNECT_SECONDS)
    except OSError as error:
        raise Trouble(NO_ANSWER, host=host, port=port, detail=str(error)) from error


NO_ANSWER = _("{host} does not answer on port {port}")
