"""Members added in bulk: read, compared with the list, looked at, and then all of them added in one transaction, or nobody.

What was handed over is kept in a row: a browser may go away and a worker may die without anything being lost or half done.
Short texts are read and added at once; a worker does the others and tells how far it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import translation
from django.utils.translation import gettext

from colporteur.domain import entries
from colporteur.domain.entries import Columns, Entries, Entry, Refused
from colporteur.domain.words import Invalid, Sentence
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attributes, memberships
from colporteur.flow.memberships import Added, Given
from colporteur.store.enrolments import Enrolment, EnrolmentState
from colporteur.store.jobs import Wake, wake
from colporteur.store.lists import List, ListState
from colporteur.store.people import Person

log = logging.getLogger("colporteur.memberships")

SHORT = 2_000
"""Lines that are read and added while somebody waits for the page."""
KEPT = timedelta(days=7)
CHUNK = 10_000
_LOCK = 0x656E726F  # class of the advisory locks; the number of the row is the other half

_KNOWN = """
SELECT email, last.until IS NULL, last.left_by FROM unnest(string_to_array(%(emails)s, E'\\n')) AS entry (email) JOIN address USING (email)
JOIN LATERAL (
  SELECT m.until, m.left_by FROM membership m WHERE m.address_id = address.id AND m.list_id = %(list)s ORDER BY m.until DESC NULLS FIRST, m.id DESC LIMIT 1) last ON true
