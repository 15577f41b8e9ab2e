"""What a list knows of its members beyond the address, and the segments these make."""

from __future__ import annotations

import builtins

from django.db import models

from colporteur.store.lists import List
from colporteur.store.people import Address


class AttributeKind(models.TextChoices):
    """What values an attribute takes."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"  # ISO 8601
    YES_NO = "yes_no"
    CHOICE = "choice"  # one of its choices


class Attribute(models.Model):
    """Something a list knows of its members: ``key`` names it in fields, files and segments, ``label`` on forms."""

    list = models.ForeignKey(List, models.CASCADE, related_name="attributes")
    key = models.TextField()
    label = models.TextField()
    kind = models.TextField(choices=AttributeKind.choices, default=AttributeKind.TEXT)
    choices = models.JSONField(default=builtins.list)
    asked = models.BooleanField(default=False)  # on the public form and the member's own page
    required = models.BooleanField(default=False)
    position = models.SmallIntegerField(default=0)

    class Meta:
        db_table = "attribute"
        constraints = [models.UniqueConstraint(fields=["list", "key"], name="attribute_once")]


class Details(models.Model):
    """The attributes of one address on one list, as JSON: key -> text, number, true or false."""

    pk = models.CompositePrimaryKey("list_id", "address_id")
    list = models.ForeignKey(List, models.CASCADE, related_name="+", db_index=False)
    address = models.ForeignKey(Address, models.CASCADE, related_name="details")
    values = models.JSONField(default=dict)

    class Meta:
        db_table = "details"


class Segment(models.Model):
    """Some of a list's members, found by a rule each time they are asked for."""

    list = models.ForeignKey(List, models.CASCADE, related_name="segments")
    name = models.TextField()
    rule = models.JSONField(default=dict)  # domain.segments
    created = models.DateTimeField()

    class Meta:
        db_table = "segment"
        constraints = [models.UniqueConstraint(fields=["list", "name"], name="segment_once")]
