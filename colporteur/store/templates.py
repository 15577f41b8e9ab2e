"""Templates administrators made: like the shipped ones (``domain.templates``), for the site or for one organisation."""

from __future__ import annotations

from django.db import models

from colporteur.store.organisations import Organisation


class OwnTemplate(models.Model):
    """A named policy preset. Its lists follow it: what they do not set themselves changes with it."""

    key = models.TextField(unique=True)  # what a list's ``template`` says; never that of a shipped one
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, related_name="templates")  # null: every organisation may use it
    title = models.TextField()
    sentence = models.TextField(default="", blank=True)
    policy = models.JSONField(default=dict)
    created = models.DateTimeField()

    class Meta:
        db_table = "template"

    def __str__(self) -> str:
        return self.title
