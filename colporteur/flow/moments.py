"""Days and hours as people of the active language write them, on the clocks of the active time zone; one way for pages and letters."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import get_language, gettext, pgettext


def clock(moment: datetime) -> str:
    """The time of the day: 09:05, in French 9 h 05."""
    return hour(timezone.localtime(moment).time())


def hour(of: time) -> str:
    """An hour of any day."""
    return time_format(of, pgettext("time of the day, Django date format", "H:i"))


def day(of: date, *, year: bool = True) -> str:
    """A day, which may be one of this year."""
    written = pgettext("day of another year, Django date format", "j F Y") if year else pgettext("day of this year, Django date format", "j F")
    return first(date_format(of, written))


def first(words: str) -> str:
    """French says “1er décembre”, “mardi 1er décembre”; Django's formats have no letter for it."""
    return re.sub(r"(?<!\S)1(?= \w)", "1er", words, count=1) if (get_language() or "").startswith("fr") else words


def exact(moment: datetime) -> str:
    """Day, year and time."""
    return gettext("%(day)s at %(time)s") % {"day": day(timezone.localtime(moment)), "time": clock(moment)}
