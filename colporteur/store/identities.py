"""Identity providers (OpenID Connect), and whom they know as whom."""

from __future__ import annotations

from django.db import models

from colporteur.store.people import Person


class IdentityProvider(models.Model):
    """Where people sign in elsewhere to be signed in here."""

    name = models.TextField(unique=True)  # on the button
    issuer = models.TextField()  # URL that discovery starts from, and that every token must name
    client_id = models.TextField()
    secret = models.TextField(default="", blank=True)  # sealed
    new_accounts = models.BooleanField(default=False)  # a verified address nobody has makes an account
    enabled = models.BooleanField(default=True)
    created = models.DateTimeField()

    class Meta:
        db_table = "identity_provider"

    def __str__(self) -> str:
        return self.name


class Identity(models.Model):
    """One account at a provider, and the person it signs in."""

    provider = models.ForeignKey(IdentityProvider, models.CASCADE, related_name="identities")
    subject = models.TextField()  # "sub": never given to anybody else there (OpenID Connect Core section 2)
    person = models.ForeignKey(Person, models.CASCADE, related_name="identities")
    email = models.TextField(default="", blank=True)  # as the provider said when it was connected, to tell it by
    created = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "identity"
        constraints = [models.UniqueConstraint(fields=["provider", "subject"], name="identity_once")]
