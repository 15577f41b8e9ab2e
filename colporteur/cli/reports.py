"""``colporteur bounce explain`` and ``bounce list --unmatched``: what a report says, and which ones name none of our copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from colporteur.cli.output import json_option, plainly, print_one, print_rows, stamp, tell
from colporteur.domain.bounces import REASONS, TABLE, Kind, decide
from colporteur.flow.bounces import WHY
from colporteur.mail import reports
from colporteur.mail.reports import Report, Told
from colporteur.store.bounces import UnmatchedReport

TABLE_COLUMNS = ("kind", "class", "fault", "reason", "status", "code", "who", "words")
UNMATCHED_COLUMNS = ("id", "at", "list", "to", "kind", "reason", "recipients", "why")
_KINDS = {Kind.COMPLAINT: "complaint", Kind.AUTOMATIC: "auto_reply", Kind.SUCCESS: "delivered"}


@click.command()
@click.argument("message", type=click.File("rb"), default="-", metavar="[FILE]")
@json_option
@plainly
def explain(message: Any, as_json: bool) -> None:
    """Say what a report (a file, or standard input) means, of whom, and why; without one, print the table that decides. Nothing is stored."""
    raw = b"" if message.isatty() else message.read()
    if not raw.strip():
        print_rows(_table(), TABLE_COLUMNS, as_json)
        return
    found = reports.read(raw)
    shown = {"kind": _kind(found), "reader": found.reader, "events": [_event(told) for told in found.told]}
    if as_json:
        print_one(shown, True)
        return
    tell(f"{shown['kind']}{f', read as: {found.reader}' if found.reader else ''}{', returns a copy of ours' if found.tokens else ''}")
    for told in found.told:
        reason = REASONS[told.verdict.reason]
        counts = "counts against the address" if told.verdict.kind.counts else "counts against nobody"
        tell(f"  {told.recipient or 'somebody it does not name'}: {told.verdict.kind.value} ({told.verdict.severity.value}, fault of {told.verdict.fault.value}): {reason.words}; {counts}")
        tell(f"    {' '.join(filter(None, (str(told.code or ''), told.status, told.text)))}")
        row = decide(told.status, told.code, told.text).row
        if row and row.reason == told.verdict.reason:
            tell(f"    by the row: {' '.join(filter(None, (row.status, row.code, row.words, row.who and f'({row.who})')))}")


explain.callback.in_installation = True  # type: ignore[union-attr]  # asks no database, so it needs none


def _kind(found: Report) -> str:
    if not found.told:
        return "unrecognised"
    if found.kind is Kind.TEMPORARY and all(told.verdict.reason == "delayed" for told in found.told if told.verdict.kind is Kind.TEMPORARY):
        return "delayed"
    return _KINDS.get(found.kind, "bounce")


def _event(told: Told) -> dict[str, Any]:
    verdict = told.verdict
    return {
        "recipient": told.recipient, "status": told.status, "class": verdict.severity.value, "fault": verdict.fault.value, "diagnostic": told.text,
        "kind": verdict.kind.value, "reason": verdict.reason, "code": told.code, "final": told.final,
    }  # fmt: skip


def _table() -> Iterator[dict[str, Any]]:
    for row in TABLE:
        reason = REASONS[row.reason]
        yield {"kind": reason.kind.value, "class": reason.severity.value, "fault": reason.fault.value, "reason": row.reason, "status": row.status, "code": row.code, "words": row.words, "who": row.who}


def print_unmatched(list_: int | None, limit: int | None, after: str | None, as_json: bool) -> None:
    """Reports that name no copy, of a list or of all, the newest first. Raises ``ValueError`` when no row is called ``after``."""
    rows = UnmatchedReport.objects.select_related("list").order_by("-id")
    if list_ is not None:
        rows = rows.filter(list=list_)
    if after:
        if not after.isdigit() or len(after) > 18 or not rows.filter(pk=int(after)).exists():
            raise ValueError(f"there is no report {after!r} in the list")
        rows = rows.filter(pk__lt=int(after))
    print_rows((_unmatched(row) for row in (rows[:limit] if limit else rows.iterator(chunk_size=2000))), UNMATCHED_COLUMNS, as_json)


def _unmatched(row: UnmatchedReport) -> dict[str, Any]:
    return {
        "id": row.pk, "at": stamp(row.at), "list": row.list.address if row.list else None, "to": row.to, "kind": row.kind, "reason": row.reason, "recipients": row.recipients,
        "why": WHY.get(row.why, row.why), "text": row.text, "arrival": row.arrival_id,
    }  # fmt: skip
