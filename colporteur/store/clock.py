"""The database's clock, watched: one that is set back would make everything that waits for a time wait that much longer."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, models

WAITING = (
    ("slice", "due_at"), ("slice", "lease_until"), ("mailing", "resume_at"), ("transport", "next_try"), ("post", "next_try"), ("errand", "next_try"), ("mailbox", "next_try"),
    ("left_behind", "next_try"), ("transport", "checked_at"), ("destination_group", "rests_until"), ("destination_group", "changed_at"),
    ("source", "next_run"), ("source", "running_until"), ("standing", "next_probe"), ("stream", "until"), ("standing", "probed_at"), ("standing", "review_at"), ("digest_series", "upto"), ("digest_series", "looked_at"),
)  # fmt: skip
"""Columns with moments something waits for, or waits a time after. What was promised to a person (when a link or a waiting message ends) stays as it was said."""

_LEAST = timedelta(seconds=1)
_NO_MOMENT = "9000-01-01"
"""What is due later waits for no clock: slices put aside or held (``store.copies``), which are known by the year they are due in."""


class Clock(models.Model):
    """The latest moment this database has seen: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    latest = models.DateTimeField()

    class Meta:
        db_table = "clock"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="clock_one_row")]


def step_back() -> timedelta | None:
    """How far the clock was set back since anybody last asked; None when it was not. In a transaction: one of many who ask
    at once is told, and whoever dies before the commit was not."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO clock (id, latest) VALUES (1, clock_timestamp()) ON CONFLICT DO NOTHING")
        cursor.execute("SELECT latest - clock_timestamp() FROM clock FOR UPDATE")
        step: timedelta = cursor.fetchone()[0]
        cursor.execute("UPDATE clock SET latest = clock_timestamp()")
    return step if step > _LEAST else None


def follow(step: timedelta) -> None:
    """Move every moment that is waited for back by as much, and who came or left "later than now" came or left now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM slice WHERE NOT done ORDER BY mailing_id, number FOR UPDATE")  # in the order of everybody who locks several
        for table, column in WAITING:
            cursor.execute(f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s) WHERE {column} > clock_timestamp() AND {column} < '{_NO_MOMENT}' {'AND NOT done' if table == 'slice' else ''}", [step.total_seconds()])
        for column in ("since", "until"):
            cursor.execute(f"UPDATE membership SET {column} = clock_timestamp() WHERE {column} > clock_timestamp()")
