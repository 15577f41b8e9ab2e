"""Senders: what is known of authors' domains, so that From is rewritten where their DMARC policy demands it.

The worker looks domains up (``adapters.dns``) before it plans; here it is remembered. A look-up that failed keeps what was
known before; of a domain nothing is known of, no policy is assumed: mail goes out either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from colporteur.store.mailings import to_plan
from colporteur.store.senders import AuthorPolicy

_KEEP, _KEEP_FAILURE = timedelta(hours=6), timedelta(minutes=10)
_NEVER = (".example", ".test", ".invalid", ".localhost", ".local", ".lan", ".internal")  # RFC 2606, 6761, 6762, 9476: not in the public DNS
_STRICT = frozenset({"quarantine", "reject"})


def domain_of(address: str) -> str:
    """Domain of an address in normal form; "" when there is none, or none the public DNS knows."""
    domain = address.rpartition("@")[2].rstrip(".").lower()
    return "" if "." not in domain or f".{domain}".endswith(_NEVER) else domain


def known(domain: str, now: datetime) -> bool:
    """Whether the domain needs no look-up now."""
    return not domain or AuthorPolicy.objects.filter(domain=domain, expires__gt=now).exists()


def domains_to_look_up(now: datetime) -> list[str]:
    """Domains of authors whose mailings wait to be planned and whose policy is not known or too old."""
    return _unknown({domain_of(mailing.sender) for mailing in to_plan() if not mailing.planned_to} - {""}, now)


def _unknown(domains: Iterable[str], now: datetime) -> list[str]:
    if not (wanted := set(domains)):
        return []
    return sorted(wanted - set(AuthorPolicy.objects.filter(domain__in=wanted, expires__gt=now).values_list("domain", flat=True)))


def remember(domain: str, policy: str | None, now: datetime) -> None:
    """Keep the policy found for a domain (``none``, ``quarantine``, ``reject``), or None when the DNS did not answer."""
    if policy is None:
        made = AuthorPolicy.objects.get_or_create(domain=domain, defaults={"policy": "none", "looked_up_at": now, "expires": now + _KEEP_FAILURE})
        if not made[1]:
            AuthorPolicy.objects.filter(domain=domain).update(expires=now + _KEEP_FAILURE)
        return
    AuthorPolicy.objects.update_or_create(domain=domain, defaults={"policy": policy, "looked_up_at": now, "expires": now + _KEEP})


def strict(domain: str) -> bool:
    """Whether the domain's policy makes receivers refuse mail that passed through a list."""
    return bool(domain) and AuthorPolicy.objects.filter(domain=domain, policy__in=_STRICT).exists()
