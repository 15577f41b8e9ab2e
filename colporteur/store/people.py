"""People, their addresses, and one-time sign-in links."""

from __future__ import annotations

import uuid
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class PersonManager(BaseUserManager["Person"]):
    """People are found by any of their addresses; there is no user name."""

    def get_by_natural_key(self, key: str | None) -> Person:
        return self.get(key=key or "")


class Person(AbstractBaseUser):
    """Somebody known to us, with one or more addresses; may sign in."""

    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.TextField(default="", blank=True)
    language = models.TextField(default="", blank=True)  # empty: the browser's or the organisation's
    time_zone = models.TextField(default="", blank=True)  # "Europe/Paris"; empty: the site's
    first_address = models.ForeignKey("store.Address", models.SET_NULL, null=True, related_name="+")  # chosen to be written to; null: the oldest verified one
    is_active = models.BooleanField(default=True)
    is_admin = models.BooleanField(default=False)  # site administrator
    session_round = models.PositiveIntegerField(default=0, db_default=0)  # counted up: every session ends
    created = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "key"
    objects = PersonManager()

    class Meta:
        db_table = "person"

    def __str__(self) -> str:
        return self.name or self.primary_email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must hold to go on: changes with the password, and when all sessions are ended."""
        found = str(super()._get_session_auth_hash(secret=secret))  # type: ignore[misc]
        return f"{found}{self.session_round}" if self.session_round else found

    @property
    def primary_email(self) -> str:
        """The address we write to: the chosen one, else the oldest, verified ones first; empty when there is none."""
        if self.first_address:
            return self.first_address.email
        found = self.addresses.order_by(models.F("verified_at").asc(nulls_last=True), "id").values_list("email", flat=True).first()
        return found or ""


class Address(models.Model):
    """An e-mail address, normal form, once in the whole installation."""

    email = models.TextField(unique=True)
    name = models.TextField(default="", blank=True)  # display name given on a list, used when no person is known
    person = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="addresses")
    verified_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)  # its owner reads no list until then
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "address"

    def __str__(self) -> str:
        return self.email


NAMED = """SELECT a.id, a.email, colporteur_folded(coalesce(nullif(p.name, ''), nullif(a.name, ''), a.email)) AS called
  FROM address a LEFT JOIN person p ON p.id = a.person_id"""
"""Addresses with what their memberships are found by, for statements that add many members."""


def zone_of(person: object) -> ZoneInfo | None:
    """The time zone a person chose; None for nobody and where none was chosen, or it is no longer known."""
    try:
        return ZoneInfo(name) if (name := getattr(person, "time_zone", "")) else None
    except (ValueError, ZoneInfoNotFoundError):
        return None


class SignInLink(models.Model):
    """A one-time link: only the hash of its token is kept."""

    digest = models.BinaryField(primary_key=True)
    person = models.ForeignKey(Person, models.CASCADE)
    address = models.ForeignKey(Address, models.CASCADE, null=True)  # it went to; verified when the link is used
    expires = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_link"


class SignInAttempt(models.Model):
    """A password tried and not known to be right, booked on an address and on where it came from."""

    of = models.TextField()  # "address:anna@example.org", "client:192.0.2.7", "client:2001:db8:1:2::/64"
    at = models.DateTimeField()

    class Meta:
        db_table = "sign_in_attempt"
        indexes = [models.Index(fields=["of", "at"], name="sign_in_attempt_of"), models.Index(fields=["at"], name="sign_in_attempt_at")]
