"""What was found out before a newsletter is sent: copies made for trial, and where its links lead."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from colporteur.store.campaigns import Campaign


class Trial(models.Model):
    """The copies of a campaign made for trial, in ranges of addresses; of the newest version that was asked about."""

    campaign = models.OneToOneField(Campaign, models.CASCADE, primary_key=True, related_name="trial")
    version = models.IntegerField()  # of the campaign; another one begins anew
    asked_at = models.DateTimeField()  # also the moment of the audience
    recipients = models.IntegerField(default=0)  # counted when it began
    after = models.BigIntegerField(default=0)  # the last address that was looked at
    made = models.IntegerField(default=0)
    failing = models.IntegerField(default=0)
    failures = models.JSONField(default=list)  # the first of them: [address, msgid, values]
    finished = models.DateTimeField(null=True)

    class Meta:
        db_table = "campaign_trial"
        indexes = [
            models.Index(fields=["asked_at"], name="campaign_trial_open", condition=Q(finished__isnull=True)),
            models.Index(fields=["asked_at"], name="campaign_trial_asked"),
        ]


class LinkCheck(models.Model):
    """Whether an address of the web leads somewhere."""

    digest = models.BinaryField(primary_key=True)  # SHA-256 of the address
    url = models.TextField()
    wanted_at = models.DateTimeField()  # somebody asked, last
    checked_at = models.DateTimeField(null=True)
    status = models.SmallIntegerField(default=0)  # of HTTP; 0: no answer
    detail = models.TextField(default="", blank=True)  # without an answer: domain.preflight.Silence

    class Meta:
        db_table = "link_check"
        indexes = [models.Index(fields=["wanted_at"], name="link_check_wanted")]


def still(campaign: int, version: int) -> None:
    """The change that made this version of a campaign the next one changes no copy: what was tried holds."""
    Trial.objects.filter(campaign=campaign, version=version).update(version=version + 1)


FRESH = timedelta(hours=1)
"""So long an answer is believed."""


def digest_of(url: str) -> bytes:
    """What names an address."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()


def ask(urls: Collection[str], now: datetime) -> dict[str, LinkCheck]:
    """What is known of these addresses. Those nobody looked at within the hour are wanted from now."""
    names = {digest_of(url): url for url in urls}
    LinkCheck.objects.bulk_create((LinkCheck(digest=digest, url=url, wanted_at=now) for digest, url in sorted(names.items())), ignore_conflicts=True)
    LinkCheck.objects.filter(Q(checked_at__isnull=True) | Q(checked_at__lte=now - FRESH), digest__in=list(names)).update(wanted_at=now)
    return {row.url: row for row in LinkCheck.objects.filter(digest__in=list(names))}


def wanted(now: datetime, limit: int) -> list[str]:
    """Addresses to look at, those longest waited for first."""
    open_ = LinkCheck.objects.filter(Q(checked_at__isnull=True) | Q(checked_at__lt=models.F("wanted_at"), checked_at__lte=now - FRESH), wanted_at__gt=now - FRESH)
    return list(open_.order_by("wanted_at").values_list("url", flat=True)[:limit])


def answered(answers: Mapping[str, tuple[int, str]], now: datetime) -> None:
    """What addresses answered: url -> status, detail."""
    for url, (status, detail) in answers.items():
        LinkCheck.objects.filter(digest=digest_of(url)).update(checked_at=now, status=status, detail=detail[:200])


def forget(now: datetime) -> int:
    """Drop what nobody asked about for a day: reasons can hold what is known of somebody."""
    day = now - timedelta(days=1)
    return Trial.objects.filter(asked_at__lt=day).delete()[0] + LinkCheck.objects.filter(wanted_at__lt=day).delete()[0]
