"""What somebody proves who they are with, besides mail and a password: passkeys, an authenticator app, recovery codes."""

from __future__ import annotations

from django.db import models

from colporteur.store.people import Person


class CredentialKind(models.TextChoices):
    """One person may have many passkeys, and one app."""

    PASSKEY = "passkey"
    APP = "app"


class Credential(models.Model):
    """A passkey, or the secret shared with an authenticator app."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="credentials")
    kind = models.TextField(choices=CredentialKind.choices)
    name = models.TextField(default="", blank=True)  # a passkey's, given by its owner
    secret = models.TextField(default="", blank=True)  # the app's, sealed
    handle = models.BinaryField(null=True, unique=True)  # a passkey's number
    public = models.BinaryField(null=True)  # what checks it: attested credential data (WebAuthn section 6.5.1)
    counter = models.BigIntegerField(default=0)  # a passkey's signatures, or the last step of the app that was used
    created = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "credential"
        constraints = [models.UniqueConstraint(fields=["person"], name="credential_one_app", condition=models.Q(kind="app"))]


class RecoveryCode(models.Model):
    """A code for the day the phone is lost: good once, only its hash under our key is kept."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "recovery_code"
        constraints = [models.UniqueConstraint(fields=["person", "digest"], name="recovery_code_once")]
