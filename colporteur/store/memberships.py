"""Memberships and where they come from. A membership is never deleted: it has a beginning and, later, an end."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from colporteur.store.lists import List
from colporteur.store.people import Address
from colporteur.store.privacy import Consent
from colporteur.store.sources import Source


class DeliveryMode(models.TextChoices):
    """How a member receives."""

    EACH = "each"
    NONE = "none"  # reads elsewhere, receives nothing, may write


class Membership(models.Model):
    """An address on a list, from ``since`` until ``until`` (null: still)."""

    list = models.ForeignKey(List, models.CASCADE, related_name="memberships", db_index=False)  # an index in no order would be preferred to that of the audience
    address = models.ForeignKey(Address, models.PROTECT, related_name="memberships")
    source = models.ForeignKey(Source, models.SET_NULL, null=True)  # null: by hand
    delivery = models.TextField(choices=DeliveryMode.choices, default=DeliveryMode.EACH)
    paused = models.BooleanField(default=False)
    consent = models.ForeignKey(Consent, models.SET_NULL, null=True, related_name="memberships", db_index=False)  # how it began
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    left_by = models.TextField(default="", blank=True)  # "member", "owner", "source", "bounce": a member's own leaving survives imports

    class Meta:
        db_table = "membership"
        constraints = [models.UniqueConstraint(fields=["list", "address"], condition=Q(until__isnull=True), name="membership_once")]
        indexes = [
            models.Index(fields=["list", "address", "since"], name="membership_audience"),
            models.Index(fields=["address"], name="membership_of_address"),
        ]


def audience_count(list_: List) -> int:
    """How many would receive a post accepted now: each member once, without who reads elsewhere or paused."""
    return Membership.objects.filter(list=list_, until__isnull=True, delivery=DeliveryMode.EACH, paused=False).values("address").distinct().count()
