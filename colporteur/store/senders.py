"""What is known of authors' domains: the DMARC policy they publish, cached."""

from __future__ import annotations

from django.db import models


class AuthorPolicy(models.Model):
    """DMARC policy of an author's domain as last looked up."""

    domain = models.TextField(primary_key=True)
    policy = models.TextField(default="none")  # none, quarantine, reject
    looked_up_at = models.DateTimeField()
    expires = models.DateTimeField()

    class Meta:
        db_table = "author_policy"
