"""What proves that somebody wanted to be subscribed, and who wants never to be written to again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import models

ERASED = "erased.invalid"
"""Domain of what stands in the place of an address that was erased (RFC 2606 section 2: it can never exist)."""


class Consent(models.Model):
    """How memberships began: one row for whoever said yes, or for a whole import. Memberships name it."""

    at = models.DateTimeField()
    how = models.TextField()  # "owner", "import", "source", "confirmed", "approved", "invited" ...
    by = models.TextField(default="", blank=True)  # who did it
    wording = models.TextField(default="", blank=True)  # what they said yes to
    client = models.TextField(default="", blank=True)  # IP address it came from
    evidence = models.TextField(default="", blank=True)  # number of the request, Message-ID, name of the file ...

    class Meta:
        db_table = "consent"


class Opposition(models.Model):
    """An address that must not be added by anybody else; only its hash under our key is kept."""

    digest = models.BinaryField(primary_key=True)
    at = models.DateTimeField()
    reason = models.TextField(default="", blank=True)  # "erased", "asked"

    class Meta:
        db_table = "opposition"


def digest(email: str) -> bytes:
    """What is kept of an address in normal form: a keyed hash nobody without our key can try addresses against."""
    return hashlib.blake2s(email.encode(), digest_size=20, key=settings.TOKEN_KEY, person=b"opposed").digest()


def oppose(emails: Iterable[str], reason: str, now: datetime) -> None:
    """Whoever has these addresses is added to no list by others any more."""
    Opposition.objects.bulk_create([Opposition(digest=digest(email), at=now, reason=reason) for email in emails], ignore_conflicts=True)


def opposed(emails: Iterable[str]) -> set[str]:
    """Which of these addresses, in normal form, nobody else may add."""
    if not Opposition.objects.exists():
        return set()
    known = {digest(email): email for email in emails}
    found: set[str] = set()
    for some in _batched(known, 10_000):
        found |= {known[bytes(row)] for row in Opposition.objects.filter(digest__in=some).values_list("digest", flat=True)}
    return found


def _batched(digests: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Lists of at most ``size`` digests."""
    rest = iter(digests)
    while some := list(islice(rest, size)):
        yield some


def admit(emails: Iterable[str]) -> None:
    """They said yes themselves: their opposition is over."""
    Opposition.objects.filter(digest__in=[digest(email) for email in emails]).delete()
