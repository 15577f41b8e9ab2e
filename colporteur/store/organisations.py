"""Site, organisations and domains."""

from __future__ import annotations

from django.db import models

from colporteur.store.people import Person


class Creation(models.TextChoices):
    """Who may make lists on a domain."""

    NOBODY = "nobody"
    ADMINISTRATORS = "administrators"
    REQUEST = "request"  # anybody signed in, and an administrator activates the list
    ANYBODY = "anybody"  # anybody signed in, at once


class Site(models.Model):
    """The installation: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    policy = models.JSONField(default=dict)
    quotas = models.JSONField(default=dict)  # domain.quotas: absent means no limit here
    forbidden_names = models.TextField(default="", blank=True)  # domain.naming: one a line, * for anything
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
    quotas = models.JSONField(default=dict)
    forbidden_names = models.TextField(default="", blank=True)
    name_begins = models.TextField(default="", blank=True)  # names of its lists begin so
    name_reason = models.TextField(default="", blank=True)  # why, in the organisation's words
    colour = models.TextField(default="", blank=True)  # rrggbb (domain.look); empty: the product's own
    archive_told = models.SmallIntegerField(default=0)  # percent of its archive's quota its administrators were told of
    logo = models.TextField(default="", blank=True)  # which one: part of its SHA-256; empty: none
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "organisation"
        indexes = [models.Index(fields=["id"], name="organisation_with_archive", condition=models.Q(quotas__has_key="archive"))]

    def __str__(self) -> str:
        return self.name


class Logo(models.Model):
    """The logo of an organisation, a PNG written by us. Apart from its row, which is read on every page."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, primary_key=True, related_name="+")
    png = models.BinaryField()
    width = models.SmallIntegerField()
    height = models.SmallIntegerField()

    class Meta:
        db_table = "logo"


class Domain(models.Model):
    """A mail domain of an organisation; switched off, its lists neither take nor send mail and lose nothing."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="domains")
    name = models.TextField(unique=True)
    enabled = models.BooleanField(default=True)
    policy = models.JSONField(default=dict)
    quotas = models.JSONField(default=dict)
    creation = models.TextField(choices=Creation.choices, default=Creation.ADMINISTRATORS)
    forbidden_names = models.TextField(default="", blank=True)
    name_begins = models.TextField(default="", blank=True)  # empty: the organisation's
    name_reason = models.TextField(default="", blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "domain"

    def __str__(self) -> str:
        return self.name


class Administrator(models.Model):
    """Somebody who looks after an organisation: its domains, lists, requests, templates and look."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="administrators")
    person = models.ForeignKey(Person, models.CASCADE, related_name="administers")
    since = models.DateTimeField()

    class Meta:
        db_table = "administrator"
        constraints = [models.UniqueConstraint(fields=["organisation", "person"], name="administrator_once")]
