"""Template tags of the look: marks, states as shaped dots, bars, dates and numbers as people read them.

Everything drawn is inline SVG with presentation attributes: the content policy allows no inline style.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField
from django.template.context import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, gettext_noop, ngettext, pgettext

from colporteur.domain.mailings import CopyState, MailingState
from colporteur.domain.pacing import Rate
from colporteur.domain.policy import DELIVERIES
from colporteur.domain.posts import PostState
from colporteur.flow.mailings import Totals
from colporteur.flow.moments import clock, day, exact, first

register = template.Library()

_ICONS = {
    "mark": '<rect x="2" y="7" width="20" height="14" rx="2"/><path d="M8 7V5a2 2 0 0 1 2-2h4a2 2 0 0 1 2 2v2"/><path d="m2.6 9.2 9.4 6.3 9.4-6.3"/>',
    "warning": '<path d="M12 3.5 22 20.5H2Z"/><path d="M12 10v4.5M12 17.4v.2"/>',
    "good": '<circle cx="12" cy="12" r="9.5"/><path d="m7.8 12.4 2.9 2.9 5.6-6"/>',
    "bad": '<circle cx="12" cy="12" r="9.5"/><path d="m8.6 8.6 6.8 6.8m0-6.8-6.8 6.8"/>',
    "note": '<circle cx="12" cy="12" r="9.5"/><path d="M12 11v5.5M12 7.5v.2"/>',
    "clip": '<path d="m20 11.5-8.1 8.1a5 5 0 0 1-7.1-7.1l8.5-8.5a3.4 3.4 0 0 1 4.8 4.8l-8.4 8.4a1.7 1.7 0 0 1-2.4-2.4l7.6-7.6"/>',
    "previous": '<path d="m15 5-7 7 7 7"/>',
    "next": '<path d="m9 5 7 7-7 7"/>',
    "down": '<path d="m6 9 6 6 6-6"/>',
    "menu": '<path d="M4 7h16M4 12h16M4 17h16"/>',
    "close": '<path d="m6 6 12 12M18 6 6 18"/>',
    "search": '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>',
    "pause": '<path d="M8 5v14M16 5v14"/>',
}
_DOTS = {
    "running": '<circle class="line" cx="6" cy="6" r="5.25"/><circle class="fill" cx="6" cy="6" r="2.75"/>',
    "paused": '<circle class="line" cx="6" cy="6" r="5"/>',
    "done": '<circle class="fill" cx="6" cy="6" r="6"/>',
    "broken": '<circle class="fill" cx="6" cy="6" r="6"/><path class="line" d="m4 4 4 4m0-4-4 4"/>',
    "waiting": '<circle class="line" cx="6" cy="6" r="5.25"/><path class="fill" d="M6 .75a5.25 5.25 0 0 1 0 10.5Z"/>',
    "shaky": '<circle class="line" cx="6" cy="6" r="5.25"/><path class="fill" d="M.75 6a5.25 5.25 0 0 0 10.5 0Z"/>',
    "draft": '<circle class="line" cx="6" cy="6" r="5.25"/>',
}


@register.simple_tag
def icon(name: str, size: int = 24) -> SafeString:
    """An outline icon, silent for screen readers: words always stand beside it."""
    shape = mark_safe(_ICONS[name])
    return format_html(
        '<svg class="icon icon-{}" width="{}" height="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{}</svg>', name, size, size, shape)


@register.simple_tag
def dot(shape: str) -> SafeString:
    """The shaped dot of a state."""
    return format_html('<svg class="dot dot-{}" viewBox="0 0 12 12" aria-hidden="true" focusable="false">{}</svg>', shape, mark_safe(_DOTS[shape]))


@register.simple_tag
def state(shape: str, words: str) -> SafeString:
    """A dot and the words of the state."""
    return format_html('<span class="state">{} <span>{}</span></span>', dot(shape), words)


def _post_words(found: str) -> tuple[str, str]:
    return {
        PostState.RECEIVED: ("draft", gettext("Being looked at")),
        PostState.HELD: ("waiting", gettext("Waiting")),
        PostState.ACCEPTED: ("done", gettext("Accepted")),
        PostState.REJECTED: ("broken", gettext("Rejected")),
        PostState.DISCARDED: ("broken", gettext("Rejected silently")),
        PostState.EXPIRED: ("paused", gettext("Expired")),
        PostState.QUARANTINED: ("shaky", gettext("In quarantine")),
    }[PostState(found)]


@register.simple_tag
def post_state(found: str) -> SafeString:
    """State of a post in words."""
    return state(*_post_words(found))


def mailing_words(found: str) -> tuple[str, str]:
    """Dot and words of a mailing's state."""
    return {
        MailingState.PLANNED: ("running", gettext("Being prepared")),
        MailingState.RUNNING: ("running", gettext("Running")),
        MailingState.PAUSED: ("paused", gettext("Paused")),
        MailingState.DONE: ("done", gettext("Finished")),
        MailingState.CANCELLED: ("broken", gettext("Abandoned")),
    }[MailingState(found)]


