"""What the DNS says about a mail domain: where its mail goes, who may send for it."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.resolver

_SECONDS = 3.0
NEVER_LOOKED_UP = ("example", "test", "invalid", "localhost")  # RFC 2606 section 2


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a domain; empty when there are none. ``trouble`` says why nothing could be learned."""

    mx: tuple[str, ...] = ()  # host names, the preferred first
    spf: str = ""  # RFC 7208
    dmarc: str = ""  # RFC 7489
    trouble: str = ""


def look_up(domain: str) -> Records:
    """Ask the DNS about ``domain``. Never raises."""
    if domain.rpartition(".")[2] in NEVER_LOOKED_UP:
        return Records(trouble=f"{domain} is reserved for examples and is never looked up")
    resolver = dns.resolver.Resolver()
    resolver.lifetime = _SECONDS
    try:
        hosts = tuple(str(record.exchange).rstrip(".") for record in sorted(_answers(resolver, domain, "MX"), key=lambda record: record.preference))
        return Records(mx=hosts, spf=_text(resolver, domain, "v=spf1"), dmarc=_text(resolver, f"_dmarc.{domain}", "v=DMARC1"))
    except (dns.exception.DNSException, OSError) as error:
        return Records(trouble=f"the DNS does not answer: {type(error).__name__}")


def _answers(resolver: dns.resolver.Resolver, name: str, kind: str) -> list:  # type: ignore[type-arg]
    try:
        return list(resolver.resolve(name, kind))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


def _text(resolver: dns.resolver.Resolver, name: str, beginning: str) -> str:
    texts = (b"".join(record.strings).decode("ascii", "replace") for record in _answers(resolver, name, "TXT"))
    return next((text for text in texts if text.lower().startswith(beginning.lower())), "")
