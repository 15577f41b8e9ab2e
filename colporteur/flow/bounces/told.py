"""What a sending service told of copies ends in the same events as reports by mail and refusals in the dialogue."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from colporteur.domain import bounces
from colporteur.domain.bounces import Kind, Origin, Verdict, verdict_of
from colporteur.domain.services import Heard, Told
from colporteur.flow import failures, standing
from colporteur.flow.bounces import matching
from colporteur.flow.bounces.matching import GOOD_FOR
from colporteur.flow.bounces.taking import LETTERS, MOST
from colporteur.store import bounces as store
from colporteur.store.bounces import Fitting
from colporteur.store.journal import JournalEntry
from colporteur.store.people import Address

mail = logging.getLogger("colporteur.mail")

_PLAIN = {Told.COMPLAINED: "complaint", Told.DEFERRED: "delayed", Told.ANSWERED: "absence"}


@dataclass(frozen=True, slots=True)
class Heeded:
    """A copy with what a service told of it."""

    copy: Fitting
    heard: Heard
    verdict: Verdict
    status: str
    code: int

    @property
    def summary(self) -> str:
        """In one line, as reports have it."""
        failed = "failed " if self.verdict.kind in (*matching.FAILED, Kind.UNKNOWN) else ""
        return f"{failed}{self.status or self.verdict.reason} {self.heard.text}".strip()[:500]


def heeded(copy: Fitting, heard: Heard) -> Heeded:
    """What follows from it for the copy. The other side's own words come before how the service sees them, but that the service
    writes no more to somebody is no new refusal of a mailbox."""
    if reason := _PLAIN.get(heard.told):
        return Heeded(copy, heard, verdict_of(reason), "", 0)
    status, code = bounces.numbers("", 0, heard.text)
    found = bounces.classify(status, code, heard.text) if heard.text else verdict_of("unclear")
    if heard.reason and (heard.reason == "suppressed" or found.reason in ("unclear", "later")):
        found = verdict_of(heard.reason)
    return Heeded(copy, heard, found, status, code)


def told(several: Sequence[Heeded], now: datetime) -> None:
    """Take in what was told, in the caller's transaction."""
    _journal(several, now)
    events = [
        matching.event_of(one.copy.mailing, one.copy.address, one.copy.list, one.verdict, one.status, one.code, one.heard.text, Origin.WEBHOOK, None, _when(one.heard.at, now))
        for one in several
    ]  # fmt: skip
    standing.record(events, now)
    tried: Counter[int] = Counter()
    for one in several:
        if one.verdict.kind in matching.FAILED and tried[one.copy.mailing] < LETTERS:
            tried[one.copy.mailing] += 1
            failures.tell_report(one.copy.mailing, Address.objects.get(pk=one.copy.address), one.summary, now)


def _when(at: datetime | None, now: datetime) -> datetime:
    """When it happened, as far as that can be."""
    return at if at and now - GOOD_FOR < at < now else now


def _journal(several: Sequence[Heeded], now: datetime) -> None:
    before = Counter(store.told_of({(one.copy.mailing, one.copy.address) for one in several}))
    rows = []
    for one in several:
        copy = one.copy
        mail.info("report mailing=%s address=%s kind=%s reason=%s summary=%s", copy.mailing, copy.email, one.verdict.kind.value, one.verdict.reason, one.summary)
        before[copy.mailing, copy.address] += 1
        if before[copy.mailing, copy.address] <= MOST:
            values = {"email": copy.email, "summary": one.summary, "kind": one.verdict.kind.value}
            rows.append(JournalEntry(at=now, event="copy.report", values=values, organisation_id=copy.organisation, list_id=copy.list, post_id=copy.post, mailing_id=copy.mailing, address_id=copy.address))
    JournalEntry.objects.bulk_create(rows)
