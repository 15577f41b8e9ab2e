"""Reports nobody could be named for, kept with their raw bytes until somebody looks; and the copies a report may be about."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from colporteur.store.arrivals import Arrival
from colporteur.store.lists import List
from colporteur.store.statements import execute


class UnmatchedReport(models.Model):
    """A report that is about none of our copies, or about several, or that anybody could have written. It counts for nothing."""

    arrival = models.ForeignKey(Arrival, models.CASCADE)
    list = models.ForeignKey(List, models.CASCADE, null=True)  # whose address it came to
    at = models.DateTimeField()
    to = models.TextField()  # address it came to
    why = models.TextField()  # flow.bounces.WHY
    kind = models.TextField()  # domain.bounces.Kind of what it says
    reason = models.TextField()  # domain.bounces.REASONS
    recipients = ArrayField(models.TextField(), default=builtins.list)  # whom it names, a few
    text = models.TextField(default="", blank=True)

    class Meta:
        db_table = "unmatched_report"
        indexes = [models.Index(fields=["list", "-id"], name="unmatched_of_list"), models.Index(fields=["at"], name="unmatched_at")]


class Fitting(NamedTuple):
    """A copy a report may be about. ``signed``: its envelope sender names it, so that a true report comes back there."""

    mailing: int
    address: int
    email: str
    list: int | None
    organisation: int | None
    post: int | None
    signed: bool


_OF_NUMBERS = """
-- Copies by their numbers, of mailings that are not too old.
SELECT c.mailing_id, c.address_id, a.email, m.list_id, l.organisation_id, m.post_id, position('{token}' in m.envelope_sender) > 0
  FROM unnest(%(mailings)s::bigint[], %(addresses)s::bigint[]) AS w (mailing, address)
  JOIN mailing m ON m.id = w.mailing AND m.created > %(since)s
  JOIN copy c ON c.mailing_id = w.mailing AND c.address_id = w.address
  JOIN address a ON a.id = c.address_id
  LEFT JOIN list l ON l.id = m.list_id
"""
_OF_ADDRESSES = """
-- Copies that were handed on to these addresses lately, of one list or of all; at most a few hundred mailings of each are looked at.
SELECT c.mailing_id, c.address_id, a.email, m.list_id, l.organisation_id, m.post_id, position('{token}' in m.envelope_sender) > 0, coalesce(p.message_id, '')
  FROM (SELECT id, email FROM address WHERE email = ANY (%(emails)s::text[])) a
 CROSS JOIN LATERAL (SELECT id, list_id, post_id, envelope_sender FROM mailing WHERE created > %(since)s AND kind <> 'letter'
                        AND (%(list)s::bigint IS NULL OR list_id = %(list)s) ORDER BY id DESC LIMIT 500) m
  JOIN copy c ON c.mailing_id = m.id AND c.address_id = a.id AND c.state IN (2, 3)
  LEFT JOIN list l ON l.id = m.list_id
  LEFT JOIN post p ON p.id = m.post_id
"""


def of_numbers(pairs: Collection[tuple[int, int]], since: datetime) -> dict[tuple[int, int], Fitting]:
    """The copies with these (mailing, address) numbers whose mailing was made since then."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_NUMBERS, {"mailings": [pair[0] for pair in pairs], "addresses": [pair[1] for pair in pairs], "since": since})
        return {(row[0], row[1]): Fitting(*row) for row in cursor.fetchall()}


def of_addresses(emails: Iterable[str], list_: int | None, since: datetime) -> list[tuple[Fitting, str]]:
    """Copies sent to these addresses since then, each with the Message-ID of its post; of one list, or of all."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_ADDRESSES, {"emails": sorted(set(emails)), "list": list_, "since": since})
        return [(Fitting(*row[:7]), row[7]) for row in cursor.fetchall()]


_UNTOLD = """
-- Copies of a mailing that failed in the dialogue and of which no event tells, with the last reply of each.
SELECT DISTINCT ON (r.address_id) r.address_id, r.code, r.text
  FROM refusal r JOIN copy_row c ON c.mailing_id = r.mailing_id AND c.address_id = r.address_id AND c.state = 3
 WHERE r.mailing_id = %s AND NOT EXISTS (SELECT 1 FROM delivery_event e WHERE e.mailing_id = r.mailing_id AND e.address_id = r.address_id)
 ORDER BY r.address_id, r.id DESC
"""


def untold(mailing: int) -> list[tuple[int, int, str]]:
    """(address, reply code, text) of each failed copy nothing was learnt from yet."""
    return [(row[0], row[1], row[2]) for row in execute(_UNTOLD, [mailing]).fetchall()]


def told_of(pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """How many reports the journal has about each of these copies."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT j.mailing_id, j.address_id, count(*) FROM unnest(%s::bigint[], %s::bigint[]) AS w (mailing, address)"
            " JOIN journal j ON j.mailing_id = w.mailing AND j.address_id = w.address AND j.event = 'copy.report' GROUP BY 1, 2",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs]],
        )
        return {(row[0], row[1]): row[2] for row in cursor.fetchall()}


def forget_unmatched(before: datetime) -> int:
    """Delete reports nobody was named for that came before, some at a time; how many."""
    old = list(UnmatchedReport.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:1000])
    return UnmatchedReport.objects.filter(pk__in=old).delete()[0] if old else 0
