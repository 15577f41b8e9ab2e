"""Wake-ups. Rows are the truth; a job only says "look now". Losing every job loses nothing: the sweep looks anyway.

What was tried and must not be learned again: ``task.defer()`` inside a worker uses the worker's pool, so it neither
rolls back nor waits for the commit; ``AlreadyEnqueued`` aborts the transaction; two transactions on one
``queueing_lock`` wait for each other. Hence: our own ``JobManager`` on Django's connection, a savepoint, and the wake as
the last statement of the transaction.
"""

from __future__ import annotations

from enum import StrEnum

from django.db import connection, transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from colporteur.store.statements import execute

DUE = "colporteur_due"
"""Where every worker listens for mail that is due: all of them may send it. Anything else is one worker's, a job."""


class Wake(StrEnum):
    """What can be woken: each name is a task of ``daemons.work``."""

    JUDGE = "judge"
    PLAN = "plan"
    ERRANDS = "errands"
    DELIVER = "deliver"
    ENROL = "enrol"


def wake(name: Wake) -> None:
    """Wake whoever does ``name``; a no-op when it is already enqueued and not started. Last statement of a transaction."""
    if name == Wake.DELIVER:
        execute("SELECT pg_notify(%s, '')", [DUE])
        return
    if execute("SELECT FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo'", [name.value]).rowcount:
        return  # as under load nearly always, and much cheaper than being refused
    job = Job(id=None, queue=name.value, lock=None, queueing_lock=name.value, task_name=name.value, task_kwargs={})
    try:
        with transaction.atomic():
            JobManager(DjangoConnector(alias="default")).defer_job(job)
    except AlreadyEnqueued:
        pass


def forget_stalled() -> None:
    """Delete the wake-ups somebody was at, for a start that knows no worker lives; then wake everything.

    A stalled one would be found again only after its worker's heartbeat went stale, and one of the same lock may wait
    beside it already.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")
        cursor.execute("DELETE FROM procrastinate_workers")
    for name in Wake:
        wake(name)


def forget_all() -> None:
    """Delete every wake-up, and who was at them: a restored database has those of another time."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        cursor.execute("DELETE FROM procrastinate_workers")


def forget_dead() -> None:
    """Delete the wake-ups of workers that died at them: nobody will end them, and the sweep has looked meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs j WHERE j.status = 'doing' AND NOT EXISTS "
            "(SELECT 1 FROM procrastinate_workers w WHERE w.id = j.worker_id AND w.last_heartbeat > now() - interval '2 minutes')"
        )
