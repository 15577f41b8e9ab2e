"""The journal as people read it: each event's sentence, translated and filled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from colporteur.domain.moderation import Action, Finding
from colporteur.flow import moderation
from colporteur.store.journal import EVENTS, JournalEntry


class Told(NamedTuple):
    """One entry: when, what, and the message or mailing it tells of."""

    at: Any
    sentence: str
    url: str
    event: str


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _word(value: Any) -> str:
    words = {
        "owner": _("owner"), "moderator": _("moderator"), "free_sender": _("free sender"), "release": _("distribute"), "reject": _("reject with notice"),
        "discard": _("reject without telling"), "paused": _("paused"), "receives again": _("receives again"), "on": _("switched on"), "off": _("switched off"),
        "lmtp": _("the mail server"), "imap": _("the mailbox"), "pop3": _("the mailbox"), "web": _("this site"),
    }  # fmt: skip
    return words.get(value, str(value)) if isinstance(value, str) else str(value)


def sentence(entry: JournalEntry) -> str:
    """The event in the active language."""
    text = _(EVENTS.get(entry.event, entry.event))
    if why := _why(entry):
        return f"{text}: {why}"
    try:
        return text.format_map(_Values({name: _word(value) for name, value in entry.values.items()}))
    except (ValueError, IndexError, AttributeError):
        return text


def _why(entry: JournalEntry) -> str:
    """The verdict's reasons, in the words of the waiting list, the notice and the command line."""
    found = entry.values.get("findings", [])
    said = moderation.reasons(Finding(one["rule"], Action(one["action"]), one["reason"], one["values"]) for one in found) if found else entry.values.get("reasons", "")
    return " ".join(str(said).split("\n"))


def told(entries: Iterable[JournalEntry]) -> list[Told]:
    """Entries as a page lists them."""
    return [Told(entry.at, sentence(entry), _url(entry), entry.event) for entry in entries]


def _url(entry: JournalEntry) -> str:
    if entry.post_id:
        return reverse("post", args=[entry.post_id])
    return reverse("mailing", args=[entry.mailing_id]) if entry.mailing_id else ""
