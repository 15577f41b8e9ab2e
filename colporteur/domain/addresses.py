"""Mail addresses: their normal form, and which of a list's own addresses a recipient names.

Sources: RFC 5321 section 4.1.2 (mailbox), 4.5.3.1 (64 octets local part); contract, "Mail addresses of a list".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]"
_ADDRESS = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*@(?=.{{1,253}}$)[^\s@.\[\]<>()\",;:\\\x00-\x20\x7f]+(?:\.[^\s@.\[\]<>()\",;:\\\x00-\x20\x7f]+)*")
_PLAIN = re.compile(r"(?=.{1,64}@.{1,253}$)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")  # nearly every one: nothing more to look at
_LIST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")

# Names mail systems keep for themselves (RFC 2142 and common practice): never a list's name.
RESERVED_NAMES = frozenset(
    "abuse admin administrator bounce bounces b daemon ftp hostmaster info-request listmaster lists listserv mail "
    "mailer-daemon mailman majordomo news nobody noc no-reply noreply postmaster root security smartlist support-request sympa usenet uucp www".split()
)
# Longest first, so that "-unsubscribe" is not read as a list called "x-un".
SUFFIXES = ("-unsubscribe", "-subscribe", "-moderate", "-bounces", "-confirm", "-request", "-owner", "-leave", "-join")


class Service(StrEnum):
    """What a recipient address of a list asks for."""

    POST = "post"
    OWNER = "owner"
    REQUEST = "request"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    CONFIRM = "confirm"
    MODERATE = "moderate"
    BOUNCES = "bounces"


_SERVICE = {
    "-owner": Service.OWNER,
    "-request": Service.REQUEST,
    "-subscribe": Service.SUBSCRIBE,
    "-join": Service.SUBSCRIBE,
    "-unsubscribe": Service.UNSUBSCRIBE,
    "-leave": Service.UNSUBSCRIBE,
    "-confirm": Service.CONFIRM,
    "-moderate": Service.MODERATE,
    "-bounces": Service.BOUNCES,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a recipient: the list address it may belong to, the service, and the token after ``+``."""

    address: str
    service: Service
    token: str = ""


def normal(text: str) -> str:
    """Normal form of one address: trimmed, lower case, domain in its ASCII form (IDNA).

    Raises ``Invalid`` when the text is not an address we can send to.
    """
    address = text.strip()
    if _PLAIN.fullmatch(address):
        return address.lower()
    if len(address) > 320 or not address.isprintable() or not _ADDRESS.fullmatch(address):
        raise Invalid(_("%(text)r is not an e-mail address: write name@example.org"), text=text.strip()[:80])
    local, _at, domain = address.rpartition("@")
    if len(local.encode()) > 64:
        raise Invalid(_("the part before @ is longer than 64 octets: %(local)r..."), local=local[:40])
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise Invalid(_("%(domain)r is not a valid domain name"), domain=domain) from None
    return f"{local.lower()}@{domain.lower()}"


def is_address(text: str) -> bool:
    """Whether ``normal`` would take it."""
    try:
        normal(text)
    except ValueError:
        return False
    return True


def list_name(text: str) -> str:
    """Checked local part for a new list. Raises ``Invalid`` saying what is wrong and what to write."""
    name = text.strip().lower()
    if not _LIST_NAME.fullmatch(name) or ".." in name:
        raise Invalid(_("%(text)r cannot be a list's name: use letters, digits, dots, hyphens and underscores"), text=text[:80])
    if len(name) > 40:
        raise Invalid(_("%(name)r is longer than 40 characters: choose a shorter name"), name=name[:80])
    if name in RESERVED_NAMES:
        raise Invalid(_("%(name)r is kept for the mail system: choose another name"), name=name)
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            raise Invalid(_("a list's name may not end in %(suffix)r: %(name)r would be a service address of another list"), suffix=suffix, name=name)
    return name


def readings(recipient: str) -> tuple[Reading, ...]:
    """All ways to read a recipient, the likeliest first; the caller takes the first whose address exists.

    ``b+TOKEN@domain`` (bounces of long names) reads as ``Reading("@domain", BOUNCES, token)``; ``lists@domain`` and
    ``sympa@domain`` as ``Reading("@domain", REQUEST)``.
    """
    local, _at, domain = recipient.strip().lower().rpartition("@")
    base, plus, token = local.partition("+")
    found = []
    if base == "b" and plus:
        found.append(Reading(f"@{domain}", Service.BOUNCES, token))
    if local in ("lists", "sympa"):
        found.append(Reading(f"@{domain}", Service.REQUEST))
    found.append(Reading(f"{local}@{domain}", Service.POST))
    for suffix in SUFFIXES:
        if base.endswith(suffix) and len(base) > len(suffix):
            found.append(Reading(f"{base[: -len(suffix)]}@{domain}", _SERVICE[suffix], token))
    if plus:
        found.append(Reading(f"{base}@{domain}", Service.POST, token))
    return tuple(found)
