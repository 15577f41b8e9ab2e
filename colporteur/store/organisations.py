"""Site, organisations and domains."""

from __future__ import annotations

from django.db import models


class Site(models.Model):
    """The installation: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    policy = models.JSONField(default=dict)
    key_fingerprint = models.TextField(default="")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "site"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="site_one_row")]


class Organisation(models.Model):
    """A tenant."""

    name = models.TextField(unique=True)
    language = models.TextField(default="en")
    policy = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "organisation"

    def __str__(self) -> str:
        return self.name


class Domain(models.Model):
    """A mail domain of an organisation; switched off, its lists neither take nor send mail and lose nothing."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="domains")
    name = models.TextField(unique=True)
    enabled = models.BooleanField(default=True)
    policy = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "domain"

    def __str__(self) -> str:
        return self.name
