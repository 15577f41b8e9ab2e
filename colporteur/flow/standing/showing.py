"""A standing in words, for pages, letters and commands alike."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from colporteur.domain.bounces import REASONS, Kind
from colporteur.domain.standing import Standing
from colporteur.flow import moments
from colporteur.store.standing import AddressStanding


def reason_in_words(key: str) -> str:
    """Why, in the active language; the key where it is of another release."""
    return _(REASONS[key].words) if key in REASONS else key


def in_words(row: AddressStanding) -> str:
    """Why an address stands as it does, in one or two sentences of the active language."""
    if row.standing is Standing.GOOD:
        return _("Messages arrive.")
    if row.kind == Kind.COMPLAINT:
        return _("A message was reported as spam on %(day)s.") % {"day": _day(row.since)}
    why = reason_in_words(row.reason)
    found = ngettext("%(n)s message came back: %(why)s.", "%(n)s messages came back: %(why)s.", row.failures) % {"n": row.failures, "why": why}
    if row.first_at and row.last_at and row.first_at.date() != row.last_at.date():
        found = f"{found} " + _("The first on %(first)s, the last on %(last)s.") % {"first": _day(row.first_at), "last": _day(row.last_at)}
    if row.standing is Standing.PAUSED and row.probe:
        found = f"{found} " + _("A letter to see whether it arrives is on its way.")
    elif row.standing is Standing.PAUSED and row.next_probe:
        found = f"{found} " + _("The next letter to try goes on %(day)s.") % {"day": _day(row.next_probe)}
    elif row.standing is Standing.GONE:
        found = f"{found} " + _("The letters sent to try came back, too.")
    return found


def _day(moment: datetime) -> str:
    return moments.day(timezone.localtime(moment))
