"""Whether somebody else's word proves that a message comes from whom it says.

Source: RFC 8601 (Authentication-Results). Only results of servers the administrator named count; they must take such
fields away from what comes in from outside (section 5). Of each method the results in the topmost field count: what a
sender wrote stands below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

DMARC, DKIM, SPF, AUTH = "dmarc", "dkim", "spf", "auth"


@dataclass(frozen=True, slots=True)
class Result:
    """One result: ``server`` (authserv-id), ``position`` of its field from the top, ``method``, ``result``, and properties
    such as ``header.d``; everything in lower case."""

    server: str
    position: int
    method: str
    result: str
    properties: dict[str, str] = field(default_factory=dict)


def proof(results: Sequence[Result], trusted: Iterable[str], sender: str) -> str:
    """What proves that the author ``sender`` is who wrote, as "dkim=pass header.d=example.org (mx.example.org)"; "" when nothing does."""
    names = {name.strip().lower() for name in trusted} - {""}
    domain = sender.rpartition("@")[2]
    first: dict[tuple[str, str], int] = {}
    for one in results:
        if one.server in names:
            key = (one.server, one.method)
            first[key] = min(first.get(key, one.position), one.position)
    for one in results:
        if one.result == "pass" and first.get((one.server, one.method)) == one.position and (shown := _shown(one, domain)):
            return f"{one.method}=pass{shown} ({one.server})"
    return ""


def _shown(result: Result, domain: str) -> str:
    """The property that ties a pass to the author's domain, " " when none is needed, "" when it says nothing about it."""
    if result.method == AUTH:
        return " " if not (who := result.properties.get("smtp.auth", "")) else f" smtp.auth={who}"
    if result.method == DMARC:
        said = result.properties.get("header.from", "").rpartition("@")[2]
        return f" header.from={domain}" if said in ("", domain) else ""
    names = {DKIM: ("header.d", "header.i"), SPF: ("smtp.mailfrom",)}.get(result.method, ())
    for name in names:
        said = result.properties.get(name, "").rpartition("@")[2]
        if aligned(said, domain):
            return f" {name}={said}"
    return ""


def aligned(said: str, domain: str) -> bool:
    """Whether a pass for the domain ``said`` speaks for authors of ``domain``: the same, or one above it (never a public suffix,
    whose keys nobody else holds; RFC 7489 section 3.1 without its list of suffixes)."""
    return bool(said) and (said == domain or ("." in said and domain.endswith("." + said)))
