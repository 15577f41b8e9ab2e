"""Going through the errands that are due: an attempt is booked before it is made, each in a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q

from colporteur.domain.addresses import Service
from colporteur.flow.errands import aside
from colporteur.flow.errands.commands import request, subscribe
from colporteur.flow.errands.confirming import confirm
from colporteur.flow.errands.leaving import unsubscribe
from colporteur.flow.errands.message import Message, message_of
from colporteur.flow.errands.moderate import moderate
from colporteur.flow.errands.owner import owner
from colporteur.flow.errands.report import report, report_all
from colporteur.store.arrivals import Errand, ErrandState

log = logging.getLogger("colporteur.errands")

ERRANDS: dict[Service, Callable[[Message], None]] = {
    Service.OWNER: owner,
    Service.MODERATE: moderate,
    Service.UNSUBSCRIBE: unsubscribe,
    Service.CONFIRM: confirm,
    Service.BOUNCES: report,
    Service.REQUEST: request,
    Service.SUBSCRIBE: subscribe,
}
BATCH, ATTEMPTS = 50, 5
REPORTS, REPORT_BYTES = 200, 32 * 1024 * 1024
"""Reports taken in together, and their bytes in all."""
LEASE = timedelta(seconds=20)
WAITS = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


def do_due(now: datetime, limit: int = 200) -> int:
    """Do what was asked, at most about ``limit`` errands; how many were looked at."""
    done = 0
    while done < limit:
        if reports := _claim_reports(now):
            done += len(reports)
            _do_reports(reports, now)
            continue
        batch = _claim(now, fresh=True) or _claim(now, fresh=False)
        if not batch:
            break
        done += len(batch)
        for id_ in batch:
            _do(id_, now)
    return done


@transaction.atomic
def _claim(now: datetime, fresh: bool) -> list[int]:
    """Book an attempt for new errands, or for one that failed before and is tried alone."""
    due = Errand.objects.filter(state=ErrandState.RECEIVED).filter(Q(next_try__isnull=True) | Q(next_try__lte=now))
    due = due.filter(attempts=0) if fresh else due.filter(attempts__gt=0)
    ids = list(due.order_by("id").select_for_update(skip_locked=True).values_list("id", flat=True)[: BATCH if fresh else 1])
    Errand.objects.filter(pk__in=ids).update(attempts=F("attempts") + 1, next_try=now + LEASE)
    return ids


@transaction.atomic
def _claim_reports(now: datetime) -> list[int]:
    """Book an attempt for new reports: a provider in trouble sends thousands at once."""
    due = Errand.objects.filter(state=ErrandState.RECEIVED, service=Service.BOUNCES.value, attempts=0, next_try__isnull=True).order_by("id")
    rows = due.select_for_update(skip_locked=True, of=("self",)).values_list("id", "arrival__blob__size")[:REPORTS]
    ids: list[int] = []
    bytes_ = 0
    for id_, size in rows:
        bytes_ += size
        if ids and bytes_ > REPORT_BYTES:
            break
        ids.append(id_)
    Errand.objects.filter(pk__in=ids).update(attempts=F("attempts") + 1, next_try=now + LEASE)
    return ids


def _do_reports(ids: list[int], now: datetime) -> None:
    """All in one transaction; one by one when any of them cannot be taken in."""
    try:
        with transaction.atomic():
            found = Errand.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=ids, state=ErrandState.RECEIVED)
            errands = list(found.select_related("arrival__blob", "list").order_by("id"))
            report_all(errands, now)
            Errand.objects.filter(pk__in=[errand.pk for errand in errands]).update(state=ErrandState.DONE, next_try=None, error="")
    except (OperationalError, InterfaceError):
        raise  # the database's trouble, not the reports'
    except Exception:
        log.warning("reports failed together, one by one now: %d", len(ids), exc_info=True)
        for id_ in ids:
            _do(id_, now)


def _do(id_: int, now: datetime) -> None:
    try:
        with transaction.atomic():
            found = Errand.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=id_, state=ErrandState.RECEIVED)
            errand = found.select_related("arrival__blob", "list__organisation", "list__domain").first()
            if errand is None:
                return
            if errand.attempts > ATTEMPTS:
                raise RuntimeError(errand.error or "the process ended while it worked on this message")
            message = message_of(errand, now)
            ERRANDS[Service(errand.service)](message)
            Errand.objects.filter(pk=id_).update(state=ErrandState.DONE, next_try=None, error="")
    except (OperationalError, InterfaceError):
        raise  # the database's trouble, not the errand's
    except Exception as error:
        _failed(id_, error, now)


def _failed(id_: int, error: Exception, now: datetime) -> None:
    """Try again later, or set the errand aside after the last attempt."""
    log.warning("errand failed id=%s", id_, exc_info=error)
    text = f"{type(error).__name__}: {error}".replace("\x00", "")[:500]
    attempts = Errand.objects.values_list("attempts", flat=True).get(pk=id_)
    if attempts >= ATTEMPTS:
        aside.quarantine(id_, text, now)
    else:
        Errand.objects.filter(pk=id_, state=ErrandState.RECEIVED).update(error=text, next_try=now + WAITS[attempts - 1])
