"""DKIM keys of mail domains, the private halves sealed."""

from __future__ import annotations

from django.db import models

from colporteur.domain.signing import Algorithm, KeyState, Seen
from colporteur.store.organisations import Domain


class SigningKey(models.Model):
    """A key of a domain: published under ``selector._domainkey.domain``, at most one in use of each algorithm."""

    domain = models.ForeignKey(Domain, models.CASCADE, related_name="signing_keys")
    selector = models.TextField()
    algorithm = models.TextField(choices=[(one.value, one.value) for one in Algorithm])
    state = models.TextField(choices=[(one.value, one.value) for one in KeyState], default=KeyState.MADE.value)
    private_sealed = models.TextField()  # PKCS #8, PEM; store.sealed
    record = models.TextField()  # value of the TXT record
    seen = models.TextField(choices=[(one.value, one.value) for one in Seen], default=Seen.UNKNOWN.value)  # at the last look
    looked_at = models.DateTimeField(null=True)
    created = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "signing_key"
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="signing_key_selector"),
            models.UniqueConstraint(fields=["domain", "algorithm"], name="signing_key_one_used", condition=models.Q(state=KeyState.USED.value)),
        ]
        indexes = [models.Index(fields=["state", "looked_at"], name="signing_key_to_look_up")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Where its record is published."""
        return f"{self.selector}._domainkey.{self.domain.name}"
