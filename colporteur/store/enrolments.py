"""Members added in bulk: what was handed over, what would come of it, and how far it is. The rows survive a restart."""

from __future__ import annotations

from django.db import models

from colporteur.store.lists import List
from colporteur.store.people import Person


class EnrolmentState(models.TextChoices):
    """Where it stands."""

    READING = "reading"  # a worker reads it and compares it with the list
    READY = "ready"  # somebody looks at what would come of it
    ADDING = "adding"
    DONE = "done"
    FAILED = "failed"  # nobody was added
    DROPPED = "dropped"  # nobody wanted it any more


class Enrolment(models.Model):
    """One text or file of people for one list. All of them are added in one transaction, or nobody is."""

    refused = models.JSONField(default=list)  # [line, reason, its values, text] of each line that cannot be taken
    left = models.JSONField(default=list)  # addresses that left by themselves and stay away
    list = models.ForeignKey(List, models.CASCADE, related_name="enrolments")  # behind the two that need the type of this name
    person = models.ForeignKey(Person, models.SET_NULL, null=True)
    file = models.TextField(default="", blank=True)  # its name; "" for lines that were typed
    text = models.TextField()  # emptied when it is over
    columns = models.JSONField(null=True)  # of a CSV file, as chosen
    bring_back = models.BooleanField(default=False)  # also who left by themselves
    client = models.TextField(default="", blank=True)  # IP address it came from
    state = models.TextField(choices=EnrolmentState.choices, default=EnrolmentState.READING)
    total = models.IntegerField(default=0)  # entries to add
    done = models.IntegerField(default=0)  # of them, while it is added
    added = models.IntegerField(default=0)
    already = models.IntegerField(default=0)
    twice = models.IntegerField(default=0, db_default=0)  # lines that name somebody an earlier line named
    error = models.TextField(default="", blank=True)
    created = models.DateTimeField()
    finished = models.DateTimeField(null=True)

    class Meta:
        db_table = "enrolment"
        indexes = [models.Index(fields=["id"], name="enrolment_to_do", condition=models.Q(state__in=["reading", "adding"])), models.Index(fields=["created"], name="enrolment_by_age")]
