"""A list's members edited as a whole: the box is compared with who is there, shown, and done if nobody came or went since."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from colporteur.domain.entries import Entries, Entry, Refused
from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.flow import attributes, memberships
from colporteur.flow.memberships import Added, Removed
from colporteur.store.lists import List, ListState
from colporteur.store.memberships import Membership, totals
from colporteur.store.people import Person

_LEFT = """
SELECT email FROM (
  SELECT DISTINCT ON (address.id) address.email, m.left_by FROM unnest(string_to_array(%(emails)s, E'\\n')) AS entry (email)
  JOIN address USING (email) JOIN membership m ON m.address_id = address.id AND m.list_id = %(list)s
  ORDER BY address.id, m.until DESC, m.id DESC) last
WHERE left_by = 'member' ORDER BY email
"""


class Changed(Invalid):
    """Somebody joined or left since the comparison was shown."""


@dataclass(frozen=True)
class Edit:
    """What the box would do. ``seen`` names the members it was compared with; nothing can be done while a line is refused."""

    added: list[Entry]
    removed: list[str]
    synced: int  # of the removed, those a source brought: it may bring them again
    staying: int
    left: list[str]  # left by themselves and would stay away
    refused: list[Refused]
    seen: str


def lines(list_: List, most: int) -> str | None:
    """The members as a box has them, ``email Name`` a line; None when they are more than ``most``."""
    if totals([list_.pk]).get(list_.pk, 0) > most:
        return None
    found = Membership.objects.filter(list=list_, until__isnull=True).order_by("email").values_list("email", "address__person__name", "address__name")
    # Angle brackets in a name would make the line name another address.
    return "".join(f"{email} {(person or name).replace('<', '').replace('>', '')}".strip() + "\n" for email, person, name in found)


def compare(list_: List, entries: Entries, *, bring_back: bool = False) -> Edit:
    """Who would be added, removed and stay if the list were what the entries say. Changes nothing."""
    checked = Added(refused=list(entries.refused))
    wanted = {entry.email: entry for entry in memberships.wanted(list_, entries.taken, checked)}
    current = dict(Membership.objects.filter(list=list_, until__isnull=True).values_list("address__email", "source_id"))
    new = [entry for email, entry in wanted.items() if email not in current]
    left = set() if bring_back else _left(list_, [entry.email for entry in new])
    gone = sorted(email for email in current if email not in wanted)
    return Edit(
        added=[entry for entry in new if entry.email not in left], removed=gone, synced=sum(1 for email in gone if current[email]), staying=len(current) - len(gone),
        left=sorted(left), refused=sorted(checked.refused), seen=_seen(current),
    )  # fmt: skip


def edit(list_: List, entries: Entries, now: datetime, *, by: Person | str, seen: str = "", bring_back: bool = False, progress: Callable[[int], None] | None = None) -> tuple[Added, Removed]:
    """Make the members what the entries say, all or nothing.

    ``seen``: of the comparison that was shown; "" when none was. Raises ``Changed`` when it is no longer true, and
    ``Invalid`` when a line cannot be taken: the person on a mistyped line would be removed.
    """
    with transaction.atomic():
        List.objects.select_for_update(no_key=True).get(pk=list_.pk)  # two who edit the same box wait for each other
        if list_.state == ListState.PENDING:
            raise Invalid(_("this list waits for an administrator: members can be added once it is activated"))
        found = compare(list_, entries, bring_back=bring_back)
        if seen and seen != found.seen:
            raise Changed(_("somebody joined or left in the meantime: look again at what would change"))
        if found.refused:
            raise Invalid(_("%(n)s lines cannot be taken: nothing was changed"), n=len(found.refused))
        removed = memberships.remove(list_, found.removed, now, by=by)
        added = memberships.add(list_, Entries(found.added, []), now, by=by, bring_back=bring_back, progress=progress)
        attributes.write_many(list_, ((entry.email, entry.values) for entry in entries.taken if entry.values))
        return added, removed


def _left(list_: List, emails: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"list": list_.pk, "emails": "\n".join(emails)})
        return {row[0] for row in cursor.fetchall()}


def _seen(emails: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(emails)).encode()).hexdigest()
