"""The DNS asked without waiting for one answer after the other: DMARC policies (RFC 9989: the author's domain, else its
organisational domain found by the tree walk), and TXT records by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

SECONDS = 3.0
"""How long one domain may take altogether."""
_MOST_LABELS = 8  # queries of one walk, RFC 9989 section 4.10
_AT_ONCE = 20


class NoAnswer(Exception):
    """The DNS did not say whether there is a policy: time-out, server failure, no server."""


async def policies(domains: Iterable[str], resolver: dns.asyncresolver.Resolver | None = None) -> list[tuple[str, str | None]]:
    """(domain, ``none`` | ``quarantine`` | ``reject``) for each; None where the DNS did not answer."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(domain: str) -> tuple[str, str | None]:
        async with gate:
            try:
                return domain, await policy(domain, resolver)
            except NoAnswer:
                return domain, None

    return list(await asyncio.gather(*(one(domain) for domain in domains)))


async def texts(names: Iterable[str], resolver: dns.asyncresolver.Resolver | None = None) -> list[tuple[str, tuple[str, ...] | None]]:
    """(name, its TXT records, the strings of each joined) for each; None where the DNS did not answer."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> tuple[str, tuple[str, ...] | None]:
        async with gate:
            try:
                asking = resolver or dns.asyncresolver.get_default_resolver()
                async with asyncio.timeout(SECONDS):
                    return name, tuple(await _texts(asking, name))
            except (TimeoutError, dns.exception.DNSException, OSError):
                return name, None

    return list(await asyncio.gather(*(one(name) for name in names)))


async def policy(domain: str, resolver: dns.asyncresolver.Resolver | None = None) -> str:
    """The policy that holds for mail of authors in ``domain``. Raises ``NoAnswer``."""
    try:
        asking = resolver or dns.asyncresolver.get_default_resolver()
        async with asyncio.timeout(SECONDS):
            return await _policy(asking, domain.rstrip(".").lower())
    except (TimeoutError, dns.exception.DNSException, OSError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error


async def _policy(resolver: dns.asyncresolver.Resolver, domain: str) -> str:
    own = await _record(resolver, domain)
    if own is not None:
        return _wanted(own, ("p",))
    found = await _organisation(resolver, domain)
    if found is None:
        return "none"
    exists = await _exists(resolver, domain)
    return _wanted(found, ("sp", "p") if exists else ("np", "sp", "p"))


async def _organisation(resolver: dns.asyncresolver.Resolver, domain: str) -> dict[str, str] | None:
    """Record of the organisational domain above ``domain`` (section 4.10.2), or of the public suffix that has one."""
    labels = domain.split(".")[1:]
    if len(labels) >= _MOST_LABELS:
        labels = labels[-(_MOST_LABELS - 1) :]
    found: dict[str, str] | None = None
    while labels:
        record = await _record(resolver, ".".join(labels))
        if record is not None:
            if record.get("psd") == "n":
                return record  # says itself that it is the organisational domain
            if record.get("psd") == "y":
                return found or record  # a public suffix: the domain below it, else its own word
            found = record
        labels = labels[1:]
    return found


async def _record(resolver: dns.asyncresolver.Resolver, domain: str) -> dict[str, str] | None:
    """Tags of the one DMARC record at ``_dmarc.domain``; None when there is none, or more than one."""
    records = [tags for text in await _texts(resolver, f"_dmarc.{domain}") if (tags := _tags(text)) is not None]
    return records[0] if len(records) == 1 else None


async def _texts(resolver: dns.asyncresolver.Resolver, name: str) -> list[str]:
    """TXT records at a name; none where there is no such name, or it can be none."""
    try:
        answer = await resolver.resolve(dns.name.from_text(f"{name}."), dns.rdatatype.TXT, raise_on_no_answer=False)
    except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
        return []
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer.rrset or ()]


def _tags(text: str) -> dict[str, str] | None:
    """Tags of a record; None when it is not a DMARC record (section 4.7: ``v=DMARC1`` comes first)."""
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (part.partition("=") for part in text.split(";")) if name.strip()]
    if not pairs or pairs[0] != ("v", "DMARC1"):
        return None
    tags: dict[str, str] = {}
    for name, value in pairs:
        tags.setdefault(name, value.lower())
    return tags


def _wanted(tags: dict[str, str], names: tuple[str, ...]) -> str:
    """The first of the tags that is there; a missing or unreadable policy reads as none. ``t=y`` (testing) asks
    receivers to be one step milder."""
    word = next((tags[name] for name in names if name in tags), "none")
    if word not in ("none", "quarantine", "reject"):
        word = "none"
    if tags.get("t") == "y":
        return {"reject": "quarantine"}.get(word, "none")
    return word


async def _exists(resolver: dns.asyncresolver.Resolver, domain: str) -> bool:
    """Whether the name is in the DNS at all (``np`` is for those that are not)."""
    try:
        await resolver.resolve(dns.name.from_text(f"{domain}."), dns.rdatatype.A, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return False
    return True


async def exchangers(domains: Iterable[str], resolver: dns.asyncresolver.Resolver | None = None) -> list[tuple[str, list[str] | None]]:
    """(domain, names of its mail exchangers, the preferred first) for each; [] where it has none, None where the DNS did not
    answer."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(domain: str) -> tuple[str, list[str] | None]:
        async with gate:
            try:
                asking = resolver or dns.asyncresolver.get_default_resolver()
                async with asyncio.timeout(SECONDS):
                    answer = await asking.resolve(dns.name.from_text(f"{domain}."), dns.rdatatype.MX, raise_on_no_answer=False)
            except (dns.resolver.NXDOMAIN, dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
                return domain, []
            except (TimeoutError, dns.exception.DNSException, OSError):
                return domain, None
            found = sorted((record.preference, record.exchange.to_text(omit_final_dot=True).lower()) for record in answer.rrset or ())
            return domain, [name for _preference, name in found if name != "."]

    return list(await asyncio.gather(*(one(domain) for domain in domains)))
