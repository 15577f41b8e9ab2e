"""The consent ledger as a question: how memberships, of now and of before, began."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from colporteur.store.lists import List
from colporteur.store.memberships import Membership
from colporteur.store.people import Address

MOST = 1000
"""Addresses one search by a beginning looks at."""


def ledger(lists: QuerySet[List] | None, email: str = "", list_address: str = "", since: datetime | None = None, until: datetime | None = None) -> QuerySet[Membership]:
    """Memberships with what began them, the newest first. ``lists``: of these only. ``email``, ``list_address``: beginnings, in lower case.
    ``since``, ``until``: when they began."""
    rows = Membership.objects.select_related("list", "address__person", "consent", "source").order_by("-id")
    if lists is not None:
        rows = rows.filter(list__in=lists)
    if email:
        rows = rows.filter(address__in=list(Address.objects.filter(email__startswith=email).order_by("email").values_list("pk", flat=True)[:MOST]))
    if list_address:
        rows = rows.filter(list__in=list(List.objects.filter(address__startswith=list_address).order_by("address").values_list("pk", flat=True)[:MOST]))
    if since:
        rows = rows.filter(since__gte=since)
    return rows.filter(since__lt=until) if until else rows


def told(row: Membership) -> dict[str, object]:
    """One line of the ledger."""
    consent = row.consent
    return {
        "id": row.pk, "list": row.list.address, "address": row.address.email, "name": (row.address.person.name if row.address.person else "") or row.address.name,
        "since": row.since, "until": row.until, "left_by": row.left_by, "how": consent.how if consent else "", "by": consent.by if consent else "", "client": consent.client if consent else "",
        "evidence": consent.evidence if consent else "", "wording": consent.wording if consent else "",
    }  # fmt: skip