@register.simple_tag
def mailing_state(found: str) -> SafeString:
    """State of a mailing in words."""
    return state(*mailing_words(found))


@register.simple_tag
def copy_state(found: int) -> SafeString:
    """State of a copy in words."""
    return state(*{
        CopyState.QUEUED: ("draft", gettext("To leave")),
        CopyState.DEFERRED: ("running", gettext("Deferred, tried again")),
        CopyState.SENT: ("done", gettext("Delivered")),
        CopyState.FAILED: ("broken", gettext("Refused")),
        CopyState.CANCELLED: ("paused", gettext("Not sent")),
    }[CopyState(found)])


_HATCH = mark_safe(
    '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="7" height="7"/>'
    '<line class="hatch-line" x1="2" y1="0" x2="2" y2="7"/></pattern></defs>')
_BAR_LOOK = {MailingState.PAUSED: "paused", MailingState.DONE: "done", MailingState.CANCELLED: "broken"}


@register.simple_tag
def bar(totals: Totals, found: str, thick: bool = False) -> SafeString:
    """Progress by outcome: delivered, refused, deferred, and what is to come as empty ground."""
    whole = max(totals.total, 1)
    parts, left = [], 0.0
    for kind in ("sent", "failed", "deferred", "cancelled"):
        width = 100 * getattr(totals, kind) / whole
        if width:
            parts.append(format_html('<rect class="{}" x="{}%" y="0" width="{}%" height="100%"/>', kind, f"{left:.3f}", f"{width:.3f}"))
        left += width
    label = gettext("%(sent)s of %(total)s delivered") % {"sent": thousands(totals.sent), "total": thousands(totals.total)}
    return format_html('<svg class="bar {} {}" role="img" aria-label="{}">{}{}</svg>', _BAR_LOOK.get(MailingState(found), ""), "thick" if thick else "", label, _HATCH, mark_safe("".join(parts)))


@register.simple_tag
def key(kind: str) -> SafeString:
    """Small square of a bar's legend."""
    return format_html('<svg class="key bar {}" aria-hidden="true">{}<rect class="{}" width="100%" height="100%"/></svg>', "come" if kind == "come" else "", _HATCH if kind == "deferred" else "", kind)


@register.filter
def thousands(number: int | None) -> str:
    """A whole number with its thousands set apart: narrow no-break space in French."""
    return f"{number or 0:,}".replace(",", "\u202f" if (get_language() or "").startswith("fr") else ",").replace("-", "−")


def decimal(number: float) -> str:
    """A number with at most one decimal, as people of the language write it."""
    text = f"{number:.1f}".removesuffix(".0")
    return text.replace(".", ",") if (get_language() or "").startswith("fr") else text


@register.filter
def octets(size: int | None) -> str:
    """A size in the unit people use."""
    amount = float(size or 0)
    if amount < 1000:
        return ngettext("%(n)s byte", "%(n)s bytes", int(amount)) % {"n": int(amount)}
    for unit in (gettext("KB"), gettext("MB"), gettext("GB")):
        amount /= 1024
        if amount < 1000 or unit == gettext("GB"):
            break
    return f"{decimal(amount)}\u202f{unit}"


def _day(moment: datetime, today: datetime) -> str:
    return day(moment, year=moment.year != today.year)