"""


@dataclass(frozen=True)
class Outlook:
    """What adding would do: who is new, how many are members already, how many lines name somebody again, who left by themselves and stays away,
    what cannot be taken."""

    new: list[Entry]
    already: int
    twice: int
    left: list[str]
    refused: list[Refused]


def outlook(list_: List, read: Entries, *, bring_back: bool = False) -> Outlook:
    """Compare entries with a list. Changes nothing."""
    answer = Added(refused=list(read.refused))
    fit = memberships.wanted(list_, read.taken, answer)
    member: set[str] = set()
    left: set[str] = set()
    for start in range(0, len(fit), CHUNK):
        with connection.cursor() as cursor:
            cursor.execute(_KNOWN, {"list": list_.pk, "emails": "\n".join(entry.email for entry in fit[start : start + CHUNK])})
            for email, now_on_it, left_by in cursor.fetchall():
                if now_on_it:
                    member.add(email)
                elif left_by == memberships.LEFT_BY_MEMBER and not bring_back:
                    left.add(email)
    new = [entry for entry in fit if entry.email not in member and entry.email not in left]
    return Outlook(new, len(member), answer.twice, sorted(left), sorted(answer.refused))


def begin(list_: List, text: str, now: datetime, *, person: Person, file: str = "", columns: Columns | None = None, bring_back: bool = False, client: str = "") -> Enrolment:
    """Keep what was handed over and read it, at once when it is short. Raises ``Invalid`` when the list takes no members yet."""
    if list_.state == ListState.PENDING:
        raise Invalid(_("this list waits for an administrator: members can be added once it is activated"))
    row = Enrolment.objects.create(
        list=list_, person=person, file=entries.display_name(file), text=text.replace("\x00", ""), columns=columns._asdict() if columns else None, bring_back=bring_back, client=client, created=now,
    )  # fmt: skip
    _soon(row, now)
    return Enrolment.objects.get(pk=row.pk)


def accept(number: int, now: datetime, *, skip: bool = False) -> bool:
    """Somebody looked and wants them added; False when it was decided before. ``skip``: without the lines that cannot be taken.

    Raises ``Invalid`` when there are such lines and they are not to be skipped.
    """
    row = Enrolment.objects.select_related("list").get(pk=number)
    if row.refused and not skip and row.state == EnrolmentState.READY:
        raise Invalid(_("%(n)s lines cannot be taken: nothing was changed"), n=len(row.refused))
    with transaction.atomic():
        if not Enrolment.objects.filter(pk=number, state=EnrolmentState.READY).update(state=EnrolmentState.ADDING, done=0):
            return False
        _soon(row, now)
    return True


def drop(number: int, now: datetime) -> bool:
    """Forget what was handed over; False when it is too late."""
    return bool(Enrolment.objects.filter(pk=number, state__in=(EnrolmentState.READY, EnrolmentState.READING)).update(state=EnrolmentState.DROPPED, text="", finished=now))


def do_due(now: datetime) -> int:
    """Read and add what waits; how many were looked at."""
    waiting = list(Enrolment.objects.filter(state__in=(EnrolmentState.READING, EnrolmentState.ADDING)).order_by("id").values_list("id", flat=True)[:20])
    return sum(_do(number, now) for number in waiting)


def forget(now: datetime) -> int:
    """Delete what was handed over a week ago: addresses are kept no longer than needed."""
    return Enrolment.objects.filter(created__lt=now - KEPT).delete()[0]


# --- how ---


def _soon(row: Enrolment, now: datetime) -> None:
    if row.text.count("\n") + row.text.count("\r") <= SHORT:
        _do(row.pk, now)
    else:
        wake(Wake.ENROL)


def _do(number: int, now: datetime) -> int:
    """One step of one row; 0 when another worker is at it. A step that fails adds nobody and is not tried again: its reason is kept."""
    with _alone(number) as alone:
        row = Enrolment.objects.select_related("list__organisation", "list__domain", "person").get(pk=number) if alone else None
        if row is None or row.state not in (EnrolmentState.READING, EnrolmentState.ADDING):
            return 0
        try:
            with translation.override((row.person.language if row.person else "") or translation.get_language() or "en"):
                _read(row) if row.state == EnrolmentState.READING else _add(row, now)
        except (OperationalError, InterfaceError):
            raise  # the database's trouble: it is tried again
        except Exception as error:
            why = error.into(gettext) if isinstance(error, Invalid) else str(error) if isinstance(error, ValueError) else ""
            Enrolment.objects.filter(pk=number).update(state=EnrolmentState.FAILED, error=why, text="", finished=now)
            log.warning("enrolment failed id=%s list=%s", number, row.list.address, exc_info=error)
    return 1


def _entries(row: Enrolment) -> Entries:
    return entries.read(row.text, Columns(**row.columns) if row.columns else None, attributes.fields_of(row.list))


def _read(row: Enrolment) -> None:
    found = outlook(row.list, _entries(row), bring_back=row.bring_back)
    Enrolment.objects.filter(pk=row.pk, state=EnrolmentState.READING).update(
        state=EnrolmentState.READY, total=len(found.new), already=found.already, twice=found.twice, left=found.left, refused=[_packed(line) for line in found.refused],
    )  # fmt: skip


def _add(row: Enrolment, now: datetime) -> None:
    """Everybody in one transaction, whose last word is that it is done. What somebody did meanwhile is respected."""
    read = _entries(row)
    given = Given("import", client=row.client, evidence=f"enrolment {row.pk}{f', file {row.file}' if row.file else ''}")
    with transaction.atomic(), _told(row.pk, len(read.taken)) as progress:
        added = memberships.add(row.list, read, now, by=row.person or "", bring_back=row.bring_back, given=given, progress=progress)
        Enrolment.objects.filter(pk=row.pk).update(
            state=EnrolmentState.DONE, added=added.added, done=row.total, already=added.already, twice=added.twice, left=added.left, refused=[_packed(line) for line in added.refused], text="", finished=now,
        )  # fmt: skip


def _packed(line: Refused) -> list[Any]:
    reason = line.reason
    return [line.line, reason.msgid, reason.values, line.text] if isinstance(reason, Sentence) else [line.line, reason, {}, line.text]


def refused_of(row: Enrolment, most: int | None = None) -> Sequence[Refused]:
    """Lines that cannot be taken, each with a reason that can be said in any language."""
    return [Refused(line, Sentence(msgid, **values), text) for line, msgid, values, text in row.refused[:most]]


@contextmanager
def _alone(number: int) -> Iterator[bool]:
    """Whether nobody else is at this row; the lock goes with the connection, so whoever dies leaves none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, number % 2**31])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, number % 2**31])


@contextmanager
def _told(number: int, total: int) -> Iterator[Callable[[int], None] | None]:
    """A function that writes how many are done, seen while the transaction that adds them is still open: by a connection of its own."""
    if total <= CHUNK:
        yield None
        return
    own = connection.copy()

    def tell(done: int) -> None:
        with own.cursor() as cursor:
            cursor.execute("UPDATE enrolment SET done = %s WHERE id = %s", [done, number])

    try:
        yield tell
    finally:
        own.close()
