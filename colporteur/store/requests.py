"""Lists that were asked for, and what became of it. The list itself is there from the beginning, ``pending``."""

from __future__ import annotations

from django.db import models

from colporteur.store.lists import List
from colporteur.store.organisations import Organisation
from colporteur.store.people import Person


class RequestState(models.TextChoices):
    """Where a request stands."""

    OPEN = "open"
    ACTIVATED = "activated"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ListRequest(models.Model):
    """One asked-for list. Address and title are kept beside it: a refused list is gone, its request stays."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="list_requests")
    list = models.OneToOneField(List, models.SET_NULL, null=True, related_name="request")
    address = models.TextField()
    title = models.TextField(default="", blank=True)
    template = models.TextField()
    purpose = models.TextField()
    person = models.ForeignKey(Person, models.CASCADE, related_name="list_requests")
    state = models.TextField(choices=RequestState.choices, default=RequestState.OPEN)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")
    reason = models.TextField(default="", blank=True)  # the administrator's words to who asked

    class Meta:
        db_table = "list_request"
        indexes = [models.Index(fields=["organisation", "-id"], name="list_request_open", condition=models.Q(state="open"))]