def said(moment: datetime, now: datetime) -> str:
    """A moment as people say it: just now, 40 min ago, yesterday at 18:12, Tuesday 17 November, 2 September 2019."""
    there, here = timezone.localtime(moment), timezone.localtime(now)
    ago = now - moment
    if timedelta(0) <= ago < timedelta(minutes=1):
        return gettext("just now")
    if timedelta(0) <= ago < timedelta(hours=1):
        return gettext("%(n)s min ago") % {"n": int(ago.total_seconds() // 60)}
    if there.date() == here.date():
        return gettext("today at %(time)s") % {"time": clock(moment)}
    if there.date() == here.date() - timedelta(days=1):
        return gettext("yesterday at %(time)s") % {"time": clock(moment)}
    if timedelta(0) <= ago < timedelta(days=6):
        spoken = first(date_format(there, pgettext("day of this week, Django date format", "l j F")))
        return spoken.lower() if (get_language() or "").startswith("fr") else spoken
    return _day(there, here)


@register.filter
def delivery(mode: str) -> str:
    """How a member receives, in words."""
    return gettext(DELIVERIES[mode]) if mode in DELIVERIES else mode


@register.filter
def proof(evidence: str) -> str:
    """What the consent ledger keeps as evidence, in the reader's language and clock; what other parts wrote stays as it is."""
    if found := re.fullmatch(r"enrolment (\d+)(, file .+)?", evidence):
        return gettext("addition %(n)s") % {"n": found[1]} + (found[2] or "").replace(" file", "", 1)
    if found := re.fullmatch(r"request (\d+) by (.+), asked (\d{4}-\d\d-\d\dT\S+), confirmed (\d{4}-\d\d-\d\dT\S+?)?(, .+)?", evidence):
        door = {"mail": gettext("by mail"), "web": gettext("on the web")}.get(found[2], found[2])
        moments = [f"{said_on} {exact(datetime.fromisoformat(there))}" for said_on, there in ((gettext("asked:"), found[3]), (gettext("confirmed:"), found[4])) if there]
        return ", ".join([gettext("request %(n)s, %(door)s") % {"n": found[1], "door": door}, *moments]) + (found[5] or "")
    return evidence


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """The moment as people say it, exact for machines and on hovering."""
    if moment is None:
        return ""
    there = timezone.localtime(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', there.isoformat(timespec="seconds"), exact(moment), said(moment, timezone.now()))


@register.filter
def to_come(moment: datetime | None) -> str:
    """A moment to come, day and time."""
    if moment is None:
        return ""
    there, today = timezone.localtime(moment), timezone.localtime(timezone.now())
    if there.date() > today.date() + timedelta(days=1):
        return gettext("on %(day)s at %(time)s") % {"day": _day(there, today), "time": clock(moment)}
    near = gettext("today") if there.date() == today.date() else gettext("tomorrow") if there.date() == today.date() + timedelta(days=1) else _day(there, today)
    return gettext("%(day)s at %(time)s") % {"day": near, "time": clock(moment)}


@register.filter
def on_day(moment: datetime | None) -> str:
    """The day alone."""
    return _day(timezone.localtime(moment), timezone.localtime(timezone.now())) if moment else ""


@register.filter
def lasting(seconds: float | None) -> str:
    """A time left or passed, in the two units that matter."""
    minutes = max(1, round((seconds or 0) / 60))
    if (seconds or 0) < 60:
        return gettext("less than a minute")
    if minutes < 60:
        return gettext("%(n)s min") % {"n": minutes}
    return gettext("%(hours)s h %(minutes)02d") % {"hours": minutes // 60, "minutes": minutes % 60}


@register.filter
def brief(seconds: float | None) -> str:
    """The same as a big figure: always short."""
    return gettext("< 1 min") if (seconds or 0) < 60 else lasting(seconds)


@register.filter
def time_left(moment: datetime | None) -> str:
    """How long until then."""
    return lasting(seconds_left(moment)) if moment else ""


@register.filter
def seconds_left(moment: datetime) -> float:
    """Seconds until then."""
    return (moment - timezone.now()).total_seconds()


@register.filter
def rate(found: Rate) -> str:
    """A limit in words."""
    number = thousands(found.number)
    for seconds, one, several in _WINDOWS:
        if found.seconds % seconds == 0:
            several_of = found.seconds // seconds
            return gettext(one) % {"number": number} if several_of == 1 else gettext(several) % {"number": number, "n": several_of}
    raise AssertionError(found)


_WINDOWS = (
    (86400, gettext_noop("%(number)s a day"), gettext_noop("%(number)s in %(n)s days")),
    (3600, gettext_noop("%(number)s an hour"), gettext_noop("%(number)s in %(n)s hours")),
    (60, gettext_noop("%(number)s a minute"), gettext_noop("%(number)s in %(n)s minutes")),
    (1, gettext_noop("%(number)s a second"), gettext_noop("%(number)s in %(n)s seconds")),
)


@register.filter
def local_part(address: str) -> str:
    """What stands before @."""
    return address.rpartition("@")[0]


@register.filter
def host_part(address: str) -> str:
    """What stands after @, with it."""
    return "@" + address.rpartition("@")[2]


@register.filter
def soft(address: str) -> SafeString:
    """An address that breaks at its @ when the line is short."""
    name, at, host = address.rpartition("@")
    return format_html("{}<wbr>{}{}", name, at, host)


@register.filter
def subject(text: str) -> str:
    """A subject to show: never empty."""
    return text or gettext("(no subject)")


@register.simple_tag(takes_context=True)
def with_query(context: Context, **changes: Any) -> str:
    """The present query string with some keys changed; an empty value removes the key."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in ("", None):
            query[name] = str(value)
    return f"?{query.urlencode()}" if query else "?"


@register.inclusion_tag("look/field.html")
def field(bound: BoundField, autocomplete: str = "") -> dict[str, Any]:
    """A form field: label above, control, hint or what is wrong below."""
    attributes: dict[str, Any] = {}
    described = []
    if bound.errors:
        attributes["aria-invalid"] = "true"
        described.append(f"{bound.auto_id}_fault")
    if bound.help_text:
        described.append(f"{bound.auto_id}_hint")
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if autocomplete:
        attributes["autocomplete"] = autocomplete
    kind = getattr(bound.field.widget, "input_type", "")
    return {"bound": bound, "control": bound.as_widget(attrs=attributes), "kind": kind}
