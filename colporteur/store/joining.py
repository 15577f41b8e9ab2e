"""Requests to join a list, and invitations: what waits for somebody's word, and what became of it."""

from __future__ import annotations

from django.db import models

from colporteur.store.lists import List
from colporteur.store.people import Address


class JoinState(models.TextChoices):
    """Where it stands."""

    ASKED = "asked"  # somebody asked: the address itself must say yes
    INVITED = "invited"  # an owner asked: the address itself must say yes
    WAITING = "waiting"  # the address said yes: an owner decides
    JOINED = "joined"
    REFUSED = "refused"


OPEN = (JoinState.ASKED, JoinState.INVITED, JoinState.WAITING)


class JoinRequest(models.Model):
    """One address that may become a member. It is kept when decided: when, how and by whom somebody joined."""

    list = models.ForeignKey(List, models.CASCADE, related_name="join_requests")
    address = models.ForeignKey(Address, models.CASCADE, related_name="join_requests")
    name = models.TextField(default="", blank=True)  # as given with the request
    state = models.TextField(choices=JoinState.choices, default=JoinState.ASKED)
    door = models.TextField()  # "mail", "web", or who invited
    words = models.TextField(default="", db_default="", blank=True)  # the answer to the list's question; only owners read it
    language = models.TextField(default="", db_default="", blank=True)  # of the page it was asked on, for somebody whose own we do not know
    client = models.TextField(default="", db_default="", blank=True)  # IP address it was asked from
    values = models.JSONField(default=dict, db_default={})  # of attributes the list asks for, by key
    proof = models.TextField(default="", db_default="", blank=True)  # why the address needed not be asked
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)  # the address said yes
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)  # an owner's words to who was refused

    class Meta:
        db_table = "join_request"
        constraints = [models.UniqueConstraint(fields=["list", "address"], condition=models.Q(state__in=["asked", "invited", "waiting"]), name="join_request_once")]
        indexes = [models.Index(fields=["list", "-id"], name="join_request_waiting", condition=models.Q(state="waiting"))]
