"""The journal as people read it: each event's sentence, translated and filled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from colporteur.domain.moderation import Action, Finding
from colporteur.domain.policy import OPTIONS, parse
from colporteur.flow import moderation, moments
from colporteur.flow.standing import reason_in_words
from colporteur.store.journal import EVENTS, JournalEntry
from colporteur.web.policies.rows import shown


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
        "one approval": _("one approval covers it"), "asks again": _("its own rules are asked again"),
        "owner": _("owner"), "moderator": _("moderator"), "free_sender": _("free sender"), "allowed_sender": _("allowed sender"), "refused_sender": _("refused sender"), "release": _("distribute"), "reject": _("reject with notice"),
        "discard": _("reject without telling"), "paused": _("paused"), "receives again": _("receives again"), "on": _("switched on"), "off": _("switched off"),
        "app": _("authenticator app"), "passkey": _("passkey"), "password": _("password"),
        "bounces": _("what came back"), "probe": _("a letter to try"), "complaint": _("a report of spam"),
        "schedule": _("the schedule"), "failures": _("the failures"), "sample": _("what became of the first part"), "failed": _("whose copies failed"), "unknown": _("whose copies failed or may have arrived"), "new": _("who joined since"), "as limits allow": _("as limits allow"),
        "lmtp": _("the mail server"), "imap": _("the mailbox"), "pop3": _("the mailbox"), "web": _("this site"),
    }  # fmt: skip
    return words.get(value, str(value)) if isinstance(value, str) else str(value)


def sentence(entry: JournalEntry) -> str:
    """The event in the active language."""
    text = _(EVENTS.get(entry.event, entry.event))
    if why := _why(entry):
        return _("%(event)s: %(reasons)s") % {"event": text, "reasons": why}
    values = {name: _word(value) for name, value in entry.values.items()}
    if entry.event.startswith("standing."):
        values["reason"] = reason_in_words(str(entry.values.get("reason", "")))
    if entry.event == "campaign.scheduled":
        values["at"] = _moment(str(entry.values.get("at", "")))
    if entry.event == "list.changed":
        values["change"] = _change(entry) or values.get("change", "?")
    try:
        return text.format_map(_Values(values))
    except (ValueError, IndexError, AttributeError):
        return text


def _moment(text: str) -> str:
    """A moment that was kept as ISO 8601, as it is read here."""
    try:
        return moments.exact(datetime.fromisoformat(text))
    except ValueError:
        return text


def _change(entry: JournalEntry) -> str:
    """A setting's name and both its values, in words."""
    name = str(entry.values.get("option", ""))
    labels = {"title": _("Name"), "description": _("Description"), "language": _("Language of its letters")}
    label = _(OPTIONS[name].metadata["label"]) if name in OPTIONS else labels.get(name, "")
    old, new = (_value(name, str(entry.values.get(key) or "")) for key in ("old", "new"))
    return _("%(setting)s: %(old)s → %(new)s") % {"setting": label, "old": old, "new": new} if label else ""


def _value(name: str, text: str) -> str:
    if not text:
        return "—"
    if name not in OPTIONS:
        return " ".join(text.split())
    try:
        return " ".join(shown(name, parse(name, text)).split())
    except (ValueError, KeyError):
        return text  # kept by an older release


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
