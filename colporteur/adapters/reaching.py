"""Which hosts people may have us connect to: those of the Internet, and of networks the installation named. One guard for
sources and mailboxes; what administrators of the site set themselves passes it by."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_SHARED = ipaddress.ip_network("100.64.0.0/10")
_EMBEDDED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"), ipaddress.ip_network("::/96"))  # IPv4 in IPv6: RFC 6052, 3056, 4291


def outside(address: str, networks: Sequence[str] = ()) -> bool:
    """Whether an IP address is one of the public Internet, or of one of these networks (like ``10.0.5.0/24``)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if any(ip in ipaddress.ip_network(network) for network in networks):
        return True
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in _EMBEDDED):
            return False
    return ip.is_global and not ip.is_multicast and ip not in _SHARED
