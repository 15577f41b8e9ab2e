"""Mail to ``name-bounces+TOKEN`` and other addresses where reports come: read, and taken in many at a time.

A token that is not ours, or names a copy that is gone or too old, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from colporteur.flow import bounces
from colporteur.flow.bounces import Arrived
from colporteur.flow.errands.message import Message, tag
from colporteur.mail import reports
from colporteur.store.arrivals import Errand


def report(message: Message) -> None:
    """Take one in, alone."""
    report_all([message.errand], message.now)


def report_all(errands: Collection[Errand], now: datetime) -> None:
    """Take many in; in the caller's transaction, and raising what any of them raises."""
    bounces.take([_arrived(errand) for errand in errands], now)


def _arrived(errand: Errand) -> Arrived:
    raw, arrival, list_ = bytes(errand.arrival.blob.raw), errand.arrival, errand.list
    # A mailbox does not write the envelope sender down everywhere: none is not the null sender there.
    read = reports.read(raw, arrival.mail_from if arrival.door == "lmtp" else arrival.mail_from or None)
    return Arrived(arrival.pk, errand.recipient, errand.token or tag(read.subject), list_.pk if list_ else None, list_.organisation_id if list_ else None, read, reports.summary(raw))
