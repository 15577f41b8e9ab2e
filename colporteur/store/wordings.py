"""Own texts that replace the shipped letters, looked up list, domain, organisation, site, per language."""

from __future__ import annotations

from django.db import models

from colporteur.store.lists import List
from colporteur.store.organisations import Domain, Organisation


class Wording(models.Model):
    """One letter's own text at one place (all three null: the site)."""

    letter = models.TextField()
    language = models.TextField()
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True)
    domain = models.ForeignKey(Domain, models.CASCADE, null=True)
    list = models.ForeignKey(List, models.CASCADE, null=True)
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(default="", blank=True)

    class Meta:
        db_table = "wording"
        constraints = [models.UniqueConstraint(fields=["letter", "language", "organisation", "domain", "list"], name="wording_once", nulls_distinct=False)]
