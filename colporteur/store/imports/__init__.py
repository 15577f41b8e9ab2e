"""What was imported, so that a second import changes nothing, and the rows of a foreign file beside ours while it is read."""

from __future__ import annotations

from django.db import models

OF_OTHERS = "import"
"""What ``by`` of a consent that came from another system begins with: such a row is one person's own."""


class Imported(models.Model):
    """Something of another system that is here now. It stays when ours is deleted: it is not imported again."""

    source = models.TextField()  # the site it comes from
    kind = models.TextField()  # "list", "number", "mailing", "draft", "segment", "transport", "token"
    external = models.TextField()  # what it is called there
    ours = models.BigIntegerField()  # id of the list, the campaign, the segment, the transport; of a token, the address

    class Meta:
        db_table = "imported"
        constraints = [models.UniqueConstraint(fields=["source", "kind", "external"], name="imported_once")]
        indexes = [models.Index(fields=["ours"], name="imported_tokens", condition=models.Q(kind="token"))]


class OldSite(models.Model):
    """What proves the links in mail a site sent before it moved in."""

    source = models.TextField(primary_key=True)  # as in ``Imported``
    keys_sealed = models.TextField()  # store.sealed: secrets in hexadecimal, a JSON list

    class Meta:
        db_table = "old_site"
