"""Slices of paused mailings are put aside, so that who claims does not walk past each of these mailings every time."""

from __future__ import annotations

from datetime import UTC, datetime

from colporteur.store.copies.running import run

PARKED = datetime(9998, 1, 1, tzinfo=UTC)
"""When slices are due that were put aside. A trigger (``mailing_goes_on``) takes it away in the transaction in which their mailing is paused no more."""

_PARK = """
-- From one mailing that has something to claim to the next. The paused ones are locked against whoever lets them go on, and finds then what was put
-- aside; one that is locked already waits for the next time. What has no transport is looked for by another question and stays.
WITH RECURSIVE ready (transport_id, priority, mailing_id) AS (
    (SELECT transport_id, priority, mailing_id FROM slice WHERE NOT done AND due_at IS NULL AND transport_id IS NOT NULL ORDER BY transport_id, priority, mailing_id LIMIT 1)
    UNION ALL
    SELECT n.transport_id, n.priority, n.mailing_id FROM ready r CROSS JOIN LATERAL (
        SELECT transport_id, priority, mailing_id FROM slice
         WHERE NOT done AND due_at IS NULL AND (transport_id, priority, mailing_id) > (r.transport_id, r.priority, r.mailing_id) ORDER BY transport_id, priority, mailing_id LIMIT 1) n
), paused AS MATERIALIZED (
    SELECT m.id FROM mailing m WHERE m.id IN (SELECT mailing_id FROM ready) AND m.state = 'paused' LIMIT 1000 FOR SHARE SKIP LOCKED
), free AS MATERIALIZED (
    SELECT s.mailing_id, s.number FROM paused p CROSS JOIN LATERAL (
        SELECT mailing_id, number FROM slice
         WHERE mailing_id = p.id AND NOT done AND due_at IS NULL AND transport_id IS NOT NULL AND (lease_until IS NULL OR lease_until < clock_timestamp()) FOR UPDATE SKIP LOCKED) s
)
UPDATE slice s SET due_at = %(parked)s FROM free f WHERE s.mailing_id = f.mailing_id AND s.number = f.number RETURNING s.mailing_id
"""


def park() -> int:
    """Put aside what could be claimed of paused mailings, of a thousand at a time, but for what a worker still holds; how many slices."""
    return len(run(_PARK, {"parked": PARKED}))
