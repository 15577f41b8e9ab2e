"""Requests to leave a list whose owners decide about it."""

from __future__ import annotations

from django.db import models

from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address


class LeaveState(models.TextChoices):
    """Where it stands."""

    WAITING = "waiting"  # an owner decides
    LEFT = "left"
    REFUSED = "refused"


class LeaveRequest(models.Model):
    """One member who asks to leave. It is kept when decided."""

    list = models.ForeignKey(List, models.CASCADE, related_name="leave_requests")
    address = models.ForeignKey(Address, models.CASCADE, related_name="leave_requests")
    state = models.TextField(choices=LeaveState.choices, default=LeaveState.WAITING)
    door = models.TextField()  # "mail" or "web"
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)  # it is sure that the address said so
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)  # an owner's words to who was refused

    class Meta:
        db_table = "leave_request"
        constraints = [models.UniqueConstraint(fields=["list", "address"], condition=models.Q(state="waiting"), name="leave_request_once")]
        indexes = [models.Index(fields=["list", "-id"], name="leave_request_waiting", condition=models.Q(state="waiting"))]


def waiting(list_: List) -> models.QuerySet[LeaveRequest]:
    """Requests an owner can decide: of members who did not go another way since, nor came back."""
    still = Membership.objects.filter(list=models.OuterRef("list"), address=models.OuterRef("address"), until__isnull=True, since__lte=models.OuterRef("asked_at"))
    return LeaveRequest.objects.filter(models.Exists(still), list=list_, state=LeaveState.WAITING).select_related("address__person")
