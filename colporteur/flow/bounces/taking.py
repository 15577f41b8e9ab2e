"""Taking reports in, many at a time: matched, journaled, recorded, and what fits nothing kept where people see it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from colporteur.domain.bounces import Kind
from colporteur.flow import failures, standing
from colporteur.flow.bounces import matching
from colporteur.flow.bounces.matching import Arrived, Matched
from colporteur.mail.reports import Told
from colporteur.store import bounces
from colporteur.store.bounces import Fitting, UnmatchedReport
from colporteur.store.journal import JournalEntry
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")

MOST = 20
"""Reports journaled about one copy: whoever has a copy could send any number."""
LETTERS = 3
"""Letters tried about one mailing for one batch of reports; how many a day is for ``flow.failures``."""


def take(several: Sequence[Arrived], now: datetime) -> None:
    """Take reports in, in the caller's transaction."""
    matched = matching.match(several, now)
    found = [(one, copy, told) for one in matched for copy, told in one.copies]
    _journal(found, now)
    standing.record(matching.events(matched, now), now)
    _keep([one for one in matched if one.why], now)
    _tell(found, now)


def _journal(found: Sequence[tuple[Matched, Fitting, Told | None]], now: datetime) -> None:
    before = Counter(bounces.told_of({(copy.mailing, copy.address) for _one, copy, _told in found}))
    rows = []
    for one, copy, told in found:
        kind = told.verdict.kind.value if told else one.arrived.report.automatic.value
        mail.info("report mailing=%s address=%s kind=%s reason=%s summary=%s", copy.mailing, copy.email, kind, told.verdict.reason if told else "", one.arrived.summary)
        before[copy.mailing, copy.address] += 1
        if before[copy.mailing, copy.address] <= MOST:
            values = {"email": copy.email, "summary": one.arrived.summary, "kind": kind}
            about = {"organisation_id": copy.organisation, "list_id": copy.list, "post_id": copy.post, "mailing_id": copy.mailing, "address_id": copy.address}
            rows.append(JournalEntry(at=now, event="copy.report", values=values, **about))
    JournalEntry.objects.bulk_create(rows)


def _keep(unmatched: Sequence[Matched], now: datetime) -> None:
    """Keep what counts for nothing; a person's letter to such an address is only journaled."""
    entries, rows = [], []
    for one in unmatched:
        arrived, told = one.arrived, one.left or list(one.arrived.report.told)
        mail.info("report-unmatched arrival=%s recipient=%s why=%s", arrived.arrival, arrived.to, one.why)
        entries.append(JournalEntry(at=now, event="errand.unmatched", organisation_id=arrived.organisation, list_id=arrived.list, values={"recipient": arrived.to}))
        first = told[0].verdict if told else None
        names = list(dict.fromkeys(item.recipient for item in told if item.recipient))[:20]
        kind, reason = (first.kind.value, first.reason) if first else (Kind.UNKNOWN.value, "unclear")
        rows.append(UnmatchedReport(arrival_id=arrived.arrival, list_id=arrived.list, at=now, to=arrived.to, why=one.why, kind=kind, reason=reason, recipients=names, text=(told[0].text if told else "") or arrived.summary))
    JournalEntry.objects.bulk_create(entries)
    UnmatchedReport.objects.bulk_create(rows)


def _tell(found: Sequence[tuple[Matched, Fitting, Told | None]], now: datetime) -> None:
    """Owners or the author, as the list has it, of copies that failed."""
    tried: Counter[int] = Counter()
    for one, copy, told in found:
        if told and told.verdict.kind in matching.FAILED and tried[copy.mailing] < LETTERS:
            tried[copy.mailing] += 1
            failures.tell_report(copy.mailing, Address.objects.get(pk=copy.address), one.arrived.summary, now)
