"""Passwords tried: how often for one address and from one place, so that nobody guesses for long.

An attempt is booked before the password is looked at, so that many at once are not more than one after the other. Addresses
nobody has are counted like others: the answer tells nothing. Whoever is kept out by somebody else's attempts has the mailed link.
"""

from __future__ import annotations

import ipaddress
import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from colporteur.domain.addresses import normal
from colporteur.store.people import SignInAttempt

log = logging.getLogger("colporteur.people")

WINDOW = timedelta(minutes=15)
OF_ADDRESS, OF_CLIENT = 10, 30
"""Attempts within the window; a whole office may share one client address."""


class Attempt(NamedTuple):
    """A booked attempt: the address it is for, and its rows."""

    of: str
    rows: list[int]


def begin(email: str, client: str, now: datetime) -> Attempt | None:
    """Book an attempt for an address, from a client's IP address ("": not known); None when there were too many.

    An attempt that is refused does not count: trying on does not lengthen the wait. Raises ``ValueError`` when ``email`` is
    not an address.
    """
    of = f"address:{normal(email)}"
    limits = {of: OF_ADDRESS} | ({f"client:{place}": OF_CLIENT} if (place := _place(client)) else {})
    SignInAttempt.objects.filter(at__lte=now - WINDOW).delete()
    rows = [made.pk for made in SignInAttempt.objects.bulk_create([SignInAttempt(of=key, at=now) for key in limits])]
    for key, most in limits.items():
        if SignInAttempt.objects.filter(of=key, at__gt=now - WINDOW).count() > most:
            SignInAttempt.objects.filter(pk__in=rows).delete()
            log.warning("sign-in refused after too many attempts of=%s client=%s", key, client)
            return None
    return Attempt(of, rows)


def book(of: str, now: datetime, most: int = OF_ADDRESS) -> bool:
    """Book something else that makes us write letters, under a name; False when it was done ``most`` times within the window."""
    SignInAttempt.objects.filter(at__lte=now - WINDOW).delete()
    if SignInAttempt.objects.filter(of=of).count() >= most:
        return False
    SignInAttempt.objects.create(of=of, at=now)
    return True


def forget(of: str) -> None:
    """What was booked under a name counts no more."""
    SignInAttempt.objects.filter(of=of).delete()


def from_client(client: str, now: datetime) -> bool:
    """Book a letter asked for from an IP address; False when there were too many."""
    place = _place(client)
    return not place or book(f"letters:{place}", now, OF_CLIENT)


def succeeded(attempt: Attempt) -> None:
    """The password was right: the address begins anew. The client does not: an own account must not buy more guesses."""
    SignInAttempt.objects.filter(of=attempt.of).delete()
    SignInAttempt.objects.filter(pk__in=attempt.rows).delete()


def _place(client: str) -> str:
    """What one person can hardly change: the address, of IPv6 the network of 64 bits. "" for this machine and for no address."""
    try:
        address = ipaddress.ip_address(client.strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return "" if address.is_loopback else str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return "" if address.is_loopback else str(address)
