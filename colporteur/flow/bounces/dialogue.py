"""Refusals in the SMTP dialogue end in the same events as reports by mail."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import InterfaceError, OperationalError

from colporteur.domain import bounces
from colporteur.domain.bounces import Event, Origin
from colporteur.flow import standing
from colporteur.flow.bounces.matching import event_of
from colporteur.store import bounces as store
from colporteur.store.mailings import Mailing

log = logging.getLogger("colporteur.bounces")


def refused(mailing: int, list_: int | None, replies: Iterable[tuple[int, int, str]], now: datetime) -> None:
    """Copies that were refused for good: (address, reply code, text) of each. What goes wrong here never stops delivery."""
    try:
        standing.record([_event(mailing, list_, *reply, now) for reply in replies], now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("refusals not recorded mailing=%d", mailing)


def untold(mailing: int, now: datetime) -> None:
    """Learn from failed copies whose worker was killed before it told of them."""
    if replies := store.untold(mailing):
        refused(mailing, Mailing.objects.values_list("list_id", flat=True).get(pk=mailing), replies, now)


def _event(mailing: int, list_: int | None, address: int, code: int, text: str, now: datetime) -> Event:
    status, _code = bounces.numbers("", code, text)
    verdict = bounces.classify(status, code, text)
    return event_of(mailing, address, list_, verdict, status, code, " ".join(text.split()), Origin.DIALOGUE, None, now)
