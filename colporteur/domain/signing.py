"""DKIM keys: their states, the record that publishes one, and what a look at the DNS says about it (RFC 6376 section 3.6)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import date, timedelta
from enum import StrEnum

KEEP_RETIRED = timedelta(days=10)
"""How long the record of a retired key must stay: signatures hold as long (``mail.signing.LIFE``)."""
_STRING = 255  # octets of one string of a TXT record, RFC 1035 section 3.3


class Algorithm(StrEnum):
    """What a key signs with."""

    RSA = "rsa"  # 2048 bits
    ED25519 = "ed25519"  # RFC 8463


class KeyState(StrEnum):
    """A key's life: nothing is signed with it before its record was seen."""

    MADE = "made"
    PUBLISHED = "published"  # its record was seen
    USED = "used"
    RETIRED = "retired"


class Seen(StrEnum):
    """What the DNS says at a key's name."""

    LIVE = "live"
    MISSING = "missing"
    OTHER = "other"  # a record that does not fit this key: a part is missing, or it is another key's
    SEVERAL = "several"  # more than one: receivers may take any
    UNKNOWN = "unknown"  # the DNS did not answer


def selector(algorithm: Algorithm, day: date, taken: Container[str]) -> str:
    """A selector nobody used yet in this domain, so that no cache knows its name: algorithm and day, numbered from the second on."""
    first = f"{algorithm}-{day:%Y%m%d}"
    number = 1
    while (name := first if number == 1 else f"{first}-{number}") in taken:
        number += 1
    return name


def record(algorithm: Algorithm, public: str) -> str:
    """Value of the TXT record for a public key in base64."""
    return f"v=DKIM1; k={algorithm}; p={public}"


def strings(value: str) -> list[str]:
    """The record as the strings a name server wants, each of at most 255 octets."""
    return [value[start : start + _STRING] for start in range(0, len(value), _STRING)]


def look(texts: Sequence[str] | None, wanted: str) -> Seen:
    """Whether ``wanted`` is published, from the TXT records at its name; None: the DNS did not answer."""
    if texts is None:
        return Seen.UNKNOWN
    if not texts:
        return Seen.MISSING
    if len(texts) > 1:
        return Seen.SEVERAL
    found, ours = _tags(texts[0]), _tags(wanted)
    fits = (
        found.get("v", "DKIM1") == "DKIM1"
        and found.get("k", "rsa") == ours["k"]
        and "".join(found.get("p", "").split()) == ours["p"]
        and "sha256" in found.get("h", "sha256").replace(" ", "").split(":")
        and bool({"*", "email"} & set(found.get("s", "*").replace(" ", "").split(":")))
    )
    return Seen.LIVE if fits else Seen.OTHER


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
