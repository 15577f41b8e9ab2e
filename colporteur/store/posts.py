"""Posts and the findings of their verdict."""

from __future__ import annotations

import builtins

from django.db import models

from colporteur.domain.posts import PostState
from colporteur.store.arrivals import Arrival
from colporteur.store.lists import List
from colporteur.store.people import Address, Person

STATES = [(state.value, state.value) for state in PostState]


class Post(models.Model):
    """An arrival addressed to a list, with its state."""

    list = models.ForeignKey(List, models.CASCADE, related_name="posts")
    arrival = models.ForeignKey(Arrival, models.PROTECT)
    state = models.TextField(choices=STATES, default=PostState.RECEIVED.value)
    message_id = models.TextField(default="", blank=True)
    content_key = models.BinaryField()  # SHA-256 without trace headers: an exact duplicate has the same
    size = models.BigIntegerField()
    # Filled by judging; empty until then.
    subject = models.TextField(default="", blank=True)
    sender = models.TextField(default="", blank=True)  # address in From, normal form; empty when it cannot be read unambiguously
    sender_name = models.TextField(default="", blank=True)
    address = models.ForeignKey(Address, models.SET_NULL, null=True)  # the sender, when we know that address
    defects = models.JSONField(default=builtins.list)  # "list" is the field above
    received_at = models.DateTimeField()
    judged_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, models.SET_NULL, null=True)
    decided_by_address = models.TextField(default="", blank=True)
    decision_reason = models.TextField(default="", blank=True)  # the moderator's words to the author
    expires_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    next_try = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)  # why it is quarantined

    class Meta:
        db_table = "post"
        indexes = [
            models.Index(fields=["list", "-id"], name="post_of_list"),
            models.Index(fields=["list", "content_key"], name="post_duplicate"),
            models.Index(fields=["id"], name="post_to_judge", condition=models.Q(state="received")),
            models.Index(fields=["list", "expires_at"], name="post_held", condition=models.Q(state="held")),
        ]


class Finding(models.Model):
    """One reason of a verdict: the sentence is ``reason`` translated, then filled with ``values``."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="findings")
    position = models.SmallIntegerField()
    rule = models.TextField()
    action = models.TextField()  # accept, hold, reject, discard, or "none" for a remark
    reason = models.TextField()  # English sentence with {names}
    values = models.JSONField(default=dict)
    evidence = models.TextField(default="", blank=True)

    class Meta:
        db_table = "finding"
        ordering = ["post", "position"]
