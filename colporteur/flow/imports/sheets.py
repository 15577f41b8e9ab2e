"""Subscribers of any newsletter tool come to a list from its CSV file. Nobody is written to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from colporteur.domain.entries import Refused, decode
from colporteur.domain.imports import tables
from colporteur.flow import lists, quotas
from colporteur.flow.imports import places
from colporteur.flow.imports.account import Report, Table
from colporteur.flow.imports.details import describe
from colporteur.store.imports import families, loading, sheets, staging
from colporteur.store.imports.loading import do, rows
from colporteur.store.lists import List, ListState
from colporteur.store.people import Person

LARGEST = 512 << 20
UNREADABLE = "it cannot be read as CSV"


def run(path: Path, list_address: str, now: datetime, *, by: Person | str, chosen: Mapping[str, str] | None = None, dry_run: bool = False) -> Report:
    """Add the file's subscribers to the list, with their state, dates and what is known of them; all or none.

    ``chosen``: what columns mean (``domain.imports.tables``). Who left over there has left here, who may not be written to is opposed,
    who bounced is a member and paused. Raises ``ValueError``.
    """
    list_ = lists.find(list_address)
    if list_.state == ListState.PENDING:
        raise ValueError("this list waits for an administrator: members can be added once it is activated")
    if path.stat().st_size > LARGEST:
        raise ValueError("the file is larger than 512 MB: import it in parts")
    found = tables.sheet(decode(path.read_bytes()), chosen or {})
    report, refused = Report(), list[Refused]()
    staging.begin()
    try:
        with transaction.atomic():
            for statement in families.BEGIN.strip().split(";"):
                if statement.strip():
                    do(statement)
            read = sheets.stage(tables.subscribers(found, ZoneInfo(settings.TIME_ZONE), refused), list_.pk)
            _load(list_, path.name, report, now, by)
            table = report.tables[path.name] = Table(read + len(refused))
            table.add_all(rows(sheets.ACCOUNT))
            if refused:
                table.add(UNREADABLE, len(refused))
                report.notes += [f"line {line.line}: {line.reason}" for line in refused[:50]]
            transaction.set_rollback(dry_run)
    finally:
        if not connection.needs_rollback:
            staging.begin()
    report.notes.append("columns: " + ", ".join(f"{found.heads[place]} = {field}" for field, place in sorted((found.columns | found.extra).items(), key=lambda pair: pair[1])))
    return report


def _load(list_: List, name: str, report: Report, now: datetime, by: Person | str) -> None:
    source = f"csv {name}"[:200]
    do("UPDATE im_person SET extra = coalesce(extra, '{}') || jsonb_build_object('language', lang) WHERE lang <> ''")
    for statement in families.SETTLE:
        do(statement)
    report.oppositions, _left = loading.oppose(source, now)
    loading.leave_out_opposed("im_person")
    do(sheets.MEMBERS)
    known = int(rows("SELECT count(*) FROM address WHERE email IN (SELECT email FROM im_member)")[0][0])
    report.people = loading.people(source, now) - known
    joined, report.waiting = loading.members(source, now)
    for _list_id, members, all_ in joined:
        quotas.check_members(list_, members)
        report.memberships += members
        report.left += all_ - members
        places.joined(list_, members, source, now, by)
    describe(loading.attribute_keys(), report)
    loading.details()
    do(sheets.BOUNCED, {"now": now})
