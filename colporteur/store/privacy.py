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
    reason = models.TextField(default="", blank=True)  # "erased", "asked", "imported"

    class Meta:
        db_table = "opposition"


def digest(email: str) -> bytes:
    """What is kept of an address in normal form: a keyed hash nobody without our key can try addresses against."""
    return hashlib.blake2s(email.encode(), digest_size=20, key=settings.TOKEN_KEY, person=b"opposed").digest()


def digest_of_md5(md5: str) -> bytes:
    """The same of an address of which only the MD5 sum (32 hexadecimal digits) of its normal form is known."""
    return hashlib.blake2s(md5.encode(), digest_size=20, key=settings.TOKEN_KEY, person=b"md5").digest()


def _digests(email: str) -> tuple[bytes, bytes]:
    return digest(email), digest_of_md5(hashlib.md5(email.encode(), usedforsecurity=False).hexdigest())


def oppose_md5(sums: Iterable[str], reason: str, now: datetime) -> int:
    """Whoever has an address with one of these MD5 sums is added to no list by others any more; how many were not known before."""
    before = Opposition.objects.count()
    Opposition.objects.bulk_create([Opposition(digest=digest_of_md5(one), at=now, reason=reason) for one in sums], ignore_conflicts=True)
    return Opposition.objects.count() - before


def oppose(emails: Iterable[str], reason: str, now: datetime) -> None:
    """Whoever has these addresses is added to no list by others any more."""
    Opposition.objects.bulk_create([Opposition(digest=digest(email), at=now, reason=reason) for email in emails], ignore_conflicts=True)


def opposed(emails: Iterable[str]) -> set[str]:
    """Which of these addresses, in normal form, nobody else may add."""
    if not Opposition.objects.exists():
        return set()
    known = {one: email for email in emails for one in _digests(email)}
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
    Opposition.objects.filter(digest__in=[one for email in emails for one in _digests(email)]).delete()
